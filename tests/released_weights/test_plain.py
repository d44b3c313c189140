"""Converted denoisers of any option against a plain transcription of the paper's network in torch's own layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diffposetalk.model.checkpoint import Model
from diffposetalk.model.networks import WindowInput
from diffposetalk.released_weights.convert import convert


def table(n: int, dim: int) -> Tensor:
    rate = torch.exp(torch.arange(0, dim, 2) * (-np.log(10000.0) / dim))
    angle = torch.arange(n)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


class Plain:
    """Reads the released names themselves."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.weights, self.options = content["model"], vars(content["args"])
        dim, heads = self.options["feature_dim"], self.options["n_heads"]
        layer = nn.TransformerDecoderLayer(dim, heads, self.options["mlp_ratio"] * dim, 0.0, "gelu", batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, self.options["n_layers"]).eval()
        start = "denoising_net.transformer."
        self.decoder.load_state_dict({k.removeprefix(start): v for k, v in self.weights.items() if k.startswith(start)})

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.weights[f"denoising_net.{name}.weight"].T + self.weights[f"denoising_net.{name}.bias"]

    def two(self, name: str, x: Tensor) -> Tensor:
        return self.linear(f"{name}.2", nn.functional.gelu(self.linear(f"{name}.0", x)))

    def __call__(
        self, motion: Tensor, speech: Tensor, person: Tensor, before: Tensor, heard: Tensor, step: Tensor, valid: Tensor
    ) -> Tensor:
        options, n_before = self.options, before.shape[1]
        n = n_before + motion.shape[1]
        frames = torch.cat([before, motion], 1)
        if options["use_indicator"]:
            indicator = torch.cat([torch.zeros(len(motion), n_before), valid.float()], 1)
            frames = torch.cat([frames, indicator[..., None]], -1)
        time = self.two("diff_step_map", table(600, options["feature_dim"])[step])
        tokens = torch.cat(
            [(self.linear("person_proj", person) + time)[:, None], self.linear("feature_proj", frames)], 1
        )
        constant = table(n + 2, options["feature_dim"])[n + 1]
        tokens = tokens + self.weights.get("denoising_net.PE", constant)
        mask = None
        if (width := options["align_mask_width"]) > 0:
            mask = torch.zeros(1 + n, n, dtype=torch.bool)
            for i in range(n):
                for j in range(n):
                    mask[1 + i, j] = abs(i - j) > width - 1
        out = self.decoder(tokens, torch.cat([heard, speech], 1), memory_mask=mask)
        return self.two("motion_dec", out[:, 1:])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"align_mask_width": 3},
        {"align_mask_width": 0},
        {"no_head_pose": True, "align_mask_width": 2},
        {"no_use_learnable_pe": True},
        {"use_indicator": False},
        {"guiding_conditions": "audio", "style": False, "audio_model": "wav2vec2"},
        {"feature_dim": 24, "n_heads": 4, "n_layers": 3, "mlp_ratio": 2},
        {"n_motions": 20, "n_prev_motions": 7, "d_style": 5},
        {"target": "noise", "diff_schedule": "quadratic", "n_diff_steps": 11},
    ],
    ids=str,
)
def test_converted_equals_plain(write_denoiser: Callable[..., Path], tmp_path: Path, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    path = write_denoiser(tmp_path, stats_file=None, **options)
    content = torch.load(path, weights_only=False)
    model = convert(path).model
    assert isinstance(model, Model)
    config = model.denoiser.config
    motion, before = torch.randn(3, config.window, config.motion_dim), torch.randn(3, config.context, config.motion_dim)
    speech, heard = torch.randn(3, config.window, config.dim), torch.randn(3, config.context, config.dim)
    identity, style = torch.randn(3, 100), torch.randn(3, config.style_dim)
    step, valid = torch.tensor([1, 4, 8]), torch.arange(config.window) < torch.tensor([[config.window], [17], [1]])
    with torch.no_grad():
        expected = Plain(content)(motion, speech, torch.cat([identity, style], -1), before, heard, step, valid)
        conditions = model.denoiser.prepare(
            WindowInput(speech, style if config.style_dim else None, identity, before, heard, valid)
        )
        ours = model.denoiser(motion, step, conditions)
        alone = model.denoiser.predict_window(motion, step, conditions)[0]
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(alone, expected[:, config.context :], atol=2e-5, rtol=1e-5)
