"""A recipe of distillation: it trains in small, the model speaks with one evaluation a step, and wrong recipes are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.config import load_config
from diffposetalk.errors import UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.speech import Speech
from diffposetalk.workshop.train.distill.recipe import DistillRecipe, train_distilled

SMALL = [
    "teacher.speakers=0",
    "validation_share=0.3",
    "loop.steps=3",
    "loop.batch=6",
    "loop.validation_batches=1",
    "steps=4",
]


def test_a_model_is_distilled_and_speaks(
    made_up_corpus: Path, start_model: Path, tmp_path: Path, speech: Speech
) -> None:
    overrides = [*SMALL, f"corpus={made_up_corpus}", f"teacher.model={start_model}"]
    result = train_distilled("distill", tmp_path / "run", overrides)
    assert set(result["figures"]) == {"held_out_guided", "held_out_guided_velocity", "held_out_plain"}
    teacher, talker = (Talker.from_pretrained(path) for path in (start_model, result["model"]))
    config = talker.model.config
    assert config.denoiser.folded_speech == 2.5 and config.sampling.steps == 4
    assert talker.presets == teacher.presets
    motion = talker.generate(speech, "lively")
    assert len(motion) == 50 and np.isfinite(motion.expression).all()
    with pytest.raises(UsageError, match="folded already"):
        train_distilled("distill", tmp_path / "again", [*overrides, f"teacher.model={result['model']}"])


def test_a_recipe_names_all_terms() -> None:
    assert load_config(DistillRecipe, "distill").kind == "distill"
    with pytest.raises(UsageError, match="weights must name guided"):
        load_config(DistillRecipe, "distill", ["weights.guided_velocity=0", "weights.lips=1"])
