"""Conversion: any option of the released network, and one clear line for whatever is wrong with a file."""

from __future__ import annotations

import argparse
import json
import pathlib
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffposetalk.checkpoint import Model, load_model
from diffposetalk.cli import run
from diffposetalk.data.statistics import MEASURES, Statistics
from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.generate import Talker
from diffposetalk.motion import Motion
from diffposetalk.nn.layers import alignment_mask, sinusoid
from diffposetalk.nn.pretrained_speech import PretrainedSpeechConfig, PretrainedSpeechEncoder
from diffposetalk.noise import NoiseSchedule
from diffposetalk.released.convert import convert
from diffposetalk.speech import Speech
from diffposetalk.style_model import StyleModel

TINY_SPEECH = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


def statistics(n_expression: int = 50, shape: int = 100) -> Statistics:
    rng = np.random.default_rng(0)
    widths = {"shape": shape, "exp": n_expression, "pose": 6}
    values = {f"{name}_{part}": rng.uniform(0.1, 1, width) for name, width in widths.items() for part in MEASURES}
    return Statistics(values, "stats_train.npz")


def layers(n: int, dim: int, cross: bool) -> dict[str, Tensor]:
    """Weights of torch's own transformer layers under their own names, as the authors' code saves them."""
    if cross:
        layer: Any = torch.nn.TransformerDecoderLayer(dim, 2, 4 * dim)
        whole: Any = torch.nn.TransformerDecoder(layer, n)
    else:
        layer = torch.nn.TransformerEncoderLayer(dim, 2, 4 * dim)
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
        "diffusion_sched.betas": schedule.betas,
        **{f"denoising_net.transformer.{k}": v for k, v in layers(values["n_layers"], dim, True).items()},
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


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"audio_model": "wav2vec2"},
        {"no_head_pose": True},
        {"align_mask_width": 3},
        {"align_mask_width": 0},
        {"no_use_learnable_pe": True},
        {"use_indicator": False, "pad_mode": "replicate"},
        {"guiding_conditions": "audio"},
        {"guiding_conditions": "style"},
        {"guiding_conditions": ""},
        {"guiding_conditions": "audio", "style": False},
        {"target": "noise", "diff_schedule": "linear"},
        {"stats_file": None},
        {"old": True},
        {"old": True, "no_head_pose": True, "align_mask_width": 0},
        {"unsaid": True, "align_mask_width": 3},
    ],
    ids=str,
)
def test_any_option_converts_and_animates(tmp_path: Path, options: dict[str, Any]) -> None:
    path = denoiser_file(tmp_path, **options)
    model = convert(path, None if "stats_file" in options else statistics()).model
    assert isinstance(model, Model)
    model.save(tmp_path / "model.safetensors")
    talker = Talker(load_model(tmp_path / "model.safetensors"))
    speech = Speech(np.random.default_rng(0).normal(0, 0.1, 16000 * 3).astype(np.float32))
    style = None
    if model.config.denoiser.style_dim and "style" not in options.get("guiding_conditions", "style"):
        style = tmp_path / "style.npy"
        np.save(style, np.ones((1, 12), np.float32))
    motion = talker.generate(speech, style, steps=2, identity=np.ones(100))
    assert len(motion) == 75 and motion.head == "flame" and np.isfinite(motion.expression).all()
    assert motion.head_pose.any() != bool(options.get("no_head_pose"))


def test_style_encoder_goes_along(tmp_path: Path) -> None:
    conversion = convert(denoiser_file(tmp_path), statistics(), style_file(tmp_path))
    assert isinstance(conversion.model, Model)
    alone = convert(style_file(tmp_path), statistics()).model
    assert isinstance(alone, StyleModel)
    alone.save(tmp_path / "style.safetensors")
    rng = np.random.default_rng(1)
    names = tuple(f"exp_{k:02d}" for k in range(50))
    motion = Motion(rng.normal(size=(30, 50)), names, rng.normal(size=(30, 3)), 25.0, "flame", rng.normal(size=(30, 3)))
    read = StyleModel.load(tmp_path / "style.safetensors").read_style(motion)
    plain = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(12, 2, 48, dropout=0, activation="gelu", batch_first=True), 1
    )
    weights = torch.load(tmp_path / "style.pt", weights_only=False)["encoder"]
    plain.load_state_dict({k.removeprefix("transformer."): v for k, v in weights.items() if "motion" not in k})
    x = torch.from_numpy(alone.space.encode(motion)) @ weights["motion_proj.weight"].T + weights["motion_proj.bias"]
    with torch.no_grad():
        expected = plain(x[None] + sinusoid(torch.tensor(30), 12)).mean(1)[0]
    np.testing.assert_allclose(read.vector, expected, atol=1e-5)


def test_another_models_style_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiffPoseTalkError, match="does not go with"):
        convert(denoiser_file(tmp_path), statistics(), style_file(tmp_path, dim=14))


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        content = torch.load(path, weights_only=False)
        change(content)
        torch.save(content, path)

    return apply


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pathlib.Path.touch, (pathlib.Path("evil-was-here"),))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut off": (cut, "not a readable checkpoint"),
    "text": (lambda path: path.write_text("hello"), "not a readable checkpoint|refused"),
    "code": (changed(lambda c: c.update(args=Evil())), "refused.*(touch|Evil|getattr|Path)"),
    "code in a plain pickle": (lambda path: path.write_bytes(pickle.dumps({"args": Evil()}, protocol=2)), "refused"),
    "no options": (changed(lambda c: c.pop("args")), "'args'"),
    "neither kind": (changed(lambda c: c.update(other=c.pop("model"))), "neither 'model' nor 'encoder'"),
    "missing weight": (
        changed(lambda c: c["model"].pop("denoising_net.transformer.layers.1.linear1.bias")),
        r"blocks\.1\.feed_forward\.0\.bias' is missing",
    ),
    "missing start": (changed(lambda c: c["model"].pop("start_motion_feat")), "'start_motion_feat' is missing"),
    "unknown weight": (changed(lambda c: c["model"].update(surprise=torch.zeros(2))), "'surprise' is not known"),
    "misshapen weight": (
        changed(lambda c: c["model"].update({"denoising_net.diff_step_map.0.bias": torch.zeros(5)})),
        r"step_embedding\.0\.bias' is \(5,\)",
    ),
    "other schedule": (changed(lambda c: setattr(c["args"], "diff_schedule", "linear")), "diffusion_sched.betas"),
    "other mask": (changed(lambda c: setattr(c["args"], "align_mask_width", 2)), "alignment_mask"),
    "no heads": (changed(lambda c: delattr(c["args"], "n_heads")), "'n_heads'"),
    "unknown target": (changed(lambda c: setattr(c["args"], "target", "velocity")), "target"),
    "unknown architecture": (changed(lambda c: setattr(c["args"], "architecture", "unet")), "architecture 'unet'"),
    "other speech encoder": (changed(lambda c: setattr(c["args"], "audio_model", "whisper")), "whisper|hubert"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = denoiser_file(tmp_path)
    spoil, pattern = WRONG[case]
    spoil(path)
    if case == "other speech encoder":
        (tmp_path / "audio_encoder_config.json").unlink()
    statistics().save(tmp_path / "stats.npz")
    code = run(["convert", str(path), "--stats", "stats.npz", "-o", "out.safetensors"])
    message = capsys.readouterr().err.strip()
    assert code == 1 and len(message.splitlines()) == 1, message
    assert str(path) in message and re.search(pattern, message), message
    assert not (tmp_path / "out.safetensors").exists() and not (tmp_path / "evil-was-here").exists()


@pytest.mark.parametrize(
    ("stats", "pattern"),
    [(None, "give that file with --stats"), ((50, 90), "shape_mean has 90"), ((40, 100), "exp_mean has 40")],
)
def test_wrong_statistics_are_refused(tmp_path: Path, stats: tuple[int, int] | None, pattern: str) -> None:
    path = denoiser_file(tmp_path)
    with pytest.raises(DiffPoseTalkError, match=pattern):
        convert(path, statistics(*stats) if stats else None)
