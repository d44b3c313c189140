"""Stage 2: the style encoder learns to tell speakers' manners apart, and to name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.data.windows import EncodedClip, WindowConfig, Windows
from diffposetalk.nn.style_encoder import StyleEncoder, StyleEncoderConfig
from diffposetalk.train.loop import LoopConfig, Turn, train
from diffposetalk.train.losses import nt_xent

Pairs = Callable[[Turn], tuple[Tensor, Tensor, Tensor, Tensor]]
"""Draws two windows ``(B, L, D)`` of each of B clips, their speakers ``(B,)`` and manners ``(B, M)``, M 0 if unknown."""


@dataclass(frozen=True)
class StyleLearning:
    """How a style encoder learns, whatever from."""

    encoder: StyleEncoderConfig
    loop: LoopConfig
    temperature: float = 0.1
    """Of the contrastive loss."""
    own_negatives: bool = False
    """Whether a speaker's other clips in a batch are pushed away too, as the released code does."""
    weights: dict[str, float] = field(default_factory=lambda: {"contrast": 1.0})
    """Factor of each loss term."""
    noise: float = 0.0
    """Largest standard deviation of noise added to a window, normalised units."""
    dropped: float = 0.0
    """Share of channels set to their mean, so that no single one decides."""


@dataclass(frozen=True)
class StyleStage(StyleLearning):
    """Configuration of the style encoder's training on a corpus whose manners are known."""

    weights: dict[str, float] = field(default_factory=lambda: {"contrast": 1.0, "manner": 3.0})
    noise: float = 0.1
    dropped: float = 0.05
    windows: WindowConfig = field(default_factory=WindowConfig)


class StyleLearner(nn.Module):
    """The style encoder with a head that reads the manner's parameters from the style, used in training alone."""

    def __init__(self, config: StyleEncoderConfig, manner_dim: int) -> None:
        super().__init__()
        self.encoder = StyleEncoder(config)
        self.manner = nn.Linear(config.dim, manner_dim) if manner_dim else None


class StyleLosses:
    """The loss terms of one batch: ``contrast`` (NT-Xent) and, where manners are known, ``manner`` (squared error)."""

    def __init__(self, stage: StyleLearning, pairs: Pairs, augment: bool) -> None:
        self.stage, self.pairs, self.augment = stage, pairs, augment

    def __call__(self, network: nn.Module, turn: Turn) -> dict[str, Tensor]:
        """Draw a batch and return its terms by name."""
        assert isinstance(network, StyleLearner)
        device = next(network.parameters()).device
        first, second, speaker, manner = (value.to(device) for value in self.pairs(turn))
        if self.augment and (self.stage.noise or self.stage.dropped):
            first, second = (_augmented(view, self.stage, turn.rng) for view in (first, second))
        styles = network.encoder(torch.cat([first, second])).float()
        n = len(first)
        alone = torch.arange(n, device=device) if self.stage.own_negatives else speaker
        terms = {"contrast": nt_xent(styles[:n], styles[n:], alone, self.stage.temperature)}
        if network.manner is not None:
            terms["manner"] = (network.manner(styles) - manner.repeat(2, 1)).square().mean()
        return terms


def learn_style(
    stage: StyleLearning,
    training: Pairs,
    validation: Pairs,
    manner_dim: int,
    out: Path,
    header: dict[str, str],
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> StyleEncoder:
    """Train a style encoder with NT-Xent and a regression of the manner where it is known (``manner_dim`` above 0).

    Source: DiffPoseTalk, section 3.2; the regression is ours and keeps in the style what contrast alone may drop.
    """
    torch.manual_seed(stage.loop.seed)
    learner = StyleLearner(stage.encoder, manner_dim).to(device)
    losses = (StyleLosses(stage, training, True), StyleLosses(stage, validation, False))
    train(learner, *losses, stage.weights, stage.loop, out, header, progress)
    return learner.encoder


def train_style(
    stage: StyleStage,
    training: Sequence[EncodedClip],
    validation: Sequence[EncodedClip],
    out: Path,
    header: dict[str, str],
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> StyleEncoder:
    """Train the style encoder on windows of clips; see `learn_style`."""

    def pairs(clips: Sequence[EncodedClip]) -> Pairs:
        windows = Windows(clips, stage.windows)
        return lambda turn: windows.draw_pairs(turn.rng, turn.n)

    manner_dim = len(training[0].manner)
    return learn_style(stage, pairs(training), pairs(validation), manner_dim, out, header, device, progress)


def retrieval_accuracy(encoder: StyleEncoder, clips: Sequence[EncodedClip], window: int, seed: int = 0) -> float:
    """Return how often a window's nearest other window (cosine) is of the same speaker, two windows a speaker."""
    drawer = Windows(clips, WindowConfig(window=window, context=0))
    n_speakers = len({clip.speaker for clip in clips})
    first, second, _, _ = drawer.draw_pairs(np.random.default_rng(seed), n_speakers)
    return retrieved(encoder, first, second)


def retrieved(encoder: StyleEncoder, first: Tensor, second: Tensor) -> float:
    """Return how often the nearest (cosine) of ``second (N, L, D)`` to a window of ``first`` is its own."""
    with torch.no_grad():
        a, b = (nn.functional.normalize(encoder(view), dim=-1) for view in (first, second))
    return float(((a @ b.T).argmax(1) == torch.arange(len(a))).float().mean())


def _augmented(view: Tensor, stage: StyleLearning, rng: np.random.Generator) -> Tensor:
    shape = tuple(view.shape)
    spread = stage.noise * rng.random((shape[0], 1, 1))
    noise = torch.from_numpy((rng.standard_normal(shape) * spread).astype(np.float32)).to(view.device)
    kept = torch.from_numpy(rng.random((shape[0], 1, shape[2])) >= stage.dropped).to(view.device)
    return (view + noise) * kept
