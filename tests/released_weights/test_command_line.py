"""From the authors' files to a video, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.media import probe
from diffposetalk.motion import Motion


@pytest.fixture(scope="module")
def model(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    experiments = reference / "experiments"
    denoiser = experiments / "DPT/head-SA-hubert-tiny/checkpoints/iter_0000123.pt"
    style = experiments / "SE/head-tiny-L2H4-T0.1/checkpoints/iter_0000045.pt"
    stats = reference / "stats_train.npz"
    command = ["convert", str(denoiser), "--stats", str(stats), "--style-encoder", str(style), "-o", str(path)]
    assert run(command) == 0
    return path


@pytest.fixture()
def codes(reference: Path, tmp_path: Path) -> list[str]:
    """The options that name a style vector and a shape code as the authors keep them."""
    with np.load(reference / "demo_inference.npz") as data:
        np.save(tmp_path / "style.npy", data["style"])
        np.save(tmp_path / "shape.npy", data["shape_coef"][None])
    return ["--style", str(tmp_path / "style.npy"), "--identity", str(tmp_path / "shape.npy")]


def test_convert_then_animate_to_video(
    model: Path, codes: list[str], sample_path: Path, flame_path: Path, tmp_path: Path, gl: None
) -> None:
    video, motion = tmp_path / "talk.mp4", tmp_path / "talk.npz"
    command = ["animate", str(sample_path), "--model", str(model), "--head", str(flame_path), *codes, "--size", "64"]
    assert run([*command, "-o", str(video), "-o", str(motion)]) == 0
    assert abs(probe(video).duration - Motion.load(motion).duration) < 0.1
    assert Motion.load(motion).head == "flame"


def test_compat_differs_and_repeats(model: Path, codes: list[str], sample_path: Path, tmp_path: Path) -> None:
    command = ["animate", str(sample_path), "--model", str(model), *codes, "--seed", "4"]
    for name, extra in {"ours": ["--sampler", "ddpm"], "theirs": ["--compat"], "again": ["--compat"]}.items():
        assert run([*command, *extra, "-o", str(tmp_path / f"{name}.npz")]) == 0
    ours, theirs, again = (Motion.load(tmp_path / f"{name}.npz") for name in ("ours", "theirs", "again"))
    assert len(ours) == 271 and len(theirs) in (270, 271)
    np.testing.assert_array_equal(theirs.expression, again.expression)
    assert np.abs(ours.expression[:200] - theirs.expression[:200]).max() > 1e-3


def test_compat_is_for_converted_models(
    sample_path: Path, tiny_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["animate", str(sample_path), "--model", str(tiny_model_path), "--compat", "-o", str(tmp_path / "x.npz")]
    assert run(command) == 2
    assert "converted from the authors' checkpoints" in capsys.readouterr().err


def test_style_encoder_alone(
    model: Path,
    codes: list[str],
    reference: Path,
    sample_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = reference / "experiments/SE/head-tiny-L2H4-T0.1/checkpoints/iter_0000045.pt"
    encoder, motion, style = tmp_path / "encoder.safetensors", tmp_path / "m.npz", tmp_path / "s.safetensors"
    assert run(["convert", str(checkpoint), "--stats", str(reference / "stats_train.npz"), "-o", str(encoder)]) == 0
    assert run(["animate", str(sample_path), "--model", str(model), *codes, "-o", str(motion)]) == 0
    assert run(["style", str(motion), "--model", str(encoder), "-o", str(style)]) == 0
    capsys.readouterr()
    assert run(["info", str(encoder), str(style), str(model), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)["files"]
    assert [item["kind"] for item in about] == ["style encoder", "style", "model"]
    assert run(["animate", str(sample_path), "--model", str(model), "--style", str(style), "-o", str(motion)]) == 0
