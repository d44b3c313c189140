"""The reference checkpoints, converted."""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.generate.talker import Talker
from diffposetalk.model.configs import PretrainedSpeechConfig
from diffposetalk.model.layers import alignment_mask, sinusoid
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder
from diffposetalk.released_weights.convert import convert

DENOISER = "experiments/DPT/head-SA-hubert-tiny/checkpoints/iter_0000123.pt"
LEGACY = "experiments/DPT/legacy-noise-tiny/checkpoints/iter_0000007.pt"
STYLE = "experiments/SE/head-tiny-L2H4-T0.1/checkpoints/iter_0000045.pt"


@pytest.fixture(scope="session")
def statistics(reference: Path) -> Statistics:
    """Of the reference checkpoints' data."""
    return Statistics.load(reference / "stats_train.npz")


@pytest.fixture(scope="session")
def released(reference: Path, statistics: Statistics) -> Talker:
    """The newer denoiser with its style encoder."""
    return Talker(convert(reference / DENOISER, statistics, reference / STYLE).model)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def legacy(reference: Path, statistics: Statistics) -> Talker:
    """The old-style file: predicts noise, knows no styles."""
    return Talker(convert(reference / LEGACY, statistics).model)  # type: ignore[arg-type]


TINY_SPEECH: dict[str, Any] = json.loads((Path(__file__).parents[1] / "model" / "tiny_speech.json").read_text())
"""Sizes of a speech encoder of the released kinds."""


def layers(n: int, dim: int, cross: bool, factor: int = 4) -> dict[str, Tensor]:
    """Weights of torch's own transformer layers under their own names, as the authors' code saves them."""
    if cross:
        layer: Any = torch.nn.TransformerDecoderLayer(dim, 2, factor * dim)
        whole: Any = torch.nn.TransformerDecoder(layer, n)
    else:
        layer = torch.nn.TransformerEncoderLayer(dim, 2, factor * dim)
        whole = torch.nn.TransformerEncoder(layer, n, enable_nested_tensor=False)
    return dict(whole.state_dict())


def denoiser_file(folder: Path, **options: Any) -> Path:
    """Write a small denoiser file of random weights in the released layout, without any of our network's code."""
    family = options.get("audio_model", "hubert")
    values: dict[str, Any] = {
        "data_root": pathlib.PosixPath("somewhere/lmdb"),
        "stats_file": pathlib.PosixPath("stats_train.npz"),
        "target": "sample",
        "guiding_conditions": "audio,style",
        "n_diff_steps": 8,
        "diff_schedule": "cosine",
        "no_head_pose": False,
        "d_style": 12,
        "audio_model": family,
        "architecture": "decoder",
        "align_mask_width": 1,
        "no_use_learnable_pe": False,
        "use_indicator": True,
        "feature_dim": 16,
        "n_heads": 2,
        "n_layers": 2,
        "mlp_ratio": 4,
        "n_motions": 30,
        "n_prev_motions": 4,
        "fps": 25,
        "pad_mode": "zero",
        "exp_name": "tiny",
        **options,
    }
    dim, width = values["feature_dim"], 51 if values["no_head_pose"] else 54
    n_style = values["d_style"] if values.get("style", True) else 0
    n_tokens = 1 + values["n_prev_motions"] + values["n_motions"]
    speech = PretrainedSpeechEncoder(PretrainedSpeechConfig(dim, {"model_type": family, **TINY_SPEECH}))
    schedule = NoiseSchedule.make(values["diff_schedule"], values["n_diff_steps"])
    weights: dict[str, Tensor] = {
        "start_audio_feat": torch.randn(1, values["n_prev_motions"], dim),
        "start_motion_feat": torch.randn(1, values["n_prev_motions"], width),
        **{f"audio_encoder.{k}": v for k, v in speech.base.state_dict().items()},
        **{f"audio_feature_map.{k}": v for k, v in speech.projection.state_dict().items()},
        "denoising_net.TE.pe": torch.zeros(1, 600, dim),
        "diffusion_sched.betas": torch.from_numpy(schedule.betas),
        **{
            f"denoising_net.transformer.{k}": v
            for k, v in layers(values["n_layers"], dim, True, values["mlp_ratio"]).items()
        },
    }
    if "audio" in values["guiding_conditions"]:
        weights["null_audio_feat"] = torch.randn(1, 1, dim)
    if "style" in values["guiding_conditions"]:
        weights["null_style_feat"] = torch.randn(1, 1, n_style)
    for name, (n_in, n_out) in {
        "diff_step_map.0": (dim, dim),
        "diff_step_map.2": (dim, dim),
        "person_proj": (100 + n_style, dim),
        "feature_proj": (width + int(values["use_indicator"]), dim),
        "motion_dec.0": (dim, dim // 2),
        "motion_dec.2": (dim // 2, width),
    }.items():
        weights[f"denoising_net.{name}.weight"] = torch.randn(n_out, n_in) / n_in**0.5
        weights[f"denoising_net.{name}.bias"] = torch.zeros(n_out)
    mask = alignment_mask(n_tokens - 1, values["align_mask_width"])
    if mask is not None:
        weights["denoising_net.alignment_mask"] = mask
    if values["no_use_learnable_pe"]:
        weights["denoising_net.PE.pe"] = sinusoid(torch.arange(n_tokens + 1), dim)[None]
    else:
        weights["denoising_net.PE"] = torch.randn(1, n_tokens, dim)
    values.pop("style", None)
    if values.pop("old", False) or "unsaid" in values:
        known = [values.pop(name) for name in ("align_mask_width", "no_head_pose", "no_use_learnable_pe")]
        if not values.pop("unsaid", False):
            names = ("use_alignment_mask", "predict_head_pose", "use_learnable_pe")
            values |= dict(zip(names, (bool(known[0]), not known[1], not known[2]), strict=True))
        for name in ("original0", "original1"):
            key = f"audio_encoder.encoder.pos_conv_embed.conv.parametrizations.weight.{name}"
            old = {"original0": "weight_g", "original1": "weight_v"}[name]
            weights[f"audio_encoder.encoder.pos_conv_embed.conv.{old}"] = weights.pop(key)
    content = {"args": argparse.Namespace(**values), "model": weights, "iter": 7}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audio_encoder_config.json").write_text(json.dumps({"model_type": family, **TINY_SPEECH}))
    torch.save(content, folder / "iter_7.pt")
    return folder / "iter_7.pt"


def style_file(folder: Path, width: int = 54, dim: int = 12) -> Path:
    options = {"feature_dim": dim, "n_heads": 2, "n_layers": 1, "mlp_ratio": 4, "n_motions": 30, "stats_file": "s.npz"}
    options["no_head_pose"] = width == 51
    weights = {
        "motion_proj.weight": torch.randn(dim, width),
        "motion_proj.bias": torch.zeros(dim),
        **{f"transformer.{k}": v for k, v in layers(1, dim, False).items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"args": argparse.Namespace(**options), "encoder": weights, "iter": 3}, folder / "style.pt")
    return folder / "style.pt"


@pytest.fixture(scope="session")
def write_denoiser() -> Callable[..., Path]:
    """`write_denoiser(folder, **options)`; see `denoiser_file`."""
    return denoiser_file


@pytest.fixture(scope="session")
def write_style() -> Callable[..., Path]:
    """`write_style(folder, width, dim)`; see `style_file`."""
    return style_file
