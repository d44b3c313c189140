"""A whole model from a corpus: augmented copies -> speech encoder -> style encoder -> denoiser -> one model file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from diffposetalk.checkpoint import Model, ModelConfig, SamplingDefaults, fingerprint, load_model
from diffposetalk.config import load_config, to_dict
from diffposetalk.errors import UsageError
from diffposetalk.head import load_head
from diffposetalk.motion import MotionSpace
from diffposetalk.style import Style
from diffposetalk.train.dataset import (
    HEAD_CHANNELS,
    encode_clips,
    make_copies,
    preset_motions,
    read_motions,
    speech_clips,
    split_speakers,
)
from diffposetalk.train.denoiser import DenoiserStage, train_denoiser
from diffposetalk.train.losses import LinearSurface
from diffposetalk.train.speech import SpeechStage, phone_accuracy, train_speech
from diffposetalk.train.style import StyleStage, retrieval_accuracy, train_style

Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called as ``(stage, step, steps, values)``."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a model, given the corpus."""

    name: str
    """Name of the model and of its file."""
    speech: SpeechStage
    style: StyleStage
    denoiser: DenoiserStage
    corpus: Path
    """Folder made by ``diffposetalk corpus``."""
    kind: Literal["corpus"] = "corpus"
    """Tells such a recipe from those of the paper's model."""
    copies: int = 3
    """Augmented copies of all speech."""
    validation_share: float = 0.08
    """Share of speakers kept for validation."""
    threads: int = 0
    """Processor threads; 0 for one per core."""
    device: str = "cpu"
    """Where the networks learn."""
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    """What the model uses unless told otherwise."""
    preset_seconds: float = 60.0
    """Length of the reference motion of each preset."""

    def __post_init__(self) -> None:
        if not 0 < self.validation_share < 1:
            raise UsageError(f"recipe: validation_share must lie between 0 and 1, got {self.validation_share}")
        if self.copies < 0:
            raise UsageError(f"recipe: copies must not be negative, got {self.copies}")

    @property
    def model(self) -> ModelConfig:
        """Configuration of the model that the recipe makes."""
        return ModelConfig(
            self.name,
            self.speech.encoder,
            self.denoiser.denoiser,
            self.style.encoder,
            self.denoiser.schedule,
            self.denoiser.noise_steps,
            sampling=self.sampling,
        )


def train_recipe(
    path: str | Path, out: str | Path, overrides: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Train all stages of a recipe; finished stages and checkpoints found in ``out`` are taken up.

    Returns:
        Path of the model and validation figures of each stage.
    """
    recipe = load_config(Recipe, path, overrides)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    head = load_head("anny")
    channels = (*head.expression_names, *HEAD_CHANNELS)
    training, held_out = split_speakers(recipe.corpus, recipe.validation_share)

    def report(stage: str) -> Callable[[int, int, dict[str, float]], None] | None:
        return None if progress is None else lambda step, steps, values: progress(stage, step, steps, values)

    def header(stage: Any) -> dict[str, str]:
        return {"config": json.dumps(to_dict(stage), sort_keys=True)}

    (folder / "recipe.json").write_text(json.dumps(to_dict(recipe), indent=1))
    make_copies(recipe.corpus, [*training, *held_out], folder / "copies", recipe.copies, report("augmenting"))
    clips = [speech_clips(recipe.corpus, names, folder / "copies", recipe.copies) for names in (training, held_out)]
    figures: dict[str, float] = {}
    speech_learner = train_speech(
        recipe.speech, clips[0], clips[1], folder / "speech", header(recipe.speech), recipe.device, report("speech")
    ).cpu()
    speech_encoder = speech_learner.encoder
    figures["phone_accuracy"] = phone_accuracy(speech_learner, clips[1])

    motions = [read_motions(recipe.corpus, names) for names in (training, held_out)]
    space = MotionSpace.fit((motion.motion for motion in motions[0]), channels)
    encoded = [
        encode_clips(motion, clip, speech_encoder, space, first, report("encoding"))
        for motion, clip, first in zip(motions, clips, (0, len(training)))
    ]
    style_encoder = train_style(
        recipe.style, encoded[0], encoded[1], folder / "style", header(recipe.style), recipe.device, report("style")
    ).cpu()
    figures["style_retrieval"] = retrieval_accuracy(style_encoder, encoded[1], recipe.style.windows.window)
    denoiser = train_denoiser(
        recipe.denoiser,
        encoded[0],
        encoded[1],
        style_encoder,
        space,
        LinearSurface.of([(head.expression_basis(name), share) for name, share in recipe.denoiser.regions.items()]),
        lip_gap_basis(head),
        folder / "denoiser",
        {**header(recipe.denoiser), "style_encoder": fingerprint(style_encoder)},
        recipe.device,
        report("denoiser"),
    ).cpu()
    model = Model(recipe.model, space, speech_encoder, denoiser, style_encoder)
    target = folder / f"{recipe.name}.safetensors"
    model.save(target)
    add_presets(target, recipe.corpus, held_out, recipe.preset_seconds)
    return {"model": str(target), "figures": figures}


def add_presets(model_path: Path, corpus: Path, speakers: Sequence[str], seconds: float) -> None:
    """Read the style of each named manner from a reference motion of held-out speech; keep it in the model's file."""
    from diffposetalk.generate import Talker

    model = load_model(model_path)
    talker = Talker(model)
    presets = {
        name: Style.from_motion(motion, talker, f"articulated reference motion in the manner {name!r}")
        for name, motion in preset_motions(corpus, speakers, seconds).items()
    }
    Model(**{**model.__dict__, "presets": presets}).save(model_path)


def lip_gap_basis(head: Any) -> np.ndarray:
    """Return ``(E, G)`` metres by which a unit of each expression weight opens the lips at each lip pair."""
    upper, lower = head.lip_pairs[:, 0], head.lip_pairs[:, 1]
    return head.expression_basis(upper)[..., 1] - head.expression_basis(lower)[..., 1]
