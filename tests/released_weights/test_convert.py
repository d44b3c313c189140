"""Conversion: any option of the released network, and one clear line for whatever is wrong with a file."""

from __future__ import annotations

import argparse
import pathlib
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffposetalk.cli import run
from diffposetalk.data.flame_statistics import MEASURES, Statistics
from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.generate.talker import Talker
from diffposetalk.model.checkpoint import Model, load_model
from diffposetalk.model.layers import sinusoid
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.motion import Motion
from diffposetalk.released_weights.convert import convert
from diffposetalk.released_weights.files import read_released
from diffposetalk.speech import Speech

Writer = Callable[..., Path]
"""Writes a small file of random weights in the released layout."""


def statistics(n_expression: int = 50, shape: int = 100) -> Statistics:
    rng = np.random.default_rng(0)
    widths = {"shape": shape, "exp": n_expression, "pose": 6}
    values = {f"{name}_{part}": rng.uniform(0.1, 1, width) for name, width in widths.items() for part in MEASURES}
    return Statistics(values, "stats_train.npz")


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
        {"diff_schedule": "sigmoid", "cfg_mode": "independent"},
        {"stats_file": None},
        {"old": True},
        {"old": True, "no_head_pose": True, "align_mask_width": 0},
        {"unsaid": True, "align_mask_width": 3},
    ],
    ids=str,
)
def test_any_option_converts_and_animates(tmp_path: Path, write_denoiser: Writer, options: dict[str, Any]) -> None:
    path = write_denoiser(tmp_path, **options)
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


def test_style_encoder_goes_along(tmp_path: Path, write_denoiser: Writer, write_style: Writer) -> None:
    conversion = convert(write_denoiser(tmp_path), statistics(), write_style(tmp_path))
    assert isinstance(conversion.model, Model)
    alone = convert(write_style(tmp_path), statistics()).model
    assert isinstance(alone, StyleReader)
    alone.save(tmp_path / "style.safetensors")
    rng = np.random.default_rng(1)
    names = tuple(f"exp_{k:02d}" for k in range(50))
    motion = Motion(rng.normal(size=(30, 50)), names, rng.normal(size=(30, 3)), 25.0, "flame", rng.normal(size=(30, 3)))
    read = StyleReader.load(tmp_path / "style.safetensors").read_style(motion)
    plain = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(12, 2, 48, dropout=0, activation="gelu", batch_first=True), 1
    )
    weights = torch.load(tmp_path / "style.pt", weights_only=False)["encoder"]
    plain.load_state_dict({k.removeprefix("transformer."): v for k, v in weights.items() if "motion" not in k})
    x = torch.from_numpy(alone.space.encode(motion)) @ weights["motion_proj.weight"].T + weights["motion_proj.bias"]
    with torch.no_grad():
        expected = plain(x[None] + sinusoid(torch.tensor(30), 12)).mean(1)[0]
    np.testing.assert_allclose(read.vector, expected, atol=1e-5)


def test_another_models_style_encoder_is_refused(tmp_path: Path, write_denoiser: Writer, write_style: Writer) -> None:
    with pytest.raises(DiffPoseTalkError, match="does not go with"):
        convert(write_denoiser(tmp_path), statistics(), write_style(tmp_path, dim=14))


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
    "other guidance": (changed(lambda c: setattr(c["args"], "cfg_mode", "both")), "guidance 'both'"),
    "other rate": (changed(lambda c: setattr(c["args"], "fps", 30)), "fps 30 is not supported"),
    "rate of text": (changed(lambda c: setattr(c["args"], "fps", ["jawOpen"])), "fps .'jawOpen'. is not supported"),
    "a billion steps": (changed(lambda c: setattr(c["args"], "n_diff_steps", 10**9)), r"n_diff_steps is 1e\+09"),
    "a billion layers": (changed(lambda c: setattr(c["args"], "n_layers", 10**9)), r"n_layers is 1e\+09"),
    "a layer more": (changed(lambda c: setattr(c["args"], "n_layers", 3)), r"blocks\.2\.[a-z_.]+' is missing"),
    "layers of text": (changed(lambda c: setattr(c["args"], "n_layers", "many")), "not a readable checkpoint"),
    "no heads": (changed(lambda c: delattr(c["args"], "n_heads")), "'n_heads'"),
    "unknown target": (changed(lambda c: setattr(c["args"], "target", "velocity")), "target"),
    "unknown architecture": (changed(lambda c: setattr(c["args"], "architecture", "unet")), "architecture 'unet'"),
    "other speech encoder": (changed(lambda c: setattr(c["args"], "audio_model", "whisper")), "whisper|hubert"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path,
    write_denoiser: Writer,
    case: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_denoiser(tmp_path)
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
def test_wrong_statistics_are_refused(
    tmp_path: Path, write_denoiser: Writer, stats: tuple[int, int] | None, pattern: str
) -> None:
    path = write_denoiser(tmp_path)
    with pytest.raises(DiffPoseTalkError, match=pattern):
        convert(path, statistics(*stats) if stats else None)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"cfg_mode": "independent"}, lambda model: model.config.sampling.guidance == "independent"),
        ({"cfg_mode": "incremental"}, lambda model: model.config.sampling.guidance == "incremental"),
        ({}, lambda model: model.config.sampling.guidance == "incremental"),
        ({"pad_mode": "replicate"}, lambda model: model.config.padding == "replicate"),
        ({"pad_mode": "zero"}, lambda model: model.config.padding == "zero"),
        ({"target": "noise"}, lambda model: model.config.target == "noise"),
        ({"guiding_conditions": "audio"}, lambda model: model.denoiser.config.droppable == ("speech",)),
        ({"guiding_conditions": ""}, lambda model: model.denoiser.config.droppable == ()),
        ({"audio_model": "wav2vec2"}, lambda model: model.speech_encoder.base.config.model_type == "wav2vec2"),
        *(
            ({"diff_schedule": kind}, lambda model, kind=kind: Talker(model).schedule.kind == kind)
            for kind in ("cosine", "linear", "quadratic", "sigmoid")
        ),
        ({"n_diff_steps": 13}, lambda model: Talker(model).schedule.n_steps == 13),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_options_that_change_the_use_are_followed(
    tmp_path: Path, write_denoiser: Writer, options: dict[str, Any], value: Callable[[Model], bool]
) -> None:
    model = convert(write_denoiser(tmp_path, **options), statistics()).model
    assert isinstance(model, Model)
    model.save(tmp_path / "model.safetensors")
    assert value(load_model(tmp_path / "model.safetensors"))


def test_the_guidance_of_the_checkpoint_is_used_unless_another_is_asked_for(
    tmp_path: Path, write_denoiser: Writer
) -> None:
    torch.manual_seed(0)
    path = write_denoiser(tmp_path, cfg_mode="independent")
    talker = Talker(convert(path, statistics()).model)  # type: ignore[arg-type]
    speech = Speech(np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32))
    style = tmp_path / "style.npy"
    np.save(style, np.ones((1, 12), np.float32))
    own, independent, incremental = (
        talker.generate(speech, style, steps=3, guidance=mode).expression
        for mode in (None, "independent", "incremental")
    )
    assert np.array_equal(own, independent)
    assert np.abs(own - incremental).max() > 1e-3


def test_pickles_that_torch_would_take_minutes_or_gigabytes_for_are_refused_before(tmp_path: Path) -> None:
    """In both of torch's formats: the name of 2 MB made its regular expression run for minutes."""
    hostile = (b"c" + b"a" * 2_000_000 + b"\nb\n.", b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    for pickled in hostile:
        path = tmp_path / "a.pt"
        path.write_bytes(pickled)
        with pytest.raises(InputError, match=r"a\.pt: refused, it "):
            read_released(path)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
        with pytest.raises(InputError, match=r"a\.pt: refused, it "):
            read_released(path)


def test_files_in_both_of_torchs_formats_are_still_read(tmp_path: Path) -> None:
    content = {"args": argparse.Namespace(a=1), "model": {"w": torch.ones(3)}, "iter": 5}
    for zipped in (True, False):
        torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        assert read_released(tmp_path / "a.pt").iteration == 5
