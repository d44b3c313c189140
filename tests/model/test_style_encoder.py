"""The style encoder: order counts, padding does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from diffposetalk.model.configs import StyleEncoderConfig
from diffposetalk.model.style_encoder import StyleEncoder, summary

CONFIG = StyleEncoderConfig(motion_dim=6, dim=16, n_layers=2, n_heads=2, dropout=0.0)


def test_order_of_frames_matters() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(CONFIG).eval()
    motion = torch.randn(1, 50, 6)
    shuffled = motion[:, torch.randperm(50)]
    assert (encoder(motion) - encoder(shuffled)).abs().max() > 1e-3


@pytest.mark.parametrize("pooling", ["statistics", "mean"])
def test_padding_is_ignored_and_length_is_fixed(pooling: str) -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(replace(CONFIG, pooling=pooling)).eval()
    motion = torch.randn(2, 50, 6)
    padded = torch.cat([motion, torch.randn(2, 20, 6)], 1)
    valid = torch.arange(70).expand(2, -1) < 50
    torch.testing.assert_close(encoder(padded, valid), encoder(motion), atol=1e-5, rtol=1e-5)
    if pooling != "mean":
        torch.testing.assert_close(encoder(motion).norm(dim=-1), torch.full((2,), 4.0))


def test_summary_tells_posture_spread_and_speed() -> None:
    motion = torch.randn(2, 80, 5, generator=torch.Generator().manual_seed(0)).cumsum(1)
    told = summary(motion)
    assert told.shape == (2, 15)
    torch.testing.assert_close(told[:, :5], motion.mean(1))
    torch.testing.assert_close(told[:, 5:10], (motion.std(1, unbiased=False) + 0.05).log())
    torch.testing.assert_close(told[:, 10:], (motion.diff(dim=1).abs().mean(1) + 0.01).log())
    still = summary(torch.zeros(1, 80, 5))
    assert torch.isfinite(still).all() and (still[:, 5:] < told[:, 5:].min()).all()
