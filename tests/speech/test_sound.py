"""Speech in memory and in files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.media import save_audio
from diffposetalk.speech import Speech, SpeechFile, silent


def tone(seconds: float, rate: int = 16000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_file_and_memory_give_the_same_blocks(sample_path: Path) -> None:
    whole = Speech.load(sample_path)
    assert whole.sample_rate == 16000
    for ours, theirs in zip(whole.blocks(0.7), SpeechFile(sample_path).blocks(0.7), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(SpeechFile(sample_path).load().samples, whole.samples)
    assert SpeechFile(sample_path).duration == pytest.approx(whole.duration)


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.zeros((2, 100), np.float32), "mono"),
        (np.zeros(0, np.float32), "empty"),
        (np.array([0.1, np.nan, 0.2], np.float32), "NaN"),
        (np.array([0.1, np.inf], np.float32), "NaN or infinite"),
        (np.array([12000.0, -3000.0], np.float32), r"\[-1, 1\]"),
        (np.array([1, 2, 3], np.int16), "float"),
    ],
)
def test_what_is_no_speech_is_refused(samples: np.ndarray, what: str) -> None:
    with pytest.raises(InputError, match=what):
        Speech(samples)


def test_integers_are_scaled_when_taken_from_an_array() -> None:
    speech = Speech.from_array((tone(0.5, 8000) * 32767).astype(np.int16), 8000)
    assert speech.sample_rate == 16000
    assert len(speech) == 8000
    assert np.abs(speech.samples).max() == pytest.approx(0.5, abs=0.02)


def test_beyond_full_scale_is_clipped() -> None:
    assert np.abs(Speech(np.array([1.3, -1.2, 0.5], np.float32)).samples).max() == 1.0


def test_slice_and_pad_count_in_seconds() -> None:
    speech = Speech(tone(2.0))
    assert len(speech.slice(0.5, 1.25)) == 12000
    assert speech.padded(3.0).duration == 3.0
    assert speech.padded(1.0).duration == 2.0
    with pytest.raises(InputError, match="no speech between"):
        speech.slice(2.5, 3.0)


def test_trimming_takes_silence_off_both_ends_only() -> None:
    silence = np.zeros(16000, np.float32)
    speech = Speech(np.concatenate([silence, tone(0.5), silence, tone(0.5), silence])).trimmed(keep=0.1)
    assert speech.duration == pytest.approx(0.1 + 0.5 + 1.0 + 0.5 + 0.1, abs=0.02)
    assert Speech(silence).trimmed().duration == 1.0


def test_silence_is_found_by_hundredths() -> None:
    samples = np.concatenate([np.zeros(8000, np.float32), tone(0.5)])
    quiet = silent(samples, 16000)
    assert quiet.shape == (100,)
    assert quiet[:50].all()
    assert not quiet[50:].any()


def test_telephone_band_is_accepted_with_a_warning(tmp_path: Path) -> None:
    save_audio(tmp_path / "phone.wav", tone(1.0, 8000), 8000)
    with pytest.warns(DiffPoseTalkWarning, match="8000 Hz"):
        assert Speech.load(tmp_path / "phone.wav").duration == pytest.approx(1.0)
    save_audio(tmp_path / "wide.wav", tone(1.0, 16000), 16000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Speech.load(tmp_path / "wide.wav")


def test_longer_than_the_limit_is_refused_before_decoding(tmp_path: Path) -> None:
    save_audio(tmp_path / "a.wav", tone(3.0))
    with pytest.raises(InputError, match=r"lasts 0:00:03, more than the limit of 0:00:02"):
        SpeechFile(tmp_path / "a.wav", max_duration=2.0)
    assert SpeechFile(tmp_path / "a.wav", max_duration=4.0).load().duration == 3.0


def test_save_and_load(tmp_path: Path) -> None:
    speech = Speech(tone(0.4))
    speech.save(tmp_path / "a.flac")
    np.testing.assert_allclose(Speech.load(tmp_path / "a.flac").samples, speech.samples, atol=1e-4)
