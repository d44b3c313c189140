"""The ablations of our model: their recipes change what they name and nothing else, and each trains and speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffposetalk.config import load_config, read_config
from diffposetalk.errors import UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.generators import ModelGenerator
from diffposetalk.workshop.train.lite.denoiser import one_hot_styles
from diffposetalk.workshop.train.lite.recipe import Recipe, train_recipe

GEOMETRY = ("vertex_mm2", "vertex_velocity_mm2", "vertex_smoothness_mm2", "lip_gap_mm2", "join_error")
HEAD = ("head", "head_velocity", "head_smoothness")
CHANGES: dict[str, dict[str, Any]] = {
    "no_style_encoder": {"styles": "none", "denoiser.network.style_dim": 0},
    "one_hot_style": {"styles": "one-hot"},
    "no_guidance": {"sampling.speech_scale": 1.0, "sampling.style_scale": 1.0},
    "no_alignment_mask": {"denoiser.network.align_width": 0},
    "no_geometric_losses": {f"denoiser.weights.{name}": 0.0 for name in (*GEOMETRY, *HEAD)},
    "no_head_pose": {"head_pose": False, "style.encoder.motion_dim": 52, "denoiser.network.motion_dim": 52}
    | {f"denoiser.weights.{name}": 0.0 for name in HEAD},
}  # fmt: skip
SMALL = [
    "copies=0", "validation_share=0.3", "preset_seconds=4", "denoiser.network.speech_dim=16", "denoiser.network.dim=16",
    "denoiser.network.n_layers=1", "denoiser.network.n_heads=2", "denoiser.loop.steps=3", "denoiser.loop.batch=2",
    "denoiser.loop.validation_batches=1", "denoiser.loop.precision=fp32", "style.encoder.dim=16",
    "style.encoder.n_layers=1", "style.loop.steps=2", "style.loop.batch=2", "style.loop.validation_batches=1",
    "style.loop.precision=fp32",
]  # fmt: skip


def flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@pytest.mark.parametrize("name", CHANGES)
def test_a_recipe_changes_what_it_names_and_nothing_else(name: str) -> None:
    whole, ablation = dict(flat(read_config("lite"))), dict(flat(read_config(f"ablations/{name}")))
    missing = object()
    changed = {key: value for key, value in ablation.items() if whole.get(key, missing) != value}
    assert changed.pop("name") == "lite-" + name.replace("_", "-")
    assert changed == CHANGES[name] and set(whole) <= set(ablation)
    load_config(Recipe, f"ablations/{name}")


@pytest.fixture(scope="module")
def ablated(
    made_up_corpus: Path, start_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Talker]:
    """Returns the talker of an ablation, trained for some steps with the encoders of the small model."""
    folder = tmp_path_factory.mktemp("ablations")

    def talker(name: str) -> Talker:
        out = folder / name
        path = out / f"lite-{name.replace('_', '-')}.safetensors"
        if not path.exists():
            overrides = [
                f"corpus={made_up_corpus}",
                f"frozen.model={start_model}",
                f"frozen.heard={folder / 'heard'}",
                *SMALL,
            ]
            style = [] if name == "no_style_encoder" else ["denoiser.network.style_dim=16"]
            train_recipe(f"ablations/{name}", out, [*overrides, *style])
        return Talker.from_pretrained(path)

    return talker


@pytest.mark.parametrize("name", CHANGES)
def test_an_ablation_trains_and_speaks(name: str, ablated: Callable[[str], Talker], speech: Speech) -> None:
    talker = ablated(name)
    motion = talker.generate(speech, steps=2)
    assert len(motion) == 50 and np.isfinite(motion.expression).all()
    config = talker.model.config
    assert config.denoiser.align_width == (0 if name == "no_alignment_mask" else 1)
    assert (config.sampling.style_scale == 1.0) == (name == "no_guidance")
    if name == "no_head_pose":
        assert not motion.head_pose.any() and talker.space.dim == 52 and config.style_encoder.motion_dim == 52
    if name in ("no_style_encoder", "one_hot_style"):
        assert config.style_encoder is None
    else:
        assert "neutral" in talker.presets


def test_a_person_whom_the_training_did_not_have_gets_the_mean_of_the_one_hot_styles(
    ablated: Callable[[str], Talker], speech: Speech
) -> None:
    talker = ablated("one_hot_style")
    assert talker.model.config.denoiser.style_dim == 2
    assert talker.style(None).vector.tolist() == [0.5, 0.5]
    motions = [talker.generate(speech, np.array(style, np.float32), steps=2) for style in ([1, 0], [0, 1])]
    assert not np.allclose(motions[0].expression, motions[1].expression)


@pytest.mark.parametrize("name", ["no_style_encoder", "one_hot_style"])
def test_evaluation_gives_no_reference_to_a_model_that_cannot_read_it(
    name: str, ablated: Callable[[str], Talker], speech: Speech, motion: Motion
) -> None:
    generate = ModelGenerator(ablated(name), {"steps": 2})
    assert (generate(speech, style=motion).expression == generate(speech).expression).all()
    sample = generate.samples(speech, 2, motion)[0]
    assert np.allclose(sample.expression, generate(speech).expression, atol=1e-4)


def test_one_hot_styles() -> None:
    rows = one_hot_styles(torch.tensor([1, 0, 2, 5]), 2)
    assert rows.tolist() == [[0, 1], [1, 0], [0.5, 0.5], [0.5, 0.5]]


def test_contradicting_recipes_are_refused(made_up_corpus: Path, start_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"styles is 'none' but denoiser\.network\.style_dim 128"):
        train_recipe("lite", tmp_path, [f"corpus={made_up_corpus}", "styles=none"])
    with pytest.raises(UsageError, match="frozen needs a corpus and no model to start from"):
        train_recipe("lite", tmp_path, [f"corpus={made_up_corpus}", f"frozen.model={start_model}", "start=lite"])
    with pytest.raises(UsageError, match="'head' is on one side only"):
        overrides = [f"corpus={made_up_corpus}", f"frozen.model={start_model}", *SMALL, "denoiser.network.style_dim=16"]
        train_recipe("ablations/no_head_pose", tmp_path, [*overrides, "denoiser.weights.head=0.3"])
