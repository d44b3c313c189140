"""Recipe of a distillation: a model that is there, a corpus, and how long to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from diffposetalk.config import load_config, to_dict
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.errors import UsageError
from diffposetalk.generate.pretrained import model_path
from diffposetalk.model.checkpoint import Model, fingerprint, load_model, load_weights, weights
from diffposetalk.progress import Progress
from diffposetalk.workshop.train.distill.fold import FoldConfig, FoldLosses, student_of
from diffposetalk.workshop.train.lite.frozen import FrozenEncoders, chosen_speakers
from diffposetalk.workshop.train.lite.material import encode_clips, read_motions
from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowConfig, Windows
from diffposetalk.workshop.train.loop import LoopConfig, Turn, train
from diffposetalk.workshop.train.run import Run, SpeakersRecipe, train_stages

TERMS = ("guided", "guided_velocity", "plain")
"""Loss terms of `FoldLosses`."""


@dataclass(frozen=True, kw_only=True)
class DistillRecipe(SpeakersRecipe):
    """Everything that decides a distilled model."""

    teacher: FrozenEncoders
    """The model to distil, and the speakers to learn from."""
    corpus: Path
    """Folder made by ``diffposetalk corpus``."""
    loop: LoopConfig
    fold: FoldConfig = field(default_factory=FoldConfig)
    weights: dict[str, float] = field(default_factory=lambda: {"guided": 1.0, "guided_velocity": 2.0, "plain": 1.0})
    """Weight of each loss term: ``guided``, ``guided_velocity``, ``plain``."""
    windows: WindowConfig = field(default_factory=WindowConfig)
    """The windows that it learns from."""
    start: str = ""
    """Model with folded guidance to begin from, by name or file; empty: the student begins as its teacher."""
    steps: int = 0
    """Denoising steps that the model takes by default; 0 for those of the teacher."""
    kind: Literal["distill"] = "distill"
    """Tells such a recipe from the others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if set(self.weights) != set(TERMS):
            raise UsageError(f"recipe: weights must name {', '.join(TERMS)}, not {', '.join(self.weights)}")


def train_distilled(
    path: str | Path, out: str | Path, overrides: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Distil a model in the folder ``out``; the result is that of `train_stages`.

    Raises:
        UsageError: the model cannot be distilled.
    """
    recipe = load_config(DistillRecipe, path, overrides)
    teacher = recipe.teacher.load()
    config = teacher.config
    if config.target != "sample" or config.denoiser.folded_speech or "style" not in config.denoiser.droppable:
        raise UsageError(
            f"recipe: {recipe.teacher.model} cannot be distilled: it predicts noise, has no guidance by style, or its guidance "
            "is folded already"
        )
    return train_stages(recipe, out, partial(_folded, recipe, teacher), progress)


def _folded(recipe: DistillRecipe, teacher: Model, run: Run) -> tuple[Model, dict[str, float]]:
    """Fold guidance into the denoiser; return the model and validation losses."""
    config = teacher.config
    windows = [Windows(clips, recipe.windows, teacher.space) for clips in _clips(recipe, teacher, run)]
    style_encoder = teacher.style_encoder.to(run.device).eval().requires_grad_(False)
    source = teacher.denoiser.to(run.device).eval().requires_grad_(False)
    usual = (config.sampling.speech_scale, config.sampling.style_scale)
    schedule = NoiseSchedule.make(config.schedule, config.noise_steps)
    losses = [FoldLosses(recipe.fold, source, usual, part, style_encoder, schedule, teacher.space) for part in windows]
    student = student_of(source, recipe.fold, recipe.loop.seed).to(run.device)
    if recipe.start:
        load_weights(student, weights(load_model(model_path(recipe.start)).denoiser), f"recipe: start {recipe.start}")
    stage = {
        "start": recipe.start,
        "loop": to_dict(recipe.loop),
        "fold": to_dict(recipe.fold),
        "windows": to_dict(recipe.windows),
    }
    train(
        student,
        losses[0],
        losses[1],
        recipe.weights,
        recipe.loop,
        run.stage("fold", stage, teacher=fingerprint(source)),
    )
    sampling = replace(config.sampling, steps=recipe.steps or config.sampling.steps)
    made = replace(config, name=recipe.name, denoiser=student.config, sampling=sampling)
    with torch.no_grad():
        terms = losses[1](student, Turn(0, recipe.loop.batch, np.random.default_rng(recipe.loop.seed)))
    figures = {f"held_out_{name}": float(value) for name, value in terms.items()}
    return replace(teacher, config=made, denoiser=student.cpu(), style_encoder=style_encoder.cpu()), figures


def _clips(recipe: DistillRecipe, teacher: Model, run: Run) -> list[list[EncodedClip]]:
    """Return the clips to learn from and those held out, with the features that the teacher hears."""
    speech = recipe.teacher.speech(recipe.corpus, teacher.speech_encoder, run.folder, 0)
    splits, n_speakers = [], 0
    for names in chosen_speakers(recipe.corpus, recipe.validation_share, recipe.teacher.speakers):
        motions = read_motions(recipe.corpus, names)
        features = [clip.features for clip in speech.clips(names, run.report("listening"))]
        splits.append(encode_clips(motions, features, teacher.space, n_speakers))
        n_speakers += len({clip.speaker for clip in motions})
    return splits
