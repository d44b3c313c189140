"""Stage 2: the style encoder learns to tell speakers' manners apart, and to name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.errors import UsageError
from diffposetalk.model.configs import StyleEncoderConfig
from diffposetalk.model.style_encoder import StyleEncoder, summary
from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.initial import Initialisation, initialise
from diffposetalk.workshop.train.lite.views import Disturbance
from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowConfig, Windows
from diffposetalk.workshop.train.loop import LoopConfig, Turn, train
from diffposetalk.workshop.train.losses import nt_xent
from diffposetalk.workshop.train.run import StageRun

TERMS = ("contrast", "statistics", "manner")
"""Names of the loss terms; see `StyleLosses`."""
SCALE_SEED = 11
"""Seed of the batches on which the spread of the statistics is measured."""
SCALE_BATCHES = 16
"""Number of those batches."""
Pairs = Callable[[Turn], tuple[Tensor, Tensor, Tensor, Tensor]]
"""Draws two windows ``(B, L, D)`` of each of B clips, their speakers ``(B,)`` and manners ``(B, M)``, M 0 if unknown."""


@dataclass(frozen=True)
class StyleLearning:
    """Style-encoder training settings, independent of the data source."""

    encoder: StyleEncoderConfig
    loop: LoopConfig
    temperature: float = 0.1
    """Of the contrastive loss."""
    initialisation: Initialisation = "small"
    """What the weights begin from: see `initial.initialise`."""
    own_negatives: bool = False
    """Whether a speaker's other clips in a batch are pushed away too, as the released code does."""
    weights: dict[str, float] = field(default_factory=lambda: {"contrast": 1.0})
    """Factor of each loss term; a term that is not named is not computed."""
    disturbance: Disturbance = field(default_factory=Disturbance)
    """What happens to the windows of the training before the encoder sees them."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(TERMS))
        if unknown:
            raise UsageError(f"style.weights: unknown term {unknown[0]!r}; choose from {', '.join(TERMS)}")
        if "contrast" not in self.weights:
            raise UsageError("style.weights: the term contrast is missing")


@dataclass(frozen=True)
class StyleStage(StyleLearning):
    """Configuration of the style encoder's training on a corpus whose manners are known."""

    weights: dict[str, float] = field(default_factory=lambda: {"contrast": 1.0, "statistics": 1.0})
    windows: WindowConfig = field(default_factory=WindowConfig)


class StyleLearner(nn.Module):
    """The style encoder with linear maps that read from the style what it must contain; used only in training."""

    def __init__(self, config: StyleEncoderConfig, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.encoder = StyleEncoder(config)
        self.readers = nn.ModuleDict({name: nn.Linear(config.dim, dim) for name, dim in dims.items()})


class StyleLosses:
    """The loss terms of one batch.

    ``contrast``: NT-Xent. ``statistics``: mean squared error of what a linear map reads from a style against the mean
    `summary` of both windows of its speaker, before they were disturbed; each in units of its spread over speakers.
    ``manner``: the same against the manner's parameters, where they are known.

    Source: DiffPoseTalk, section 3.2, for the contrast; the others are ours and keep in the style what contrast alone
    may drop, such as how far the head strays.
    """

    def __init__(self, stage: StyleLearning, pairs: Pairs, scale: Tensor | None, augment: bool) -> None:
        self.stage, self.pairs, self.scale, self.augment = stage, pairs, scale, augment

    def __call__(self, network: nn.Module, turn: Turn) -> dict[str, Tensor]:
        """Draw a batch and return its terms by name."""
        assert isinstance(network, StyleLearner)
        device = next(network.parameters()).device
        first, second, speaker, manner = (value.to(device) for value in self.pairs(turn))
        clean = first, second
        if self.augment:
            first, second = (self.stage.disturbance(view, turn.rng) for view in clean)
        styles = network.encoder(torch.cat([first, second])).float()
        n = len(first)
        groups = torch.arange(n, device=device) if self.stage.own_negatives else speaker
        terms = {"contrast": nt_xent(styles[:n], styles[n:], groups, self.stage.temperature)}
        targets = {"manner": manner}
        if self.scale is not None:
            mean, std = self.scale.to(device)
            targets["statistics"] = (torch.stack([summary(view) for view in clean]).mean(0) - mean) / std
        for name, reader in network.readers.items():
            terms[name] = (reader(styles) - targets[name].repeat(2, 1)).square().mean()
        return terms


def learn_style(
    stage: StyleLearning,
    training: Pairs,
    validation: Pairs,
    run: StageRun,
) -> StyleEncoder:
    """Train a style encoder; see `StyleLosses`.

    Raises:
        UsageError: the manner is to be learned, but the data does not have it.
    """
    dims, scale = {}, None
    if "manner" in stage.weights:
        dims["manner"] = training(_turn(stage, 0))[3].shape[1]
        if not dims["manner"]:
            raise UsageError("style.weights: only a corpus has manners; remove the term manner (statistics needs none)")
    if "statistics" in stage.weights:
        scale = _scale(stage, training)
        dims["statistics"] = scale.shape[1]
    torch.manual_seed(stage.loop.seed)
    learner = StyleLearner(stage.encoder, dims)
    initialise(learner.encoder, stage.initialisation)
    learner.to(run.device)
    losses = (StyleLosses(stage, training, scale, True), StyleLosses(stage, validation, scale, False))
    train(learner, *losses, stage.weights, stage.loop, run)
    return learner.encoder


def _turn(stage: StyleLearning, index: int) -> Turn:
    return Turn(index, stage.loop.batch, np.random.default_rng([stage.loop.seed, index, SCALE_SEED]))


def _scale(stage: StyleLearning, pairs: Pairs) -> Tensor:
    """Return mean and spread of `summary` over speakers: ``(2, 3 D)``."""
    drawn = torch.cat([summary(pairs(_turn(stage, index))[0]) for index in range(SCALE_BATCHES)])
    return torch.stack([drawn.mean(0), drawn.std(0).clamp(min=0.05)])


def train_style(
    stage: StyleStage,
    training: Sequence[EncodedClip],
    validation: Sequence[EncodedClip],
    space: MotionSpace,
    run: StageRun,
) -> StyleEncoder:
    """Train the style encoder on windows of clips in a motion space; see `StyleLosses`."""

    def pairs(clips: Sequence[EncodedClip]) -> Pairs:
        windows = Windows(clips, stage.windows, space)
        return lambda turn: windows.draw_pairs(turn.rng, turn.n)

    return learn_style(stage, pairs(training), pairs(validation), run)


def retrieval_accuracy(
    encoder: StyleEncoder,
    clips: Sequence[EncodedClip],
    space: MotionSpace,
    disturbance: Disturbance | None = None,
    seed: int = 0,
) -> float:
    """Return how often a window's nearest other window (cosine) is of the same speaker, two windows a speaker.

    Args:
        encoder: reads the styles.
        clips: of the speakers.
        space: of their motion.
        disturbance: happens to the windows that are looked for, not to those they are looked for among.
        seed: of windows and disturbance.
    """
    drawer = Windows(clips, WindowConfig(window=encoder.config.window, context=0), space)
    n_speakers = len({clip.speaker for clip in drawer.clips})
    rng = np.random.default_rng(seed)
    first, second, _, _ = drawer.draw_pairs(rng, n_speakers)
    return retrieved(encoder, first if disturbance is None else disturbance(first, rng), second)


def retrieved(encoder: StyleEncoder, first: Tensor, second: Tensor) -> float:
    """Return how often the nearest (cosine) of ``second (N, L, D)`` to a window of ``first`` is its own."""
    with torch.no_grad():
        a, b = (nn.functional.normalize(encoder(view), dim=-1) for view in (first, second))
    return float(((a @ b.T).argmax(1) == torch.arange(len(a))).float().mean())
