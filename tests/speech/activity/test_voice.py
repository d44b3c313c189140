"""The network of Silero VAD in numpy: as the package computes it; and stretches of voice as the package finds them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from diffposetalk.speech import Speech
from diffposetalk.speech.activity import VoiceDetector, voice_probabilities, voice_spans
from diffposetalk.speech.activity.voice import SAMPLE_RATE, STEP


@pytest.fixture(scope="module")
def samples(sample_path) -> np.ndarray:
    speech = Speech.load(sample_path).samples
    return np.concatenate([speech, np.zeros(SAMPLE_RATE, np.float32), speech[: 2 * SAMPLE_RATE + 100]])


def test_as_the_package(samples) -> None:
    silero_vad = pytest.importorskip("silero_vad", reason="needs silero-vad, which is not installed")
    import torch

    n_threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = silero_vad.load_silero_vad()
    torch.set_num_threads(n_threads)
    padded = np.pad(samples, (0, -len(samples) % STEP))
    theirs = [float(model(torch.from_numpy(step), SAMPLE_RATE)) for step in padded.reshape(-1, STEP)]
    ours = voice_probabilities(samples)
    assert np.allclose(ours, theirs, atol=1e-4)
    spans = silero_vad.get_speech_timestamps(
        torch.from_numpy(samples), model, min_silence_duration_ms=300, return_seconds=False
    )
    found = voice_spans(ours)
    assert len(found) == len(spans) >= 3
    for (start, stop), span in zip(found, spans):
        assert start == pytest.approx(span["start"] / SAMPLE_RATE, abs=0.07)
        assert stop == pytest.approx(span["end"] / SAMPLE_RATE, abs=0.07)


def test_pieces_of_any_size_give_the_same(samples) -> None:
    whole = voice_probabilities(samples)
    assert len(whole) == -(-len(samples) // STEP)
    detector, rng = VoiceDetector(), np.random.default_rng(0)
    cuts = np.sort(rng.integers(0, len(samples), 200))
    parts = [detector.push(part) for part in np.split(samples, cuts)]
    assert np.allclose(np.concatenate([*parts, detector.finish()]), whole, atol=1e-5)


def test_nothing_and_less_than_a_step() -> None:
    assert len(voice_probabilities(np.zeros(0, np.float32))) == 0
    assert voice_probabilities(np.zeros(1, np.float32)).shape == (1,)
    assert voice_spans(np.zeros(0)) == []


def test_spans_of_known_probabilities() -> None:
    """0.5 begins, a pause below 0.35 of 0.3 s ends, stretches up to 0.25 s do not count."""
    levels = [(10, 0.1), (20, 0.9), (5, 0.1), (10, 0.9), (5, 0.4), (12, 0.1), (6, 0.9), (40, 0.1), (20, 0.6)]
    probabilities = np.concatenate([np.full(n, value) for n, value in levels])
    spans = voice_spans(probabilities, around_s=0.0)
    assert np.allclose(spans, np.array([(10, 50), (108, 128)]) * 0.032)
