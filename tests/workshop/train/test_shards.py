"""Learning on from a model with a data set of shards: it trains, keeps what is not trained, and refuses what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.config import to_dict
from diffposetalk.data.clip import Clip
from diffposetalk.data.shards import write_shards
from diffposetalk.errors import InputError, UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.model.checkpoint import Model, load_model
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.train.lite.recipe import train_recipe

WEIGHTS = (
    "simple",
    "vertex_mm2",
    "vertex_velocity_mm2",
    "vertex_smoothness_mm2",
    "lip_gap_mm2",
    "join_error",
    "head",
    "head_velocity",
    "head_smoothness",
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


@pytest.fixture(scope="module")
def people(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, one held out; of each a long and a short clip."""
    folder = tmp_path_factory.mktemp("people") / "shards"
    talker, rng = Talker(tiny_model), np.random.default_rng(0)

    def clip(speaker: int, seconds: float) -> Clip:
        speech = Speech((rng.standard_normal(round(16000 * seconds)) * 0.1).astype(np.float32), 16000)
        motion = talker.generate(speech, steps=2, seed=speaker)
        return Clip(speech, motion, np.zeros(3, np.float32), f"s{speaker}", f"s{speaker}/c{round(seconds)}")

    clips = [clip(speaker, seconds) for speaker in range(4) for seconds in (6.0, 3.0)]
    write_shards(clips, folder, lambda name: "val" if name.startswith("s3") else "train")
    return folder


def recipe(path: Path, start: Path | str, model: Model, extra: str = "") -> Path:
    denoiser = {key: value for key, value in to_dict(model.config.denoiser).items() if value is not None}
    path.write_text(
        f'name = "people"\nstart = "{start}"\ncopies = 1\n{extra}\n[denoiser]\nnoise_steps = 50\n'
        f"network = {toml(denoiser)}\n"
        "loop = { steps = 30, batch = 4, learning_rate = 1e-3, warmup = 2, ema = 0.5, validate_every = 15 }\n"
        "[denoiser.weights]\n" + "\n".join(f"{name} = 0.1" for name in WEIGHTS) + "\n"
    )
    return path


def test_it_learns_on_and_keeps_the_encoders(
    tiny_model_path: Path, people: Path, tiny_model: Model, tmp_path: Path
) -> None:
    file = recipe(tmp_path / "r.toml", tiny_model_path, tiny_model)
    result = train_recipe(file, tmp_path / "run", [f"data={people}"])
    model = load_model(result["model"])
    for name, network in model.networks.items():
        kept = all(torch.equal(a, b) for a, b in zip(network.parameters(), tiny_model.networks[name].parameters()))
        assert kept == (name != "denoiser"), name
    assert set(model.presets) == set(tiny_model.presets)
    assert np.array_equal(model.space.mean, tiny_model.space.mean)
    log = (tmp_path / "run/denoiser/log.jsonl").read_text().splitlines()
    assert len(log) >= 30


def test_a_new_style_encoder_names_the_people(
    tiny_model_path: Path, people: Path, tiny_model: Model, tmp_path: Path
) -> None:
    style = to_dict(tiny_model.style_encoder.config)  # type: ignore[union-attr]
    file = recipe(tmp_path / "r.toml", tiny_model_path, tiny_model)
    file.write_text(
        file.read_text()
        + f"[style]\nencoder = {toml(style)}\nwindows = {{ context = 0 }}\n"
        + "loop = { steps = 5, batch = 3, ema = 0.5 }\n"
    )
    for weights, fault in (("smile=1.0", "unknown term 'smile'"), ("manner=1.0", "contrast is missing")):
        with pytest.raises(UsageError, match=fault):
            train_recipe(file, tmp_path / "no", [f"data={people}", f"style.weights.{weights}"])
    with pytest.raises(UsageError, match="only a corpus has manners"):
        train_recipe(
            file, tmp_path / "no", [f"data={people}", "style.weights.contrast=1.0", "style.weights.manner=1.0"]
        )
    model = load_model(train_recipe(file, tmp_path / "run", [f"data={people}"])["model"])
    assert set(model.presets) == {"s0", "s1", "s2"}
    motion = Talker(model).generate(Speech(np.zeros(32000, np.float32), 16000), style="s1", steps=2)
    assert len(motion) == 50


def test_what_does_not_fit_is_refused(tiny_model_path: Path, people: Path, tiny_model: Model, tmp_path: Path) -> None:
    file = recipe(tmp_path / "r.toml", tiny_model_path, tiny_model)
    with pytest.raises(UsageError, match="either corpus or data"):
        train_recipe(file, tmp_path / "run")
    with pytest.raises(UsageError, match="differs from that of"):
        train_recipe(file, tmp_path / "run", [f"data={people}", "denoiser.network.n_layers=3"])
    with pytest.raises(UsageError, match="no model 'nobody'"):
        train_recipe(file, tmp_path / "run", [f"data={people}", "start=nobody"])
    with pytest.raises(UsageError, match="must be trained"):
        train_recipe(file, tmp_path / "run", [f"data={people}", "start="])
    flame = Motion(np.zeros((80, 3), np.float32), ("a", "b", "c"), np.zeros((80, 3), np.float32), 25.0, "flame")
    clip = Clip(Speech(np.zeros(51200, np.float32), 16000), flame, np.zeros(0, np.float32), "s", "s/c")
    write_shards([clip], tmp_path / "flame", lambda name: "train")
    with pytest.raises(InputError, match="head 'flame'"):
        train_recipe(file, tmp_path / "run", [f"data={tmp_path / 'flame'}"])
