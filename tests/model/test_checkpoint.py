"""Model files: strict, self-describing, refused in one line when anything is off."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffposetalk.errors import DiffPoseTalkError, ModelError
from diffposetalk.files.atomic import HEADER_KEY
from diffposetalk.model.checkpoint import Model, fingerprint, load_model


@pytest.fixture()
def saved(tiny_model: Model, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    tiny_model.save(path)
    return path


def rewrite(path: Path, change: object) -> None:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()[HEADER_KEY])
    tensors = load_file(path)
    change(tensors, header)  # type: ignore[operator]
    save_file(tensors, path, {HEADER_KEY: json.dumps(header)})


def test_a_saved_model_comes_back(saved: Path, tiny_model: Model) -> None:
    model, again = tiny_model, load_model(saved)
    assert again.config == model.config
    np.testing.assert_array_equal(again.space.mean, model.space.mean)
    for name, network in model.networks.items():
        for key, value in network.state_dict().items():
            torch.testing.assert_close(again.networks[name].state_dict()[key], value, rtol=0, atol=0)
    assert set(again.presets) == set(model.presets)
    for name, style in model.presets.items():
        np.testing.assert_array_equal(again.presets[name].vector, style.vector)
        assert again.presets[name].encoder == fingerprint(again.style_encoder)


def test_saving_twice_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    load_model(saved).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_sources_come_back(tiny_model: Model, tmp_path: Path) -> None:
    lines = ("Recordings, CC0-1.0: 3 speakers, 1.5 h", "données, CC-BY-4.0: 1 speaker, 2 h")
    Model(**{**tiny_model.__dict__, "sources": lines}).save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").sources == lines


@pytest.mark.parametrize("sources", ["[1]", '{"a": "b"}', '"text"', "null"])
def test_damaged_sources_are_refused(saved: Path, sources: str) -> None:
    rewrite(saved, lambda tensors, header: header.update(sources=sources))
    with pytest.raises(DiffPoseTalkError, match="its sources are not a list of text"):
        load_model(saved)


def remove_weight(tensors: dict, header: dict) -> None:
    del tensors["denoiser.out.bias"]


def surplus_weight(tensors: dict, header: dict) -> None:
    tensors["denoiser.extra"] = torch.zeros(3)


def foreign_weight(tensors: dict, header: dict) -> None:
    tensors["vocoder.weight"] = torch.zeros(3)


def misshapen(tensors: dict, header: dict) -> None:
    tensors["denoiser.out.bias"] = torch.zeros(3)


def newer(tensors: dict, header: dict) -> None:
    header["format_version"] = "99"


def earlier(tensors: dict, header: dict) -> None:
    header["format_version"] = "1"


def other_kind(tensors: dict, header: dict) -> None:
    header["kind"] = "something.else"


def unknown_option(tensors: dict, header: dict) -> None:
    config = json.loads(header["config"])
    config["denoiser"]["wings"] = 2
    header["config"] = json.dumps(config)


def no_space(tensors: dict, header: dict) -> None:
    del header["motion_space"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_weight, "'out.bias' is missing"),
        (surplus_weight, "'extra' is not of this network"),
        (foreign_weight, r"'vocoder\.weight' belongs to no network"),
        (misshapen, r"'out.bias' is \(3,\)"),
        (newer, "newer"),
        (earlier, "by an earlier version"),
        (other_kind, "something.else"),
        (unknown_option, "unknown key 'wings'"),
        (no_space, "header is damaged"),
    ],
)
def test_what_is_off_is_named(saved: Path, change: object, said: str) -> None:
    rewrite(saved, change)
    with pytest.raises(ModelError, match=said) as caught:
        load_model(saved)
    assert str(saved) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("noise_steps", 10**9, "noise_steps is 1e.09"),
        ("denoiser.n_layers", 10**9, r"denoiser\.n_layers is 1e.09"),
        ("denoiser.n_layers", 5, "'blocks.*is missing"),
        ("denoiser.dim", 2**24, r"denoiser\.dim is 1.67772e.07"),
        ("denoiser.dim", 2**16, "is missing|expected"),
        ("denoiser.window", 10**9, r"denoiser\.window is 1e.09"),
        ("denoiser.window", 90_000, "expected"),
        ("style_encoder.n_layers", 10**9, r"style_encoder\.n_layers is 1e.09"),
        ("style_encoder.window", 10**9, r"style_encoder\.window is 1e.09"),
        ("noise_steps", 0, "schedule has 1 to"),
        ("noise_steps", "many", "noise_steps"),
    ],
)
def test_settings_beyond_the_weights_are_refused_before_a_network_is_built(
    saved: Path, setting: str, value: object, said: str
) -> None:
    def change(tensors: dict, header: dict) -> None:
        config = json.loads(header["config"])
        *tables, name = setting.split(".")
        table = config
        for each in tables:
            table = table[each]
        table[name] = value
        header["config"] = json.dumps(config)

    rewrite(saved, change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=said) as caught:
        load_model(saved)
    assert str(saved) in str(caught.value) and "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000, "KB"


def test_missing_truncated_and_foreign_files(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "none.safetensors")
    saved.write_bytes(saved.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="not a readable"):
        load_model(saved)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelError, match="not a readable"):
        load_model(tmp_path / "text")
