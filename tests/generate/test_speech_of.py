"""Whatever holds speech gives the same motion: a file, an array at any rate, `Speech`, `SpeechFile`, another stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk import Speech, SpeechFile, Talker
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.generate.speech_of import speech_of


@pytest.fixture(scope="module")
def tiny(tiny_model: Any) -> Talker:
    return Talker(tiny_model)


@pytest.fixture(scope="module")
def recording(speech: Speech, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 16 kHz, 16 bit."""
    path = tmp_path_factory.mktemp("speech") / "talk.wav"
    speech.save(path)
    return path


class Stream:
    """Speech from elsewhere."""

    def __init__(self, sample_rate: int, samples: np.ndarray) -> None:
        self.sample_rate, self.samples = sample_rate, samples

    def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
        yield self.samples


def test_every_source_gives_the_same_motion(tiny: Talker, recording: Path) -> None:
    speech = Speech.load(recording)
    expected = tiny.generate(speech, steps=2).expression
    whole = np.round(speech.samples * 32768).clip(-32768, 32767).astype(np.int16)
    for source, rate in (
        (recording, None), (str(recording), None), (SpeechFile(recording), None), (Stream(16000, speech.samples), None),
        (speech.samples, 16000), (whole, 16000), (np.stack([whole, whole]), 16000), (np.stack([whole, whole], 1), 16000),
    ):  # fmt: skip
        motion = tiny.generate(source, steps=2, sample_rate=rate)
        np.testing.assert_allclose(motion.expression, expected, atol=2e-3)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_other_rates_are_resampled(recording: Path, rate: int) -> None:
    """Arrays, `Speech` and files of any rate arrive as the same sound, at 16 kHz and as long."""
    speech = Speech.load(recording)
    other = speech.resampled(rate)
    band = speech if rate >= 16000 else other.resampled(16000)
    for source, told in ((other, None), (other.samples, rate), (SpeechFile(recording, rate), None)):
        stream = speech_of(source, 16000, told)
        samples = np.concatenate(list(stream.blocks()))
        n = min(len(samples), len(band.samples))
        assert stream.sample_rate == 16000 and abs(len(samples) - len(speech.samples)) <= 2
        if not (rate < 16000 and isinstance(source, SpeechFile)):
            assert np.corrcoef(samples[:n], band.samples[:n])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("source", "rate", "error", "words"),
    [
        (np.zeros(16000, np.float32), None, UsageError, "pass sample_rate="),
        ("talk.wav", 16000, UsageError, "sample_rate goes with an array"),
        ("nowhere.wav", None, InputError, "nowhere.wav"),
        (Stream(44100, np.zeros(1)), None, InputError, "expected speech at 16000 Hz, got 44100 Hz"),
        (np.zeros((0, 2)), 16000, InputError, "empty"),
        (np.zeros((400, 400)), 16000, InputError, "mono"),
        (12, None, UsageError, "not int"),
        (None, None, UsageError, "not NoneType"),
    ],
)
def test_what_is_no_speech_is_refused_in_one_line(
    source: Any, rate: int | None, error: type[DiffPoseTalkError], words: str
) -> None:
    with pytest.raises(error) as caught:
        speech_of(source, 16000, rate)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_frames_come_one_by_one(tiny: Talker) -> None:
    """They are those of `generate`; the first comes after one window, before the rest of the speech is read."""
    n_read = 0

    class Counted(Stream):
        def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
            nonlocal n_read
            for start in range(0, len(self.samples), 16000):
                n_read += 1
                yield self.samples[start : start + 16000]

    samples = np.random.default_rng(0).uniform(-0.3, 0.3, 16000 * 20).astype(np.float32)
    frames = tiny.frames(Counted(16000, samples), steps=2, seed=4, non_speech="move")
    first = next(frames)
    assert len(first) == 1 and n_read <= 6
    whole = tiny.generate(Speech(samples), steps=2, seed=4, non_speech="move")
    together = np.concatenate([first.expression, *(frame.expression for frame in frames)])
    np.testing.assert_allclose(together, whole.expression, atol=1e-6)


def test_progress_tells_seconds(tiny: Talker) -> None:
    told: list[tuple[float, float | None]] = []
    tiny.generate(
        Speech(np.zeros(16000 * 9, np.float32)),
        steps=1,
        progress=lambda done, total=None, what=None: told.append((done, total)),
    )
    assert told == [(4.0, 9.0), (8.0, 9.0), (9.0, 9.0)]


def test_8_bit_arrays_are_centred_at_128() -> None:
    loud = np.sin(np.arange(16000) / 20)
    eight = (loud * 127 + 128).astype(np.uint8)
    for array in (eight, np.stack([eight, eight])):
        speech = speech_of(array, 16000, 16000)
        assert isinstance(speech, Speech) and np.abs(speech.samples - loud).max() < 0.02


@pytest.mark.parametrize("source", [5, None, [0.1, 0.2], b"talk.wav", ("talk.wav", 16000)])
@pytest.mark.parametrize("rate", [None, 16000])
def test_what_is_no_speech_is_said_first(source: object, rate: int | None) -> None:
    with pytest.raises(UsageError, match="speech must be a file, an array with sample_rate"):
        speech_of(source, 16000, rate)  # type: ignore[arg-type]


def test_a_rate_that_is_no_number_is_said() -> None:
    with pytest.raises(InputError, match="must be a number of Hz, not '16000'"):
        speech_of(np.zeros(16000), 16000, "16000")  # type: ignore[arg-type]
