"""Time stamps rule: holes are silence, repeats are dropped, jitter changes nothing, delays of encoders are taken off."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.media.recordings import beep_times, beeps, rf64_bytes, wav_bytes, write_recording

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.media import audio_blocks, check_sound, read_frames
from diffposetalk.media.timeline import TimeLine
from diffposetalk.speech import Speech

TIMES = (0.5, 1.5, 2.5, 3.5, 4.5)
"""Where the beeps of the test recordings lie, seconds."""

MILLISECOND = 0.0011
"""What containers that round to milliseconds may be off, seconds."""


def decoded(path: Path) -> tuple[np.ndarray, list[str]]:
    """Return a file's sound at 16 kHz, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        samples = np.concatenate(list(audio_blocks(path)))
    return samples, [str(warning.message) for warning in caught if issubclass(warning.category, DiffPoseTalkWarning)]


CONTAINERS = [
    ("webm", "libopus"),
    ("mkv", "libopus"),
    ("mkv", "aac"),
    ("mkv", "flac"),
    ("mkv", "pcm_s16le"),
    ("ts", "aac"),
    ("mp4", "aac"),
    ("mp4", "libopus"),
    ("ogg", "libopus"),
    ("flv", "aac"),
]


@pytest.mark.parametrize(("suffix", "codec"), CONTAINERS)
def test_a_hole_is_silence_and_what_follows_stays_in_place(tmp_path: Path, suffix: str, codec: str) -> None:
    samples = beeps(TIMES, 5.0, 48000)
    whole, _ = decoded(write_recording(tmp_path / f"whole.{suffix}", samples, 48000, codec))
    path = tmp_path / f"hole.{suffix}"
    write_recording(path, samples, 48000, codec, keep=lambda _, time_s: not 1.2 <= time_s < 3.2)
    check_sound(path)  # it is not truncated
    part, notes = decoded(path)
    assert len(part) == pytest.approx(len(whole), abs=16000 * MILLISECOND)
    expected = [time_s for time_s in beep_times(whole, 16000) if not 1.1 < time_s < 3.2]
    assert len(expected) == 3
    assert beep_times(part, 16000) == pytest.approx(expected, abs=MILLISECOND)
    assert not part[round(1.4 * 16000) : round(3.0 * 16000)].any()
    assert len(notes) == 1
    where = "1." if suffix == "ogg" else "1.2"  # Ogg stamps pages of a second
    assert f"hole.{suffix}: " in notes[0] and f"of its sound are missing (at {where}" in notes[0]
    assert float(notes[0].split(": ")[1].split(" s ")[0]) == pytest.approx(2.0, abs=0.09)  # a frame of FLAC is .096 s


@pytest.mark.parametrize(
    ("suffix", "codec"), [container for container in CONTAINERS if container != ("ogg", "libopus")]
)
def test_packets_lost_at_random_move_nothing(tmp_path: Path, suffix: str, codec: str) -> None:
    """Ogg is left out: its time stamps are those of pages of a second."""
    samples = beeps(tuple(np.arange(0.5, 19.5, 0.5)), 20.0, 48000)
    whole, _ = decoded(write_recording(tmp_path / f"whole.{suffix}", samples, 48000, codec))
    dice = random.Random(0)
    path = write_recording(
        tmp_path / f"lossy.{suffix}", samples, 48000, codec, keep=lambda index, _: index < 4 or dice.random() > 0.08
    )
    part, notes = decoded(path)
    assert len(part) == pytest.approx(len(whole), abs=0.1 * 16000)  # the last packet may be lost
    known, here = np.array(beep_times(whole, 16000)), np.array(beep_times(part, 16000))
    lag = np.abs(here[:, None] - known).min(axis=1)
    assert len(here) > 20
    assert np.median(lag) < MILLISECOND
    assert lag[-5:].max() < 3 * MILLISECOND  # a beep that has lost a part
    assert len(notes) == 1 and "places, the first at" in notes[0]


def test_the_sample_with_a_hole(faults: Path) -> None:
    samples, notes = decoded(faults / "g_gap.webm")
    assert len(samples) / 16000 == pytest.approx(20.5, abs=0.01)
    assert len(notes) == 1 and "1.40 s" in notes[0]
    silent = np.flatnonzero(np.convolve(samples == 0, np.ones(16000), "valid") == 16000)
    assert silent[0] / 16000 == pytest.approx(10.0, abs=0.05)


@pytest.mark.parametrize("jitter_s", [0.004, 0.009])
def test_jitter_makes_neither_gaps_nor_clicks(tmp_path: Path, jitter_s: float) -> None:
    samples = beeps(TIMES, 5.0, 48000)
    whole, _ = decoded(write_recording(tmp_path / "whole.mkv", samples, 48000, "pcm_s16le"))
    dice = random.Random(1)
    path = write_recording(
        tmp_path / "jitter.mkv",
        samples,
        48000,
        "pcm_s16le",
        shift_s=lambda index: dice.random() * jitter_s * (index > 0),
    )
    part, notes = decoded(path)
    assert np.array_equal(part, whole)
    assert not notes


def frames_of(stamps: list[float], n: int = 160) -> list[tuple[float | None, np.ndarray]]:
    """Return frames of `n` samples that count upwards from 1, one for each time stamp."""
    return [(stamp, np.arange(1 + k * n, 1 + (k + 1) * n, dtype=np.float32)[None]) for k, stamp in enumerate(stamps)]


def laid_out(stamps: list[float], rate: int = 16000) -> tuple[TimeLine, np.ndarray]:
    line = TimeLine(rate)
    return line, np.concatenate(list(line.laid_out(frames_of(stamps))), axis=1)[0]


def test_repeated_packets_are_dropped() -> None:
    stamps = [0.01 * k for k in range(60)]
    line, samples = laid_out(stamps[:30] + stamps[29:])
    assert len(samples) == 60 * 160
    assert line.missing_s == 0
    assert samples[-1] == 61 * 160


def test_a_clock_that_restarts_loses_nothing() -> None:
    stamps = [0.01 * k for k in range(50)]
    line, samples = laid_out([5000 + stamp for stamp in stamps] + stamps)
    assert len(samples) == 100 * 160
    assert np.array_equal(samples, np.arange(1, 1 + 16000))
    assert line.missing_s == 0


def test_sound_that_lies_before_the_beginning_is_left_out() -> None:
    line, samples = laid_out([-0.05 + 0.01 * k for k in range(40)])
    assert len(samples) == 40 * 160 - 800
    assert samples[0] == 801
    assert line.missing_s == 0


def test_a_clock_that_drifts_is_followed() -> None:
    n = 3000
    line, samples = laid_out([0.01 * k * 1.002 for k in range(n)])
    assert len(samples) / 16000 == pytest.approx(0.01 * n * 1.002, abs=0.045)
    assert line.missing_s < 0.1


def test_sound_that_begins_late_is_preceded_by_silence_and_time_stamps_may_be_absent() -> None:
    line = TimeLine(16000)
    frames = [(None if k else 0.5, samples) for k, (_, samples) in enumerate(frames_of([0.0] * 20))]
    samples = np.concatenate(list(line.laid_out(frames)), axis=1)[0]
    assert not samples[:8000].any() and np.array_equal(samples[8000:], np.arange(1, 3201))
    assert line.missing_s == 0


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize(
    ("suffix", "codec"), [("m4a", "aac"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("webm", "libopus")]
)
def test_delays_of_encoders_are_taken_off(tmp_path: Path, rate: int, suffix: str, codec: str) -> None:
    if codec == "libopus" and rate != 48000:
        pytest.skip("Opus has 48 kHz only")
    samples, _ = decoded(write_recording(tmp_path / f"a.{suffix}", beeps(TIMES, 5.0, rate), rate, codec))
    assert beep_times(samples, 16000) == pytest.approx(TIMES, abs=1 / 16000 + 1e-9)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "libopus"), ("ts", "aac"), ("mov", "pcm_s16le")])
@pytest.mark.parametrize(("sound_s", "picture_s"), [(0.0, 0.0), (0.8, 0.0), (0.0, 0.8)])
def test_sound_and_picture_may_start_apart(
    tmp_path: Path, suffix: str, codec: str, sound_s: float, picture_s: float
) -> None:
    path = write_recording(
        tmp_path / f"a.{suffix}", beeps(TIMES, 5.0, 48000), 48000, codec, late_s=sound_s, picture_from_s=picture_s
    )
    samples, _ = decoded(path)
    pictures = [time_s for time_s, _ in read_frames(path)]
    lag = np.array(beep_times(samples, 16000)) - TIMES - pictures[0]
    assert lag == pytest.approx(sound_s - picture_s, abs=MILLISECOND)


def test_48_and_44_1_khz_last_equally_long(tmp_path: Path) -> None:
    for rate in (44100, 48000):
        samples, _ = decoded(write_recording(tmp_path / f"{rate}.wav", beeps(TIMES, 30.0, rate), rate, "pcm_s16le"))
        assert len(samples) == 30 * 16000
        assert beep_times(samples, 16000) == pytest.approx(TIMES, abs=1 / 16000 + 1e-9)


PCM = (8000 * np.sin(np.arange(16000) / 10)).astype(np.int16)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_wav_files_of_recorders_that_write_to_a_pipe(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(PCM, data_size=size))
    assert np.array_equal(Speech.load(tmp_path / "a.wav").samples, (PCM / 32768).astype(np.float32))


def test_large_wav_formats(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(rf64_bytes(PCM))
    expected = (PCM / 32768).astype(np.float32)
    assert np.array_equal(Speech.load(tmp_path / "a.wav").samples, expected)
    write_recording(tmp_path / "a.w64", expected[None], 16000, "pcm_f32le")
    assert np.array_equal(Speech.load(tmp_path / "a.w64").samples, expected)


@pytest.mark.parametrize("suffix", ["wav", "w64", "flac", "m4a", "rf64"])
def test_truncated_files_are_refused_before_the_work(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "rf64":
        path.write_bytes(rf64_bytes(np.tile(PCM, 10)))
    elif suffix == "m4a":
        import av

        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("aac", rate=16000)
            stream.layout = "mono"
            noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 160000)).astype(np.float32)
            for first in range(0, 160000, 1000):
                frame = av.AudioFrame.from_ndarray(noise[:, first : first + 1000], "fltp", "mono")
                frame.sample_rate, frame.pts = 16000, first
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        codec = "flac" if suffix == "flac" else "pcm_s16le"
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 160000)).astype(np.float32)
        write_recording(path, noise, 16000, codec)
    check_sound(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(InputError, match=rf"a\.{suffix}: is truncated"):
        check_sound(path)
