"""Packed weights: the same numbers, and the original is left alone."""

from __future__ import annotations

import pytest
import torch

from diffposetalk.model.denoiser import Denoiser, DenoiserConfig, WindowInput
from diffposetalk.model.packed import PackedLinear, can_pack, packed


@pytest.mark.parametrize("pre_norm", [False, True])
def test_packed_equals_plain(pre_norm: bool) -> None:
    torch.manual_seed(0)
    config = DenoiserConfig(
        motion_dim=5,
        speech_dim=8,
        style_dim=4,
        identity_dim=3,
        dim=32,
        n_layers=3,
        n_heads=2,
        window=20,
        context=4,
        pre_norm=pre_norm,
    )
    denoiser = Denoiser(config).eval()
    if not can_pack(denoiser):
        pytest.skip("needs oneDNN's kernels for x86 in torch")
    before = {key: value.clone() for key, value in denoiser.state_dict().items()}
    twin = packed(denoiser)
    with torch.inference_mode():
        conditions = denoiser.prepare(WindowInput(torch.randn(3, 20, 8), torch.randn(3, 4), torch.randn(3, 3)))
        x_n, step = torch.randn(1, 20, 5), torch.tensor([7])
        expected = denoiser.predict_window(x_n, step, conditions)
        torch.testing.assert_close(twin.predict_window(x_n, step, conditions), expected, atol=2e-6, rtol=1e-5)
    assert any(isinstance(module, PackedLinear) for module in twin.modules())
    assert all(torch.equal(value, before[key]) for key, value in denoiser.state_dict().items())
    assert set(denoiser.state_dict()) == set(before)
