"""A whole model of the bundled one's kind: speech encoder -> style encoder -> denoiser -> one model file.

It learns from a corpus, whose phones and manners are known, or from a data set of filmed people, beginning from a model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from diffposetalk.config import load_config, to_dict
from diffposetalk.data.tfhp import SPLITS
from diffposetalk.errors import UsageError
from diffposetalk.generate.pretrained import model_path
from diffposetalk.generate.talker import Talker
from diffposetalk.head import load_head
from diffposetalk.model.checkpoint import Model, ModelConfig, SamplingDefaults, fingerprint, load_model
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.style import Style
from diffposetalk.workshop.train.lite.denoiser import DenoiserStage, train_denoiser
from diffposetalk.workshop.train.lite.material import (
    HEAD_CHANNELS,
    MovingClip,
    Report,
    Versions,
    encode_clips,
    make_copies,
    preset_motions,
    read_motions,
    shard_clips,
    speech_clips,
    split_speakers,
)
from diffposetalk.workshop.train.lite.speech import SpeechClip, SpeechStage, phone_accuracy, train_speech
from diffposetalk.workshop.train.lock import training_lock
from diffposetalk.workshop.train.losses import LinearSurface
from diffposetalk.workshop.train.style import StyleStage, retrieval_accuracy, train_style

Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called as ``(stage, step, steps, values)``."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a model, given what it learns from: ``corpus`` or ``data``."""

    name: str
    """Name of the model and of its file."""
    denoiser: DenoiserStage
    speech: SpeechStage | None = None
    """Left out: the speech encoder of ``start`` stays as it is. Needs a corpus, which knows its phones."""
    style: StyleStage | None = None
    """Left out: the style encoder of ``start`` stays as it is."""
    corpus: Path | None = None
    """Folder made by ``diffposetalk corpus``."""
    data: Path | None = None
    """Folder of shards, such as ``diffposetalk dataset build`` makes."""
    start: str = ""
    """Model to begin from, a bundled one's name or a file: its motion space, its denoiser's weights, and the encoders
    that are not trained."""
    kind: Literal["corpus"] = "corpus"
    """Tells such a recipe from those of the paper's model."""
    copies: int = 3
    """Augmented copies of all speech."""
    validation_share: float = 0.08
    """Share of a corpus's speakers kept for validation; ``data`` has splits of its own."""
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
        if (self.corpus is None) == (self.data is None):
            raise UsageError("recipe: give either corpus or data, for example with --set data=FOLDER")
        if self.speech is not None and self.corpus is None:
            raise UsageError("recipe: the speech encoder learns from a corpus alone; leave the table speech out")
        if not self.start and (self.speech is None or self.style is None):
            raise UsageError(
                "recipe: without a model to start from, speech and style must be trained; a table is missing"
            )


@dataclass(frozen=True)
class Material:
    """The clips of one split."""

    motions: Sequence[MovingClip]
    versions: Sequence[Versions]
    """Speech of the same clips."""
    labelled: Sequence[SpeechClip] = ()
    """The same with phones and curves, where the speech encoder learns."""


def train_recipe(
    path: str | Path, out: str | Path, overrides: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Train all stages of a recipe; finished stages and checkpoints found in ``out`` are taken up.

    Returns:
        Path of the model and validation figures of each stage.
    """
    recipe = load_config(Recipe, path, overrides)
    start = _start(recipe)
    folder = Path(out)
    with training_lock(folder):
        return _train_recipe(recipe, start, folder, progress)


def _train_recipe(recipe: Recipe, start: Model | None, folder: Path, progress: Progress | None) -> dict[str, Any]:
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    (folder / "recipe.json").write_text(json.dumps(to_dict(recipe), indent=1))

    def report(stage: str) -> Callable[[int, int, dict[str, float]], None] | None:
        return None if progress is None else lambda step, steps, values: progress(stage, step, steps, values)

    def header(stage: Any, **more: str) -> dict[str, str]:
        return {"config": json.dumps(to_dict(stage), sort_keys=True), **more}

    figures: dict[str, float] = {}
    head = load_head("anny")
    channels = (*head.expression_names, *HEAD_CHANNELS)
    training, held_out = _material(recipe, start, folder, report)
    space = start.space if start else MotionSpace.fit((clip.motion for clip in training.motions), channels)
    if recipe.speech is None:
        assert start is not None and isinstance(start.speech_encoder, SpeechEncoder)
        speech_encoder = start.speech_encoder
    else:
        learner = train_speech(
            recipe.speech,
            training.labelled,
            held_out.labelled,
            folder / "speech",
            header(recipe.speech),
            recipe.device,
            report("speech"),
        ).cpu()
        speech_encoder = learner.encoder
        figures["phone_accuracy"] = phone_accuracy(learner, held_out.labelled)
    encoded, n_speakers = [], 0
    for part in (training, held_out):
        encoded.append(encode_clips(part.motions, part.versions, speech_encoder, space, n_speakers, report("encoding")))
        n_speakers += len({clip.speaker for clip in part.motions})
    if recipe.style is None:
        assert start is not None and start.style_encoder is not None
        style_encoder = start.style_encoder
    else:
        style_encoder = train_style(
            recipe.style,
            encoded[0],
            encoded[1],
            space,
            folder / "style",
            header(recipe.style),
            recipe.device,
            report("style"),
        ).cpu()
    figures["style_retrieval"] = retrieval_accuracy(style_encoder, encoded[1], space)
    denoiser = train_denoiser(
        recipe.denoiser,
        encoded[0],
        encoded[1],
        style_encoder,
        space,
        LinearSurface.of([(head.expression_basis(name), share) for name, share in recipe.denoiser.regions.items()]),
        lip_gap_basis(head),
        folder / "denoiser",
        header(
            recipe.denoiser,
            style_encoder=fingerprint(style_encoder),
            start=fingerprint(start.denoiser) if start else "",
        ),
        recipe.device,
        report("denoiser"),
        start.denoiser if start else None,
    ).cpu()
    config = ModelConfig(
        recipe.name,
        speech_encoder.config,
        recipe.denoiser.denoiser,
        style_encoder.config,
        recipe.denoiser.schedule,
        recipe.denoiser.noise_steps,
        sampling=recipe.sampling,
    )
    model = Model(config, space, speech_encoder, denoiser, style_encoder.eval())
    model = replace(model, presets=_presets(recipe, start, model, training, held_out))
    target = folder / f"{recipe.name}.safetensors"
    model.save(target)
    return {"model": str(target), "figures": figures}


def _start(recipe: Recipe) -> Model | None:
    """Load the model to begin from.

    Raises:
        UsageError: it does not fit the recipe.
    """
    if not recipe.start:
        return None
    start = load_model(model_path(recipe.start))
    if start.config.denoiser != recipe.denoiser.denoiser:
        raise UsageError(f"recipe: denoiser.denoiser differs from that of {recipe.start}, which it starts from")
    if not isinstance(start.speech_encoder, SpeechEncoder) or start.style_encoder is None:
        raise UsageError(
            f"recipe: {recipe.start} lacks the compact speech encoder or a style encoder; start from another"
        )
    return start


def _material(
    recipe: Recipe, start: Model | None, folder: Path, report: Callable[[str], Report | None]
) -> list[Material]:
    """Read the clips to learn from and those held out."""
    if recipe.data is not None:
        assert start is not None
        parts = [shard_clips(recipe.data, split, start.space, recipe.copies, report("reading")) for split in SPLITS[:2]]
        return [Material(*part) for part in parts]
    assert recipe.corpus is not None
    names = split_speakers(recipe.corpus, recipe.validation_share)
    copies = folder / "copies"
    make_copies(recipe.corpus, [name for part in names for name in part], copies, recipe.copies, report("augmenting"))
    found = []
    for part in names:
        labelled = speech_clips(recipe.corpus, part, copies, recipe.copies)
        found.append(Material(read_motions(recipe.corpus, part), [clip.versions for clip in labelled], labelled))
    return found


def _presets(
    recipe: Recipe, start: Model | None, model: Model, training: Material, held_out: Material
) -> Mapping[str, Style]:
    """Return the named styles of a new model.

    They are those of the start where its style encoder was kept; else the manners that the corpus knows by name, or the
    people of the data set.
    """
    if start is not None and recipe.style is None:
        return start.presets
    talker = Talker(model)
    if recipe.corpus is not None:
        speakers = sorted({clip.speaker for clip in held_out.motions})
        motions = preset_motions(recipe.corpus, speakers, recipe.preset_seconds)
        return {
            name: talker.read_style(motion, f"articulated reference motion in the manner {name!r}")
            for name, motion in motions.items()
        }
    of_speaker: dict[str, list[Motion]] = {}
    for clip in training.motions:
        of_speaker.setdefault(clip.speaker, []).append(clip.motion)
    return {
        name: Style.blended([talker.read_style(motion, name) for motion in motions])
        for name, motions in of_speaker.items()
    }


def lip_gap_basis(head: Any) -> np.ndarray:
    """Return ``(E, G)`` metres by which a unit of each expression weight opens the lips at each lip pair."""
    upper, lower = head.lip_pairs[:, 0], head.lip_pairs[:, 1]
    return head.expression_basis(upper)[..., 1] - head.expression_basis(lower)[..., 1]
