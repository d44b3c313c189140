"""Training of the bundled model, or of one of its kind: speech encoder -> style encoder -> denoiser -> one model file.

It learns from a corpus, whose phones and manners are known, or from a data set of filmed people, beginning from a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from diffposetalk.config import load_config, to_dict
from diffposetalk.data.tfhp import SPLITS
from diffposetalk.errors import UsageError
from diffposetalk.generate.pretrained import model_path
from diffposetalk.generate.talker import DEFAULT_STYLE, Talker
from diffposetalk.head import HeadModel, load_head
from diffposetalk.model.checkpoint import Model, fingerprint, load_model
from diffposetalk.model.configs import ModelConfig, SamplingDefaults
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.model.whisper_speech import WhisperSpeechEncoder
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.progress import Progress
from diffposetalk.style import Style
from diffposetalk.workshop.corpus.sources import sources_of
from diffposetalk.workshop.train.lite.denoiser import DenoiserStage, train_denoiser
from diffposetalk.workshop.train.lite.ear import EarStage, train_ear
from diffposetalk.workshop.train.lite.frozen import FrozenEncoders, chosen_speakers
from diffposetalk.workshop.train.lite.material import (
    HEAD_CHANNELS,
    MovingClip,
    Versions,
    encode_clips,
    heard_features,
    make_copies,
    preset_motions,
    read_motions,
    shard_clips,
    speech_clips,
    speech_features,
    split_speakers,
)
from diffposetalk.workshop.train.lite.speech import SpeechClip, SpeechStage, phone_accuracy, train_speech
from diffposetalk.workshop.train.lite.windows import EncodedClip
from diffposetalk.workshop.train.losses import LinearSurface
from diffposetalk.workshop.train.run import Run, SpeakersRecipe, train_stages
from diffposetalk.workshop.train.style import StyleStage, retrieval_accuracy, train_style


@dataclass(frozen=True, kw_only=True)
class Recipe(SpeakersRecipe):
    """Everything that decides a model, given what it learns from: ``corpus`` or ``data``."""

    denoiser: DenoiserStage
    speech: SpeechStage | None = None
    """Left out: the speech encoder of ``start`` stays as it is. Needs a corpus, which knows its phones."""
    ear: EarStage | None = None
    """In place of ``speech``: a speech encoder on top of Whisper, as the model `base` has. Needs a corpus with a teacher."""
    style: StyleStage | None = None
    """Left out: the style encoder of ``start`` stays as it is."""
    corpus: Path | None = None
    """Folder made by ``diffposetalk corpus``."""
    data: Path | None = None
    """Folder of shards, such as ``diffposetalk dataset build`` makes; it has its own splits."""
    start: str = ""
    """Model to begin from, by name or file. It gives the motion space, the denoiser's first weights, and the encoders that
    are not trained."""
    kind: Literal["lite"] = "lite"
    """Tells such a recipe from those of the paper's model."""
    copies: int = 3
    """Augmented copies of all speech."""
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    """Sampling defaults of the model."""
    preset_seconds: float = 60.0
    """Length of the reference motion of each preset."""
    frozen: FrozenEncoders | None = None
    """Takes the encoders of another model; the tables ``speech`` and ``style`` are then not used. For ablations. Needs a
    corpus."""
    styles: Literal["encoder", "one-hot", "none"] = "encoder"
    """Where the denoiser's styles come from: the style encoder; a 1 at the place of the training speaker, and then
    ``style_dim`` follows from the number of speakers; or nowhere."""
    head_pose: bool = True
    """Whether the motion vector has the head's rotation. Without it the style encoder is trained even with ``frozen``,
    because it reads another motion vector."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.copies < 0:
            raise UsageError(f"recipe: copies must not be negative, got {self.copies}")
        if (self.corpus is None) == (self.data is None):
            raise UsageError("recipe: give either corpus or data, for example with --set data=FOLDER")
        if self.speech is not None and self.corpus is None:
            raise UsageError("recipe: the speech encoder learns only from a corpus; remove the table speech")
        if self.ear is not None and (self.speech is not None or self.corpus is None):
            raise UsageError("recipe: ear takes the place of speech and learns from a corpus; remove one table")
        if (self.styles == "none") != (self.denoiser.network.style_dim == 0):
            raise UsageError(
                f"recipe: styles is {self.styles!r} but denoiser.network.style_dim {self.denoiser.network.style_dim}"
            )
        if self.frozen is not None and (self.start or self.corpus is None):
            raise UsageError("recipe: frozen needs a corpus and no model to start from; remove start or data")
        if not self.start and ((self.speech is None and self.ear is None) or self.style is None):
            raise UsageError(
                "recipe: without a model to start from, speech and style must be trained; a table is missing"
            )


@dataclass(frozen=True)
class Material:
    """The clips of one split."""

    motions: Sequence[MovingClip]
    versions: Sequence[Versions] = ()
    """Speech of the same clips; none where another model's features of it are taken."""
    labelled: Sequence[SpeechClip] = ()
    """The same with phones and curves, where the speech encoder learns."""


@dataclass(frozen=True)
class EncodedSplits:
    """The clips of both splits in the motion space, with their speech features."""

    training: list[EncodedClip]
    held_out: list[EncodedClip]


def train_recipe(
    path: str | Path, out: str | Path, overrides: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Train a recipe's model in the folder ``out``; the result is that of `train_stages`."""
    recipe = load_config(Recipe, path, overrides)
    return train_stages(recipe, out, partial(_train_stages, recipe, _start(recipe)), progress)


def _train_stages(recipe: Recipe, start: Model | None, run: Run) -> tuple[Model, dict[str, float]]:
    """Train speech encoder, style encoder and denoiser one after the other; return the model and figures."""
    head = load_head("anny")
    existing = recipe.frozen.load() if recipe.frozen else start
    training, held_out = _material(recipe, start, run)
    space = _space(recipe, existing, training, head)
    speech_encoder, figures = _speech_encoder(recipe, existing, training, held_out, run)
    clips = _encoded(recipe, training, held_out, speech_encoder, space, run)
    stage, style_encoder = recipe.denoiser, None
    if recipe.styles == "encoder":
        style_encoder = _style_encoder(recipe, existing, clips, space, run)
        figures["style_retrieval"] = retrieval_accuracy(style_encoder, clips.held_out, space)
    elif recipe.styles == "one-hot":
        n_speakers = len({clip.speaker for clip in clips.training})
        stage = replace(stage, network=replace(stage.network, style_dim=n_speakers))
    inputs = {"speakers": str(recipe.frozen.speakers), "copies": str(recipe.copies)} if recipe.frozen else {}
    denoiser = _denoiser(stage, start, clips, style_encoder, space, head, run, inputs)
    config = ModelConfig(
        recipe.name,
        speech_encoder.config,
        stage.network,
        style_encoder.config if style_encoder else None,
        stage.schedule,
        stage.noise_steps,
        sampling=recipe.sampling,
    )
    sources = _sources(recipe, start)
    style_encoder = style_encoder.eval() if style_encoder else None
    model = Model(config, space, speech_encoder, denoiser, style_encoder, sources=sources)
    return replace(model, presets=_presets(recipe, existing, model, training, held_out)), figures


def _space(recipe: Recipe, existing: Model | None, training: Material, head: HeadModel) -> MotionSpace:
    """Return the motion space of a given model, or measure it; without the head's rotation if the recipe says so."""
    channels = (*head.expression_names, *HEAD_CHANNELS)
    space = existing.space if existing else MotionSpace.fit((clip.motion for clip in training.motions), channels)
    if recipe.head_pose:
        return space
    columns = np.array([name not in HEAD_CHANNELS for name in space.channels])
    names = tuple(name for name in space.channels if name not in HEAD_CHANNELS)
    return replace(space, channels=names, mean=space.mean[columns], std=space.std[columns])


def _speech_encoder(
    recipe: Recipe, existing: Model | None, training: Material, held_out: Material, run: Run
) -> tuple[SpeechEncoder | WhisperSpeechEncoder, dict[str, float]]:
    """Train the speech encoder, or take that of a given model; return it with its figures."""
    if recipe.frozen is None and recipe.ear is not None:
        stage_run = run.stage("ear", to_dict(recipe.ear))
        return train_ear(recipe.ear, training.labelled, held_out.labelled, stage_run), {}
    if recipe.frozen is not None or recipe.speech is None:
        assert existing is not None and isinstance(existing.speech_encoder, SpeechEncoder)
        return existing.speech_encoder, {}
    stage_run = run.stage("speech", to_dict(recipe.speech))
    learner = train_speech(recipe.speech, training.labelled, held_out.labelled, stage_run).cpu()
    return learner.encoder, {"phone_accuracy": phone_accuracy(learner, held_out.labelled)}


def _encoded(
    recipe: Recipe,
    training: Material,
    held_out: Material,
    encoder: SpeechEncoder | WhisperSpeechEncoder,
    space: MotionSpace,
    run: Run,
) -> EncodedSplits:
    """Encode the clips of both splits; speakers are numbered on from split to split."""
    encoded, n_speakers = [], 0
    for part in (training, held_out):
        report = run.report("encoding")
        if recipe.frozen is not None:
            assert recipe.corpus is not None and isinstance(encoder, SpeechEncoder)
            speech = recipe.frozen.speech(recipe.corpus, encoder, run.folder, recipe.copies)
            names = tuple(dict.fromkeys(clip.speaker for clip in part.motions))
            features = [clip.features for clip in speech.clips(names, report)]
        elif isinstance(encoder, WhisperSpeechEncoder):
            features = heard_features(encoder, part.labelled, report)
        else:
            phones = [clip.phones for clip in part.labelled] if encoder.script is not None else []
            features = speech_features(encoder, part.versions, phones, report)
        encoded.append(encode_clips(part.motions, features, space, n_speakers))
        n_speakers += len({clip.speaker for clip in part.motions})
    return EncodedSplits(*encoded)


def _style_encoder(
    recipe: Recipe,
    existing: Model | None,
    clips: EncodedSplits,
    space: MotionSpace,
    run: Run,
) -> StyleEncoder:
    """Train the style encoder, or take that of a given model if it reads such motion."""
    if recipe.style is None or (recipe.frozen is not None and recipe.head_pose):
        assert existing is not None and existing.style_encoder is not None
        return existing.style_encoder
    stage_run = run.stage("style", to_dict(recipe.style))
    return train_style(recipe.style, clips.training, clips.held_out, space, stage_run).cpu()


def _denoiser(
    stage: DenoiserStage,
    start: Model | None,
    clips: EncodedSplits,
    style_encoder: StyleEncoder | None,
    space: MotionSpace,
    head: HeadModel,
    run: Run,
    inputs: Mapping[str, str],
) -> Denoiser:
    """Train the denoiser, from the weights of ``start`` where there is one."""
    inputs = {
        **inputs,
        "style_encoder": fingerprint(style_encoder) if style_encoder else "",
        "start": fingerprint(start.denoiser) if start else "",
    }
    surface = LinearSurface.of([(head.expression_basis(name), share) for name, share in stage.regions.items()])
    return train_denoiser(
        stage,
        clips.training,
        clips.held_out,
        style_encoder,
        space,
        surface,
        head.lip_gap_basis(),
        run.stage("denoiser", to_dict(stage), **inputs),
        start.denoiser if start else None,
    ).cpu()


def _start(recipe: Recipe) -> Model | None:
    """Load the model to begin from.

    Raises:
        UsageError: it does not fit the recipe.
    """
    if not recipe.start:
        return None
    start = load_model(model_path(recipe.start))
    if start.config.denoiser != recipe.denoiser.network:
        raise UsageError(f"recipe: denoiser.network differs from that of {recipe.start}, which it starts from")
    if not isinstance(start.speech_encoder, SpeechEncoder) or start.style_encoder is None:
        raise UsageError(
            f"recipe: {recipe.start} lacks the compact speech encoder or a style encoder; start from another"
        )
    return start


def _material(recipe: Recipe, start: Model | None, run: Run) -> list[Material]:
    """Read the clips to learn from and those held out."""
    if recipe.data is not None:
        assert start is not None
        return [
            Material(*shard_clips(recipe.data, split, start.space, recipe.copies, run.report("reading")))
            for split in SPLITS[:2]
        ]
    assert recipe.corpus is not None
    if recipe.frozen is not None:
        chosen = chosen_speakers(recipe.corpus, recipe.validation_share, recipe.frozen.speakers)
        return [Material(read_motions(recipe.corpus, part)) for part in chosen]
    names = split_speakers(recipe.corpus, recipe.validation_share)
    copies = run.folder / "copies"
    everybody = [name for part in names for name in part]
    make_copies(recipe.corpus, everybody, copies, recipe.copies, run.report("augmenting"))
    materials = []
    for part in names:
        labelled = speech_clips(recipe.corpus, part, copies, recipe.copies)
        materials.append(Material(read_motions(recipe.corpus, part), [clip.versions for clip in labelled], labelled))
    return materials


def _sources(recipe: Recipe, start: Model | None) -> tuple[str, ...]:
    """Name what the model learned from, before and now."""
    before = start.sources if start else ()
    if recipe.corpus is None:
        assert recipe.data is not None
        return (*before, f"data set {recipe.data.name}")
    return (*before, *sources_of(recipe.corpus))


def _presets(
    recipe: Recipe, existing: Model | None, model: Model, training: Material, held_out: Material
) -> Mapping[str, Style]:
    """Return the named styles of a new model.

    Where the style encoder is that of a given model, so are the presets. Otherwise they are the named manners of the
    corpus, or the people of the data set. One-hot styles have one preset, the mean of all, for people whom the training
    did not have.
    """
    if model.style_encoder is None:
        style_dim = model.config.denoiser.style_dim
        mean = np.full(style_dim, 1 / max(style_dim, 1), np.float32)
        return {DEFAULT_STYLE: Style(mean, "", "the mean of all training speakers")} if style_dim else {}
    if existing is not None and existing.style_encoder is model.style_encoder:
        return existing.presets
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
