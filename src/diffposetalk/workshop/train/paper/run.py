"""The paper's model from a TFHP data set: style encoder, then denoiser with its speech encoder -> one model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffposetalk.config import load_config, to_dict
from diffposetalk.data.tfhp import speaker_of
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.generate.pretrained import model_path
from diffposetalk.head import load_head
from diffposetalk.model.checkpoint import Model, fingerprint, load_model, load_weights
from diffposetalk.model.configs import ModelConfig, PretrainedSpeechConfig
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.encoders import AnySpeechEncoder, build_speech_encoder
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.progress import Progress
from diffposetalk.style import Style
from diffposetalk.workshop.train.initial import initialise
from diffposetalk.workshop.train.loop import Turn, train
from diffposetalk.workshop.train.paper.batches import Batches, SpeechBatch, StyleBatch
from diffposetalk.workshop.train.paper.losses import VERTEX_TERMS, Geometry, used_weights
from diffposetalk.workshop.train.paper.pairs import DenoiserItems, StyleItems
from diffposetalk.workshop.train.paper.recipe import Feed, PaperData, PaperDenoiserStage, PaperRecipe, SpeechPart
from diffposetalk.workshop.train.paper.step import GeneratorDraws, Speaker, StyleOf, two_window_terms
from diffposetalk.workshop.train.paper.surface import JawSurface, NoSurface, Surface, surface_of
from diffposetalk.workshop.train.run import Run, StageRun, train_stages
from diffposetalk.workshop.train.style import Pairs, learn_style, retrieved

VALIDATION_SEED = 1_000_003
"""Added to a stage's seed for the batches it is validated on."""


class PaperLosses:
    """The loss terms of one batch; see `two_window_terms`."""

    def __init__(
        self,
        stage: PaperDenoiserStage,
        feed: Feed,
        geometry: Geometry,
        style_of: StyleOf | None,
        names: tuple[str, ...],
    ) -> None:
        self.stage, self.feed, self.geometry, self.style_of, self.names = stage, feed, geometry, style_of, names
        self.schedule = NoiseSchedule.make(stage.schedule, stage.noise_steps)

    def __call__(self, network: torch.nn.Module, turn: Turn) -> dict[str, Tensor]:
        """Read a batch and return its terms by name."""
        assert isinstance(network, Speaker)
        batch: SpeechBatch = self.feed(turn.index).to(network.denoiser.start_motion.device)
        return two_window_terms(
            network,
            batch,
            self.stage.windows,
            self.schedule,
            self.geometry,
            GeneratorDraws(turn.rng),
            self.names,
            self.style_of,
            self.stage.target,
        )


def train_paper(
    path: str | Path, out: str | Path, overrides: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Train the paper's model in the folder ``out``; the result is that of `train_stages`."""
    recipe = load_config(PaperRecipe, path, overrides)
    return train_stages(recipe, out, partial(_train_stages, recipe, PaperData.open(recipe)), progress)


def _train_stages(recipe: PaperRecipe, data: PaperData, run: Run) -> tuple[Model | StyleReader, dict[str, float]]:
    """Train the style encoder, then the denoiser with its speech encoder; return the model and figures."""
    figures: dict[str, float] = {}
    style_encoder = None
    if recipe.needs_style_encoder:
        style_run = run.stage("style", _stage_config(recipe, style=recipe.style))
        style_encoder, figures["style_retrieval"] = train_paper_style(recipe, data, style_run)
    if recipe.denoiser is None or recipe.speech is None:
        assert style_encoder is not None
        return StyleReader(style_encoder, data.space), figures
    return _train_speaker(recipe, recipe.denoiser, recipe.speech, data, style_encoder, run), figures


def _stage_config(recipe: PaperRecipe, **parts: Any) -> dict[str, Any]:
    """Return what identifies a stage: its own configuration and the layout of the motion vector."""
    return {"head_pose": recipe.head_pose, **{name: to_dict(part) for name, part in parts.items()}}


def _train_speaker(
    recipe: PaperRecipe,
    stage: PaperDenoiserStage,
    speech: SpeechPart,
    data: PaperData,
    style_encoder: StyleEncoder | None,
    run: Run,
) -> Model:
    """Train the denoiser with its speech encoder and return the whole model."""
    stage = _with_style_dim(stage, data)
    inputs = {} if style_encoder is None else {"style_encoder": fingerprint(style_encoder)}
    denoiser_run = run.stage("denoiser", _stage_config(recipe, denoiser=stage, speech=speech), **inputs)
    speaker = train_paper_denoiser(recipe, stage, speech, data, style_encoder, denoiser_run)
    return Model(
        _model_config(recipe, stage, speaker, style_encoder),
        data.space,
        speaker.speech_encoder,
        speaker.denoiser,
        style_encoder,
        _speaker_styles(data) if stage.style == "one-hot" else {},
        data.identity_space,
    )


def train_paper_style(recipe: PaperRecipe, data: PaperData, run: StageRun) -> tuple[StyleEncoder, float]:
    """Train the style encoder on two windows each of different persons.

    Returns:
        The encoder, and how often the nearest other window of held-out persons is of the same person.
    """
    stage = recipe.style
    numbers: dict[str, int] = {}

    def batches(split: str, seed: int) -> Batches:
        items = StyleItems(data.reader, split, stage.encoder.window, data.statistics)
        return Batches(items, stage.loop.batch, seed, recipe.head_pose)

    def pairs(feed: Feed) -> Pairs:
        def draw(turn: Turn) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            batch: StyleBatch = feed(turn.index)
            persons = [numbers.setdefault(speaker_of(video), len(numbers)) for video in batch.videos]
            return batch.first, batch.second, torch.tensor(persons), batch.first.new_zeros(len(persons), 0)

        return draw

    training = pairs(Feed(batches("train", stage.loop.seed), recipe.workers))
    held_out = batches("val", stage.loop.seed + VALIDATION_SEED)
    encoder = learn_style(stage, training, pairs(Feed(held_out, 0)), run).cpu()
    every: StyleBatch = Batches(held_out.items, len(held_out.items), held_out.seed, recipe.head_pose)[0]
    return encoder, retrieved(encoder, every.first, every.second)


def train_paper_denoiser(
    recipe: PaperRecipe,
    stage: PaperDenoiserStage,
    speech: SpeechPart,
    data: PaperData,
    style_encoder: StyleEncoder | None,
    run: StageRun,
) -> Speaker:
    """Train the denoiser and its speech encoder; the style encoder stays as it is."""
    weights = used_weights(stage.weights, stage.target, recipe.head_pose)
    names = tuple(weights)
    geometry = Geometry(data.space, _surface(recipe, stage, data, names), data.identity_space)
    style_of = _style_of(stage, data, style_encoder, recipe.device)
    torch.manual_seed(stage.loop.seed)
    speaker = Speaker(initial_speech_encoder(speech), Denoiser(stage.network))
    initialise(speaker.denoiser, stage.initialisation)
    speaker.to(recipe.device)

    def losses(split: str, seed: int, n_workers: int) -> PaperLosses:
        items = DenoiserItems(data.reader, split, stage.network.window, data.statistics)
        feed = Feed(Batches(items, stage.loop.batch, seed, recipe.head_pose), n_workers)
        return PaperLosses(stage, feed, geometry, style_of, names)

    training = losses("train", stage.loop.seed, recipe.workers)
    validation = losses("val", stage.loop.seed + VALIDATION_SEED, 0)
    train(speaker, training, validation, weights, stage.loop, run)
    return speaker.cpu()


def initial_speech_encoder(part: SpeechPart) -> AnySpeechEncoder:
    """Return the speech encoder as training finds it, its frozen parts switched off.

    Raises:
        ModelError: the weights to begin from cannot be loaded or are of another size.
    """
    encoder: AnySpeechEncoder
    if isinstance(part.encoder, PretrainedSpeechConfig) and part.encoder.source:
        encoder = PretrainedSpeechEncoder.from_source(part.encoder)
    else:
        encoder = build_speech_encoder(part.encoder)
    if part.start:
        path = model_path(part.start)
        load_weights(encoder, load_model(path).speech_encoder.state_dict(), f"speech.start {path}")
    encoder.freeze()
    if not part.learns:
        encoder.requires_grad_(False)
    return encoder


def _surface(recipe: PaperRecipe, stage: PaperDenoiserStage, data: PaperData, names: tuple[str, ...]) -> Surface:
    """Return the surface of the vertex losses; no head is loaded without such losses."""
    if not set(names) & set(VERTEX_TERMS):
        return NoSurface()
    surface = surface_of(
        load_head(recipe.head),
        data.identity_space.dim,
        len(data.space.expression_names),
        fold=stage.windows.criterion == "l2",
    )
    return surface.to(recipe.device) if isinstance(surface, JawSurface) else surface


def _style_of(
    stage: PaperDenoiserStage, data: PaperData, style_encoder: StyleEncoder | None, device: str
) -> StyleOf | None:
    if stage.style == "none":
        return None
    if style_encoder is None:
        places = {speaker: index for index, speaker in enumerate(data.speakers)}

        def one_hot(batch: SpeechBatch, window: int) -> Tensor:
            """A speaker who is not among those of the training counts as one of them, always the same."""
            indices = [places.get(name, sum(name.encode()) % len(places)) for name in map(speaker_of, batch.videos)]
            where = torch.tensor(indices, device=batch.motion.device)
            return torch.nn.functional.one_hot(where, len(places)).to(batch.motion.dtype)

        return one_hot
    encoder = style_encoder.to(device).eval().requires_grad_(False)

    def encoded(batch: SpeechBatch, window: int) -> Tensor:
        """The style of the other window."""
        with torch.no_grad():
            return encoder(batch.motion[1 - window])

    return encoded


def _with_style_dim(stage: PaperDenoiserStage, data: PaperData) -> PaperDenoiserStage:
    """Return the stage with as many styles as there are speakers, if these are the styles."""
    if stage.style != "one-hot":
        return stage
    return replace(stage, network=replace(stage.network, style_dim=len(data.speakers)))


def _speaker_styles(data: PaperData) -> dict[str, Style]:
    rows = torch.eye(len(data.speakers)).numpy()
    return {name: Style(row, "", f"the speaker {name}") for name, row in zip(data.speakers, rows)}


def _model_config(
    recipe: PaperRecipe, stage: PaperDenoiserStage, speaker: Speaker, style_encoder: StyleEncoder | None
) -> ModelConfig:
    return ModelConfig(
        recipe.name,
        speaker.speech_encoder.config,
        stage.network,
        style_encoder.config if style_encoder is not None else None,
        stage.schedule,
        stage.noise_steps,
        stage.target,
        stage.windows.padding,
        replace(recipe.sampling, guidance=stage.windows.guidance),
    )
