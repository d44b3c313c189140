"""The style encoder: order counts, padding does not."""

from __future__ import annotations

import torch

from diffposetalk.nn.style_encoder import StyleEncoder, StyleEncoderConfig

CONFIG = StyleEncoderConfig(motion_dim=6, dim=16, n_layers=2, n_heads=2, dropout=0.0)


def test_order_of_frames_matters() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(CONFIG).eval()
    motion = torch.randn(1, 50, 6)
    shuffled = motion[:, torch.randperm(50)]
    assert (encoder(motion) - encoder(shuffled)).abs().max() > 1e-3


def test_padding_is_ignored_and_length_is_fixed() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(CONFIG).eval()
    motion = torch.randn(2, 50, 6)
    padded = torch.cat([motion, torch.randn(2, 20, 6)], 1)
    valid = torch.arange(70).expand(2, -1) < 50
    torch.testing.assert_close(encoder(padded, valid), encoder(motion), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder(motion).norm(dim=-1), torch.full((2,), 4.0))
