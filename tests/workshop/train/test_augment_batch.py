"""Changes of a batch of speech in training: what they change, by how much, and that chance alone decides."""

import numpy as np
import torch

from diffposetalk.model.speech_encoder import MEL_RANGE_HZ, hz_to_mel, mel_to_hz
from diffposetalk.workshop.train.lite.augment_batch import masked, mixed, warped


def peaked(hz: float, n_mels: int = 80) -> torch.Tensor:
    """Return log-mels ``(1, n_mels, 3)`` with a smooth peak at a frequency."""
    centres = mel_to_hz(np.linspace(*(hz_to_mel(end) for end in MEL_RANGE_HZ), n_mels + 2)[1:-1])
    return torch.from_numpy(np.exp(-(((centres - hz) / 150) ** 2)).astype(np.float32))[None, :, None].repeat(1, 1, 3)


def peak_hz(mels: torch.Tensor) -> float:
    centres = mel_to_hz(np.linspace(*(hz_to_mel(end) for end in MEL_RANGE_HZ), mels.shape[1] + 2)[1:-1])
    return float(centres[mels[0, :, 0].argmax()])


def test_warped_moves_a_formant_by_the_factor() -> None:
    class Fixed(np.random.Generator):
        def uniform(self, low: float, high: float, size: object = None) -> np.ndarray:  # type: ignore[override]
            return np.full(size, high)

    moved = warped(peaked(1500.0), 0.2, Fixed(np.random.PCG64(0)))
    # Each band now reads 1.2 times its frequency, so the peak lies at 1500 / 1.2.
    assert abs(peak_hz(moved) - 1250) < 60


def test_warped_by_nothing_changes_nothing() -> None:
    mels = torch.randn(3, 80, 10)
    assert warped(mels, 0.0, np.random.default_rng(0)) is mels
    assert torch.allclose(warped(mels, 1e-9, np.random.default_rng(0)), mels, atol=1e-5)


def test_mixed_adds_the_next_crop_between_3_and_20_db_below() -> None:
    rng = np.random.default_rng(0)
    samples = torch.from_numpy(rng.standard_normal((6, 16000)).astype(np.float32)) * 0.05
    added = mixed(samples, 1.0, rng) - samples
    ratio_db = 20 * torch.log10(samples.square().mean(-1).sqrt() / added.square().mean(-1).sqrt())
    assert (ratio_db > 2.9).all() and (ratio_db < 20.1).all()
    cosine = torch.nn.functional.cosine_similarity(added, samples.roll(1, 0))
    assert (cosine > 0.999).all()
    assert torch.equal(mixed(samples, 0.0, rng), samples)


def test_masked_hides_so_many_bands_and_stretches() -> None:
    mels = torch.ones(40, 80, 200)
    hidden = masked(mels, 1.0, np.random.default_rng(1), masks=2)
    for row in hidden:
        assert 1 <= int((row == 0).all(1).sum()) <= 24
        assert 1 <= int((row == 0).all(0).sum()) <= 24
    assert torch.equal(masked(mels, 0.0, np.random.default_rng(1)), mels)
    assert (mels == 1).all()
