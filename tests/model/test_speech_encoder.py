"""The speech encoder: bounded look-ahead (by gradient), level-blind, no part of it sees the whole recording."""

from __future__ import annotations

import pytest
import torch

from diffposetalk.model.configs import SpeechEncoderConfig
from diffposetalk.model.frames import FRAME_SAMPLES, LOOKAHEAD, MELS_PER_FRAME, mel_filters
from diffposetalk.model.speech_encoder import SpeechEncoder


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(SpeechEncoderConfig(n_mels=20, width=16, dim=8)).eval()


def test_shapes(encoder: SpeechEncoder) -> None:
    samples = torch.randn(2, FRAME_SAMPLES * 30) * 0.1
    assert encoder(samples).shape == (2, 30, 8)
    mels, _ = encoder.normalise(encoder.log_mels(samples))
    assert encoder.hidden(encoder.surround(mels)).shape == (2, 16, 62)


def test_no_frame_depends_on_speech_beyond_the_lookahead(encoder: SpeechEncoder) -> None:
    samples = (torch.randn(1, FRAME_SAMPLES * 60) * 0.1).requires_grad_()
    (gradient,) = torch.autograd.grad(encoder(samples)[0, 30].sum(), samples)
    touched = gradient[0].nonzero()[:, 0]
    assert touched.max() < (30 + LOOKAHEAD + 1) * FRAME_SAMPLES
    assert touched.max() >= (30 + LOOKAHEAD) * FRAME_SAMPLES, "the look-ahead stated is not used"


def test_convolutions_see_exactly_the_stated_memory(encoder: SpeechEncoder) -> None:
    mels = torch.randn(1, 20, (encoder.config.memory + 1 + LOOKAHEAD) * MELS_PER_FRAME, requires_grad=True)
    features = encoder.features(encoder.hidden(mels))
    assert features.shape[1] == 1
    (gradient,) = torch.autograd.grad(features.sum(), mels)
    touched = gradient.abs().sum((0, 1)).nonzero()[:, 0]
    assert touched.min() == 0


def test_running_mean_in_pieces_equals_whole(encoder: SpeechEncoder) -> None:
    mels = encoder.log_mels(torch.randn(1, FRAME_SAMPLES * 50) * 0.1)
    whole, end = encoder.normalise(mels)
    first, state = encoder.normalise(mels[..., :80])
    second, end_again = encoder.normalise(mels[..., 80:], state)
    torch.testing.assert_close(torch.cat([first, second], -1), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(end_again.total, end.total)


def test_running_mean_equals_a_plain_loop(encoder: SpeechEncoder) -> None:
    mels = encoder.log_mels(torch.randn(1, FRAME_SAMPLES * 12) * torch.linspace(0.01, 0.3, FRAME_SAMPLES * 12))
    normalised, _ = encoder.normalise(mels)
    state = encoder.initial_state(1)
    total, weight = state.total.clone(), state.weight.clone()
    decay = float(torch.exp(torch.tensor(-1 / (25 * encoder.config.memory_s))))
    for frame in range(12):
        piece = mels[..., frame * 4 : frame * 4 + 4]
        loudness = piece.exp().mean(1) - 1e-5
        total = total * decay + (piece * loudness[:, None]).sum(-1)
        weight = weight * decay + loudness.sum(-1, keepdim=True)
        expected = ((piece - (total / weight)[..., None]).clamp(-8, 8)) / 3
        torch.testing.assert_close(normalised[..., frame * 4 : frame * 4 + 4], expected, atol=1e-4, rtol=1e-4)


def test_level_hardly_matters_after_a_second(encoder: SpeechEncoder) -> None:
    """Twenty decibels of gain change a raw log-mel by 4.6; after normalisation little of that is left."""
    samples = torch.randn(1, FRAME_SAMPLES * 100) * 0.02
    quiet, _ = encoder.normalise(encoder.log_mels(samples))
    loud, _ = encoder.normalise(encoder.log_mels(samples * 10))
    assert (quiet - loud)[..., 100:].abs().mean() * 3 < 0.5


def test_long_silence_keeps_looking_like_silence(encoder: SpeechEncoder) -> None:
    speech = torch.randn(1, FRAME_SAMPLES * 25) * 0.1
    normalised, _ = encoder.normalise(encoder.log_mels(torch.cat([speech, torch.zeros(1, FRAME_SAMPLES * 500)], -1)))
    assert normalised.isfinite().all()
    torch.testing.assert_close(normalised[..., 120], normalised[..., -1], atol=1e-3, rtol=1e-3)
    assert normalised[..., 120:].max() < -1


def test_a_tone_lights_its_own_band() -> None:
    filters = mel_filters(40)
    power = torch.zeros(257)
    power[round(1000 / 16000 * 512)] = 1
    centre = (power @ filters).argmax()
    peak_hz = filters[:, centre].argmax() * 16000 / 512
    assert abs(float(peak_hz) - 1000) < 70
