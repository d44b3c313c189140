"""Training of a baseline from a recipe: the corpus, the motion space and the frozen speech features of a model of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.config import load_config, to_dict
from diffposetalk.errors import UsageError
from diffposetalk.head import load_head
from diffposetalk.model.checkpoint import Model, fingerprint
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.progress import Progress
from diffposetalk.workshop.baselines.kinds import AnyBaselineConfig, baseline_class, build_baseline
from diffposetalk.workshop.baselines.model import BaselineConfig, BaselineModel, widths_of
from diffposetalk.workshop.baselines.network import Baseline, Batch, Floor, StageName
from diffposetalk.workshop.baselines.styles import TrainingSpeakers
from diffposetalk.workshop.corpus.sources import sources_of
from diffposetalk.workshop.train.lite.frozen import FrozenEncoders, HeardClip, chosen_speakers
from diffposetalk.workshop.train.lite.losses import Geometry
from diffposetalk.workshop.train.lite.material import encode_clips, read_motions
from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowConfig, Windows
from diffposetalk.workshop.train.loop import LoopConfig, Turn, last_logged, train
from diffposetalk.workshop.train.losses import LinearSurface
from diffposetalk.workshop.train.run import Run, SpeakersRecipe, train_stages

STYLE_BATCHES = 8
"""Batches of references whose mean style stands for no style."""


@dataclass(frozen=True)
class BaselineStage:
    """Configuration of one stage."""

    loop: LoopConfig
    weights: dict[str, float]
    """Factor of each loss term; `network.motion_terms` and the baseline's own module list them."""


@dataclass(frozen=True, kw_only=True)
class BaselineRecipe(SpeakersRecipe):
    """Everything that decides a baseline, given the corpus."""

    network: AnyBaselineConfig
    """Its kind and sizes."""
    corpus: Path
    """Folder made by ``diffposetalk corpus``."""
    codes: BaselineStage | None = None
    """First stage, of baselines with a codebook."""
    motion: BaselineStage | None = None
    """The stage that learns motion from speech; floors have none."""
    windows: WindowConfig = field(default_factory=lambda: WindowConfig(context_noise=0.0))
    """How training windows are cut."""
    kind: Literal["baseline"] = "baseline"
    """Tells such a recipe from those of our own models."""
    frozen: FrozenEncoders = field(default_factory=FrozenEncoders)
    """Model whose encoders and motion space are taken, and how much of the corpus is learned from."""
    copies: int = 0
    """Augmented copies of all speech."""
    seed: int = 0
    """Of the first weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        stages = baseline_class(self.network).stages
        tables = tuple(name for name, stage in (("codes", self.codes), ("motion", self.motion)) if stage is not None)
        if stages != tables:
            raise UsageError(
                f"recipe: a baseline of the kind {self.network.kind} has the stages {', '.join(stages) or 'none'}; "
                f"the recipe has the tables {', '.join(tables) or 'none'}"
            )
        if self.copies < 0:
            raise UsageError(f"recipe: copies must not be negative, got {self.copies}")

    def stage(self, name: StageName) -> BaselineStage:
        """Return a stage that the baseline has."""
        stage = self.codes if name == "codes" else self.motion
        assert stage is not None
        return stage


@dataclass(frozen=True)
class Split:
    """The clips of one split."""

    speakers: tuple[str, ...]
    """Names in the order of the speakers' numbers."""
    heard: Sequence[HeardClip]
    clips: Sequence[EncodedClip]
    """Motion and features of the same clips."""


def train_baseline(
    path: str | Path, out: str | Path, overrides: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Train a baseline in the folder ``out``, or fit a floor; the result is that of `train_stages`."""
    recipe = load_config(BaselineRecipe, path, overrides)
    start = recipe.frozen.load()
    encoder = start.speech_encoder
    assert isinstance(encoder, SpeechEncoder)

    def stages(run: Run) -> tuple[BaselineModel, dict[str, float]]:
        training, held_out = _splits(recipe, start, encoder, run)
        model = _trained(recipe, start, encoder, training, held_out, run)
        return model, _figures(model, held_out, run)

    return train_stages(recipe, out, stages, progress)


def _splits(recipe: BaselineRecipe, start: Model, encoder: SpeechEncoder, run: Run) -> tuple[Split, Split]:
    """Read the clips to learn from and those held out."""
    speech = recipe.frozen.speech(recipe.corpus, encoder, run.folder, recipe.copies)
    mels = baseline_class(recipe.network).hears == "mels"
    splits: list[Split] = []
    n_speakers = 0
    for names in chosen_speakers(recipe.corpus, recipe.validation_share, recipe.frozen.speakers):
        heard = speech.clips(names, run.report("speech"), mels)
        moving = read_motions(recipe.corpus, names)
        clips = encode_clips(moving, [clip.features for clip in heard], start.space, n_speakers)
        splits.append(Split(tuple(dict.fromkeys(clip.speaker for clip in moving)), heard, clips))
        n_speakers += len(splits[-1].speakers)
    return splits[0], splits[1]


def _trained(
    recipe: BaselineRecipe, start: Model, encoder: SpeechEncoder, training: Split, held_out: Split, run: Run
) -> BaselineModel:
    """Train or fit the network; return the model."""
    kind = baseline_class(recipe.network)
    style_encoder = start.style_encoder if kind.style_kind == "encoder" else None
    style_dim = style_encoder.config.dim if style_encoder else 0
    torch.manual_seed(recipe.seed)
    widths = widths_of(recipe.network, start.space, encoder.config, len(training.speakers), style_dim)
    network = build_baseline(recipe.network, widths)
    speakers = TrainingSpeakers.of(training.speakers, training.clips) if kind.style_kind == "one-hot" else None
    mean_style = None
    if isinstance(network, Floor):
        network.fit(training.heard, training.clips, start.space)
    else:
        styles = Styles(speakers, style_encoder)
        _train_stages(recipe, network, start, styles, training, held_out, run)
        if style_encoder is not None:
            mean_style = styles.mean(Windows(training.clips, recipe.windows, start.space))
    config = BaselineConfig(
        recipe.name, recipe.network, encoder.config, style_encoder.config if style_encoder else None
    )
    network = network.cpu().eval().requires_grad_(False)
    sources = sources_of(recipe.corpus)
    return BaselineModel(config, start.space, network, encoder, style_encoder, speakers, mean_style, sources)


@dataclass(frozen=True)
class Styles:
    """Where the styles of training windows come from."""

    speakers: TrainingSpeakers | None
    """One-hot styles."""
    encoder: StyleEncoder | None
    """Styles read from another window of the speaker."""

    def of(self, speaker: Tensor, reference: Tensor) -> Tensor:
        """Return styles ``(B, S)`` of speakers ``(B,)`` and reference windows ``(B, L, D)``."""
        if self.speakers is not None:
            return self.speakers.one_hot(speaker)
        if self.encoder is None:
            return reference.new_zeros(len(speaker), 0)
        with torch.no_grad():
            return self.encoder(reference)  # type: ignore[no-any-return]

    def mean(self, windows: Windows) -> np.ndarray:
        """Return the mean style over references, as long as the encoder's own styles."""
        assert self.encoder is not None
        rng = np.random.default_rng(0)
        drawn = torch.cat([self.of(batch.speaker, batch.reference) for batch in _batches(windows, rng)]).cpu()
        mean = drawn.mean(0)
        result: np.ndarray = (mean * (drawn[0].norm() / mean.norm())).numpy()
        return result


def _batches(windows: Windows, rng: np.random.Generator) -> list[Any]:
    return [windows.draw(rng, 32) for _ in range(STYLE_BATCHES)]


def _train_stages(
    recipe: BaselineRecipe,
    network: Baseline,
    start: Model,
    styles: Styles,
    training: Split,
    held_out: Split,
    run: Run,
) -> None:
    """Train the stages one after another, in place."""
    head = load_head(start.space.head)
    surface = LinearSurface.of([(head.expression_basis(name), 1 / 3) for name in ("lips", "eyelids", "upper_face")])
    geometry = Geometry.of(start.space, surface, head.lip_gap_basis())
    if styles.encoder is not None:
        styles.encoder.to(run.device).eval().requires_grad_(False)
    network.to(run.device)

    def batches(split: Split) -> Callable[[Turn], Batch]:
        windows = Windows(split.clips, recipe.windows, start.space)

        def draw(turn: Turn) -> Batch:
            batch = windows.draw(turn.rng, turn.n).to(torch.device(run.device))
            return Batch(batch, styles.of(batch.speaker, batch.reference), geometry)

        return draw

    sides = batches(training), batches(held_out)
    inputs = {
        "network": str(to_dict(recipe.network)),
        "speech_encoder": fingerprint(start.speech_encoder),
        "speakers": str(len(training.speakers)),
        "copies": str(recipe.copies),
        "windows": str(to_dict(recipe.windows)),
    }
    for name in network.stages:
        stage = recipe.stage(name)
        _learn_only(network, name)
        first = Turn(0, stage.loop.batch, np.random.default_rng([stage.loop.seed, 0]))
        network.begin(name, sides[0](first))
        stage_run = run.stage(name, to_dict(stage), **inputs)
        inputs = inputs | {"before": name}

        def losses(
            draw: Callable[[Turn], Batch], name: StageName = name
        ) -> Callable[[nn.Module, Turn], dict[str, Tensor]]:
            def terms(module: nn.Module, turn: Turn) -> dict[str, Tensor]:
                assert isinstance(module, Baseline)
                return module.terms(name, draw(turn))

            return terms

        train(network, losses(sides[0]), losses(sides[1]), stage.weights, stage.loop, stage_run)


def _learn_only(network: Baseline, stage: StageName) -> None:
    """Let the autoencoder learn in the stage "codes", and all the rest in the stage "motion"."""
    book = network.autoencoder
    coded = set() if book is None else {id(parameter) for parameter in book.parameters()}
    for parameter in network.parameters():
        parameter.requires_grad_((id(parameter) in coded) == (stage == "codes"))


def _figures(model: BaselineModel, held_out: Split, run: Run) -> dict[str, float]:
    """Return the last validation of each stage, or how good the fit of a floor is."""
    if isinstance(model.network, Floor):
        return model.network.figures(held_out.heard, held_out.clips)
    return {
        f"{name}: {term.removeprefix('val_')}": value
        for name in model.network.stages
        for term, value in last_logged(run.folder / name).items()
        if term.startswith("val_")
    }
