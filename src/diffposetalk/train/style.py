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
from diffposetalk.train.loop import LoopConfig, train
from diffposetalk.train.losses import nt_xent


@dataclass(frozen=True)
class StyleStage:
    """Configuration of the style encoder's training."""

    encoder: StyleEncoderConfig
    loop: LoopConfig
    windows: WindowConfig = field(default_factory=WindowConfig)
    temperature: float = 0.1
    """Of the contrastive loss."""
    weights: dict[str, float] = field(default_factory=lambda: {"contrast": 1.0, "manner": 3.0})
    """Factor of each loss term."""
    noise: float = 0.1
    """Largest standard deviation of noise added to a window, normalised units."""
    dropped: float = 0.05
    """Share of channels set to their mean, so that no single one decides."""


class StyleLearner(nn.Module):
    """The style encoder with a head that reads the manner's parameters from the style, used in training alone."""

    def __init__(self, config: StyleEncoderConfig, manner_dim: int) -> None:
        super().__init__()
        self.encoder = StyleEncoder(config)
        self.manner = nn.Linear(config.dim, max(manner_dim, 1))


def train_style(
    stage: StyleStage,
    training: Sequence[EncodedClip],
    validation: Sequence[EncodedClip],
    out: Path,
    header: dict[str, str],
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> StyleEncoder:
    """Train the style encoder with NT-Xent and a regression of the manner where it is known.

    Source: DiffPoseTalk, section 3.2; the regression is ours and keeps in the style what contrast alone may drop.
    """
    torch.manual_seed(stage.loop.seed)
    learner = StyleLearner(stage.encoder, len(training[0].manner)).to(device)
    sets = (Windows(training, stage.windows), Windows(validation, stage.windows))

    def losses(windows: Windows, augment: bool) -> Callable[[nn.Module, np.random.Generator, int], dict[str, Tensor]]:
        def terms(network: nn.Module, rng: np.random.Generator, n: int) -> dict[str, Tensor]:
            assert isinstance(network, StyleLearner)
            first, second, speaker, manner = (value.to(device) for value in windows.draw_pairs(rng, n))
            if augment:
                first, second = (_augmented(view, stage, rng) for view in (first, second))
            styles = network.encoder(torch.cat([first, second]))
            contrast = nt_xent(styles[:n], styles[n:], speaker, stage.temperature)
            guess = network.manner(styles)
            missed = (guess - manner.repeat(2, 1)).square().mean() if manner.shape[1] else guess.sum() * 0
            return {"contrast": contrast, "manner": missed}

        return terms

    train(
        learner,
        losses(sets[0], True),
        losses(sets[1], False),
        stage.weights,
        stage.loop,
        out,
        header,
        progress,
    )
    return learner.encoder


def retrieval_accuracy(encoder: StyleEncoder, clips: Sequence[EncodedClip], window: int, seed: int = 0) -> float:
    """Return how often a window's nearest other window (cosine) is of the same speaker, two windows a speaker."""
    drawer = Windows(clips, WindowConfig(window=window, context=0))
    n_speakers = len({clip.speaker for clip in clips})
    first, second, _, _ = drawer.draw_pairs(np.random.default_rng(seed), n_speakers)
    with torch.no_grad():
        a, b = (nn.functional.normalize(encoder(view), dim=-1) for view in (first, second))
    return float(((a @ b.T).argmax(1) == torch.arange(n_speakers)).float().mean())


def _augmented(view: Tensor, stage: StyleStage, rng: np.random.Generator) -> Tensor:
    shape = tuple(view.shape)
    spread = stage.noise * rng.random((shape[0], 1, 1))
    noise = torch.from_numpy((rng.standard_normal(shape) * spread).astype(np.float32)).to(view.device)
    kept = torch.from_numpy(rng.random((shape[0], 1, shape[2])) >= stage.dropped).to(view.device)
    return (view + noise) * kept
