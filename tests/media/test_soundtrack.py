"""The sound of videos: the recording's own rate and channels, in sync for readers of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.recordings import beep_times, beeps, write_recording

from diffposetalk.errors import InputError
from diffposetalk.media import VIDEO_OUTPUTS, Recording, VideoWriter, audio_blocks, probe, read_frames

TIMES = (0.5, 1.5)
"""Where the beeps lie, seconds."""


def film(
    path: Path, audio: Any, n: int = 60, channels: int = 3, size: tuple[int, int] = (64, 64), **options: Any
) -> Path:
    """Write a video whose pictures grow lighter."""
    with VideoWriter(path, audio=audio, **options) as video:
        for k in range(n):
            video.write(np.full((size[1], size[0], channels), 2 * k, np.uint8))
    return path


def raw_beeps(path: Path) -> list[float]:
    """Return where beeps lie for a reader that ignores edit lists and what headers say about delays: it counts samples."""
    import av

    with av.open(f"file:{path}", options={"ignore_editlist": "1"}) as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = {"flags2": "+skip_manual"}
        pieces = []
        for frame in container.decode(stream):
            samples = frame.to_ndarray()
            if not frame.format.is_planar:
                samples = samples.reshape(-1, frame.layout.nb_channels).T
            scale = 32768 if samples.dtype == np.int16 else 1
            pieces.append(samples[0].astype(np.float32) / scale)
        return beep_times(np.concatenate(pieces), frame.sample_rate)


def raw_start(path: Path) -> float:
    """Return the time of the first picture for a reader that ignores edit lists."""
    import av

    with av.open(f"file:{path}", options={"ignore_editlist": "1"}) as container:
        return float(next(container.decode(video=0)).time)


def packets(path: Path) -> list[bytes]:
    import av

    with av.open(f"file:{path}") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize("output", [".mp4", ".mov"])
@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("a.wav", "pcm_s16le", 16000, "mono"),
        ("a.wav", "pcm_s16le", 48000, "stereo"),
        ("a.flac", "flac", 44100, "stereo"),
        ("a.m4a", "aac", 44100, "stereo"),
        ("a.mp3", "libmp3lame", 44100, "stereo"),
        ("a.webm", "libopus", 48000, "stereo"),
        ("a.wav", "pcm_s16le", 48000, "5.1"),
        ("2026-11-27T12:30.wav", "pcm_s16le", 22050, "mono"),
    ],
)
def test_rate_and_channels_are_kept_and_nothing_is_late(
    tmp_path: Path, output: str, name: str, codec: str, rate: int, layout: str
) -> None:
    n_channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    source = write_recording(tmp_path / name, beeps(TIMES, 2.0, rate, n_channels), rate, codec, layout)
    path = film(tmp_path / f"out:1{output}", Recording(source))
    info = probe(path)
    assert (info.sample_rate, info.channels) == (rate, n_channels)
    sound = np.concatenate(list(audio_blocks(path, rate)))
    assert beep_times(sound, rate) == pytest.approx(TIMES, abs=1.01 / rate)
    assert raw_beeps(path) == pytest.approx(TIMES, abs=1.01 / rate)
    assert next(read_frames(path))[0] == 0
    assert raw_start(path) == 0


@pytest.mark.parametrize(
    ("name", "codec", "output"),
    [("a.m4a", "aac", ".mp4"), ("a.ts", "aac", ".mp4"), ("a.m4a", "aac", ".mov"), ("a.wav", "pcm_s16le", ".mov"),
     ("a.webm", "libopus", ".webm"), ("a.ogg", "libopus", ".webm")],
)  # fmt: skip
def test_a_stream_that_the_container_takes_is_copied(tmp_path: Path, name: str, codec: str, output: str) -> None:
    rate = 48000
    source = write_recording(tmp_path / name, beeps(TIMES, 2.0, rate, 2), rate, codec, "stereo")
    path = film(tmp_path / f"out{output}", Recording(source))
    ours, theirs = b"".join(packets(path)), packets(source)
    if name.endswith(".ts"):
        theirs = [packet[7:] for packet in theirs]  # without the header of ADTS
    if codec == "aac" and not name.endswith(".ts"):
        theirs = theirs[1:]  # the first one only holds the encoder's delay
    assert ours == b"".join(theirs)
    expected = beep_times(np.concatenate(list(audio_blocks(source))), 16000)
    assert beep_times(np.concatenate(list(audio_blocks(path))), 16000) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("output", [".mp4", ".webm"])
def test_a_recording_with_a_hole_or_a_late_start_is_encoded_in_place(tmp_path: Path, output: str) -> None:
    codec = "aac" if output == ".mp4" else "libopus"
    hole = write_recording(
        tmp_path / f"hole{output}",
        beeps(TIMES, 2.0, 48000),
        48000,
        codec,
        keep=lambda _, time_s: not 0.8 < time_s < 1.2,
    )
    late = write_recording(
        tmp_path / f"late{'.mkv' if output == '.webm' else output}",
        beeps(TIMES, 2.0, 48000), 48000, codec, late_s=0.3, picture_from_s=0.0,
    )  # fmt: skip
    for source, shift in ((hole, 0.0), (late, 0.3)):
        with pytest.warns() if source is hole else pytest.MonkeyPatch.context():
            path = film(tmp_path / f"out{output}", Recording(source))
        known = np.array(TIMES) + shift
        assert beep_times(np.concatenate(list(audio_blocks(path))), 16000) == pytest.approx(known, abs=1.1e-3)
        if output == ".mp4":
            assert raw_beeps(path) == pytest.approx(known, abs=1.1e-3)


def test_a_later_part_of_a_recording(tmp_path: Path) -> None:
    source = write_recording(tmp_path / "a.m4a", beeps(TIMES, 2.0, 44100, 2), 44100, "aac", "stereo")
    path = film(tmp_path / "out.mp4", Recording(source, 0.4), n=25)
    assert probe(path).channels == 2
    assert raw_beeps(path) == pytest.approx([0.1], abs=1e-4)


def test_rates_that_an_encoder_does_not_know_become_the_next_higher(tmp_path: Path) -> None:
    for rate, expected in ((192000, 96000), (37800, 44100)):
        source = write_recording(tmp_path / "a.wav", beeps(TIMES, 2.0, rate), rate, "pcm_s16le")
        path = film(tmp_path / "out.mp4", Recording(source))
        assert probe(path).sample_rate == expected
        assert raw_beeps(path) == pytest.approx(TIMES, abs=1e-4)


def test_endings_and_their_codecs(tmp_path: Path) -> None:
    source = write_recording(tmp_path / "a.wav", beeps(TIMES, 2.0, 16000), 16000, "pcm_s16le")
    kinds = {}
    for ending in VIDEO_OUTPUTS:
        info = probe(film(tmp_path / f"o{ending}", Recording(source), size=(64, 32)))
        kinds[ending] = (info.video_codec, info.audio_codec)
        assert (info.width, info.height, info.fps) == (64, 32, 25)
        assert info.duration == pytest.approx(2.4, abs=0.06)
    assert kinds == {
        ".mp4": ("h264", "aac"), ".mov": ("h264", "pcm_s16le"), ".webm": ("vp9", "opus"), ".gif": ("gif", None)
    }  # fmt: skip
    with pytest.raises(InputError, match=r"\.mp4, \.mov, \.webm, \.gif only"):
        VideoWriter(tmp_path / "o.avi")


def half_transparent(k: int) -> np.ndarray:
    """Return a picture of which the left half is clear and the right half is of one colour."""
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[:, 32:] = (200, 40 + k, 60, 255)
    return picture


def decoded_with_alpha(path: Path) -> list[np.ndarray]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r") if path.suffix == ".webm" else stream.codec_context
        return [
            frame.to_ndarray(format="rgba")
            for packet in container.demux(stream)
            for frame in decoder.decode(packet if packet.size else None)
        ]


@pytest.mark.parametrize("ending", [".mov", ".webm", ".gif"])
def test_pictures_may_be_transparent(tmp_path: Path, ending: str) -> None:
    with VideoWriter(tmp_path / f"a{ending}") as video:
        for k in range(60):
            video.write(half_transparent(k))
    if ending == ".gif":
        from PIL import Image

        image = Image.open(tmp_path / "a.gif")
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (60, 40, 0)
        pictures = []
        for k in (0, 59):
            image.seek(k)
            pictures.append(np.array(image.convert("RGBA")))
    else:
        every = decoded_with_alpha(tmp_path / f"a{ending}")
        assert len(every) == 60
        pictures = [every[0], every[-1]]
    for picture, k in zip(pictures, (0, 59), strict=True):
        assert picture[:, :28, 3].max() < 8 and picture[:, 36:, 3].min() > 247
        assert np.abs(picture[10:-10, 40:-4, :3].astype(int) - (200, 40 + k, 60)).max() < 14


def test_mp4_cannot_be_transparent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be transparent; use \.mov, \.webm, \.gif"):
        film(tmp_path / "a.mp4", None, channels=4)
    assert not list(tmp_path.iterdir())


def test_a_gif_of_many_frames_a_second_keeps_its_length(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.open(film(tmp_path / "a.gif", None, n=120, fps=60.0, size=(33, 21)))
    assert image.size == (33, 21)
    assert image.n_frames == 100
    seconds = 0.0
    for k in range(image.n_frames):
        image.seek(k)
        seconds += image.info["duration"] / 1000
    assert seconds == pytest.approx(2.0, abs=0.03)
