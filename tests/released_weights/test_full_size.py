"""The published size, with weights made by the reference's recipe: forwards, and samplers of 50 and 500 steps."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.talker import Talker
from diffposetalk.generate.window import ReleasedQuirks, sample_window
from diffposetalk.model.networks import WindowInput, arrays_of, to_numpy
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.released_weights.convert import converted_denoiser, converted_style_encoder
from diffposetalk.released_weights.files import ReleasedCheckpoint

OPTIONS = {
    "feature_dim": 512,
    "n_layers": 8,
    "n_heads": 8,
    "mlp_ratio": 4,
    "n_motions": 100,
    "n_prev_motions": 10,
    "align_mask_width": 1,
    "use_indicator": True,
    "guiding_conditions": "audio,style",
    "audio_model": "hubert",
    "diff_schedule": "cosine",
    "n_diff_steps": 500,
    "target": "sample",
    "no_head_pose": False,
}
SCALE = np.float32(1.7320508)


def uniform(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in [-1, 1) that depend on a name alone."""
    n = int(np.prod(shape))
    h = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(zlib.crc32(name.encode()))
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, None)):
        h ^= h >> np.uint32(shift)
        if factor:
            h *= np.uint32(factor)
    return ((h >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1).astype(np.float32).reshape(shape)


def given(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(SCALE * uniform(name, shape))


def weight(name: str, shape: tuple[int, ...], shapes: dict[str, list[int]]) -> Tensor:
    u = uniform(name, shape)
    last = name.rpartition(".")[2]
    if last == "original0":
        v = shapes[name.replace("original0", "original1")]
        value = np.float32(np.sqrt(v[0] / v[2])) * (1 + np.float32(0.1) * u)
    elif last in ("start_audio_feat", "start_motion_feat", "masked_spec_embed", "PE") or last.startswith("null_"):
        value = np.float32(1.5) * u
    elif len(shape) >= 2:
        scale = np.float32(np.sqrt(3 * shape[0] / np.prod(shape)))
        if name == "denoising_net.motion_dec.2.weight":
            scale *= np.float32(2.5)
        elif ".conv_layers." in name:
            scale *= np.float32(1.5)
        elif name.startswith("audio_encoder") and name.endswith("attention.out_proj.weight"):
            scale *= np.float32(0.25)
        value = scale * u
    else:
        value = 1 + np.float32(0.1) * u if last == "weight" else np.float32(0.05) * u
    return torch.from_numpy(value.astype(np.float32))


def made(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    return {name: weight(name, tuple(shape), shapes) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def data(reference: Path) -> dict[str, Any]:
    with np.load(reference / "full_size.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def shapes(reference: Path) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = json.loads((reference / "full_size_params.json").read_text())
    return found


@pytest.fixture(scope="module")
def talker(shapes: dict[str, dict[str, list[int]]]) -> Talker:
    checkpoint = ReleasedCheckpoint(Path("full.pt"), OPTIONS, made(shapes["denoiser"]), "denoiser", 0)
    return Talker(converted_denoiser(checkpoint).model)  # type: ignore[arg-type]


def assert_near(ours: Tensor, theirs: np.ndarray, tolerance: float) -> None:
    error = np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max()
    assert ours.shape == theirs.shape and error <= tolerance, f"{error:.2e} > {tolerance:.0e}"


def test_the_recipe_is_read_right() -> None:
    np.testing.assert_allclose(uniform("test", (4,)), [0.5864359, 0.5967436, 0.22453463, 0.4277339], atol=1e-7)


def test_style_encoder(shapes: dict[str, dict[str, list[int]]], data: dict[str, Any]) -> None:
    options = {"feature_dim": 128, "n_heads": 4, "n_layers": 4, "mlp_ratio": 4, "n_motions": 100, "no_head_pose": False}
    checkpoint = ReleasedCheckpoint(Path("style.pt"), options, made(shapes["style"]), "style encoder", 0)
    model = converted_style_encoder(checkpoint).model
    assert isinstance(model, StyleReader)
    with torch.no_grad():
        assert_near(model.encoder(given("in.style_motion", 2, 100, 54)), data["style_out"], 1e-5)


def test_forwards(talker: Talker, data: dict[str, Any], reference: Path) -> None:
    with np.load(reference / "audio_features.npz") as file:
        samples = torch.from_numpy(file["audio_i16"][:1].astype(np.float32) / 32768)
    encoder, denoiser = talker.model.speech_encoder, talker.model.denoiser
    valid = torch.ones(2, 100)
    valid[1, 60:] = 0
    person = given("in.person_feat", 2, 1, 228)[:, 0]
    with torch.no_grad():
        features = encoder(encoder.standardise(samples), 100)[0]
        conditions = denoiser.prepare(
            WindowInput(
                given("in.audio_feat", 2, 100, 512),
                person[:, 100:],
                person[:, :100],
                given("in.prev_motion_feat", 2, 10, 54),
                given("in.prev_audio_feat", 2, 10, 512),
                valid,
            )
        )
        out = denoiser(given("in.motion_feat", 2, 100, 54), torch.tensor([250, 1]), conditions)
    assert_near(features[::5], data["audio_feat_every5"], 1e-5)
    assert_near(out, data["den_out"], 1e-5)


@pytest.mark.parametrize(
    ("steps", "guidance", "threshold", "key"),
    [
        (50, "incremental", None, "sample50_incremental"),
        pytest.param(500, "incremental", None, "sample500_incremental", marks=pytest.mark.slow),
        pytest.param(500, "independent-released", (0.99, 1, 4), "sample500_independent_dt", marks=pytest.mark.slow),
    ],
)
def test_samplers(
    talker: Talker, data: dict[str, Any], reference: Path, steps: int, guidance: str, threshold: Any, key: str
) -> None:
    with np.load(reference / "audio_features.npz") as file:
        samples = torch.from_numpy(file["audio_i16"][:1].astype(np.float32) / 32768)
    encoder = talker.model.speech_encoder
    with torch.no_grad():
        features = encoder(encoder.standardise(samples), 100)
    noises = [given(f"noise.{k}", 1, 100, 54) for k in range(steps)]
    denoiser = OnnxDenoiser(talker.model.config.denoiser, arrays_of(talker.model.denoiser))
    inputs = WindowInput(features, given("in.style", 1, 128), given("in.shape", 1, 100))
    motion = sample_window(
        replace(talker.model, denoiser=denoiser),
        NoiseSchedule.make("cosine", steps),
        SamplingOptions(sampler="ddpm", speech_scale=1.15, style_scale=3.0, guidance=guidance, threshold=threshold),
        noises[0].numpy(),
        inputs.mapped(to_numpy),
        quirks=ReleasedQuirks(threshold_each=True, noises=[noise.numpy() for noise in noises[1:]]),
    )
    assert_near(torch.from_numpy(motion), data[key], 1e-4)
