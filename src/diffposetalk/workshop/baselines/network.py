"""What all baselines share: widths, batches, loss terms, and the two things that a baseline does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.lite.frozen import HeardClip
from diffposetalk.workshop.train.lite.losses import Geometry
from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowBatch
from diffposetalk.workshop.train.losses import difference_loss

StyleKind: TypeAlias = Literal["one-hot", "encoder", "none"]
"""What tells a baseline the style: the speaker's place among those of the training, our style encoder, or nothing."""
Heard: TypeAlias = Literal["features", "mels"]
"""What a baseline hears: the features of the frozen speech encoder, or its log-mels."""
StageName: TypeAlias = Literal["codes", "motion"]
"""Stages of a training: a codebook of motion, where the baseline has one, then motion from speech."""


@dataclass(frozen=True)
class Widths:
    """Widths of what goes into a baseline and comes out of it."""

    motion: int
    """Columns D of the motion vector."""
    speech: int
    """Features F of a frame of speech."""
    style: int
    """Numbers S of a style."""


@dataclass(frozen=True, kw_only=True)
class RecurrentSizes:
    """Sizes of recurrent layers."""

    dim: int = 192
    """Width of the layers."""
    n_layers: int = 2
    """Recurrent layers."""
    dropout: float = 0.1
    """Between the layers, while training."""


@dataclass(frozen=True)
class Batch:
    """Windows of training clips, with their styles."""

    windows: WindowBatch
    style: Tensor
    """``(B, S)``: a 1 at the speaker's place, or the vector of the style encoder."""
    geometry: Geometry
    """Turns motion into vertices for the loss."""


class Baseline(nn.Module, ABC):
    """A network that learns in stages and then makes motion from features of speech."""

    style_kind: ClassVar[StyleKind] = "one-hot"
    hears: ClassVar[Heard] = "features"
    stages: ClassVar[tuple[StageName, ...]] = ("motion",)
    """Empty for a floor, which is fitted at once."""

    @abstractmethod
    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Return the loss terms of a batch by name. Random numbers come from torch's global generator."""

    @abstractmethod
    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Return normalised motion ``(T, D)``.

        Args:
            features: ``(T, F)`` of the whole speech.
            style: ``(S,)``.
            generator: of random numbers; a deterministic baseline draws none.
        """

    @property
    def autoencoder(self) -> nn.Module | None:
        """What the stage "codes" trains; the stage "motion" trains all the rest. None without that stage."""
        return None

    def begin(self, stage: StageName, batch: Batch) -> None:
        """Prepare a stage with one batch of the training, before the first step. Most baselines need nothing."""


class Floor(Baseline):
    """A baseline that learns little: it is fitted in closed form and has no style."""

    style_kind: ClassVar[StyleKind] = "none"
    stages: ClassVar[tuple[StageName, ...]] = ()

    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Refuse: a floor has no stages.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a floor is fitted, it has no loss terms")

    @abstractmethod
    def fit(self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip], space: MotionSpace) -> None:
        """Fit to training clips: what is heard, and the motion, of the same clips in the same order."""

    @abstractmethod
    def figures(self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip]) -> dict[str, float]:
        """Return how good the fit is on held-out clips, by name."""


def motion_terms(predicted: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Compare predicted motion ``(B, L, D)`` with the truth.

    ``simple``: mean squared error of the normalised motion vector. ``vertex_mm2``: mean squared distance of the vertices
    of lips, lids and upper face, which is the loss of the papers that predict vertices. ``velocity``: mean squared error of
    the normalised motion's first differences. Frames after the end of a window do not count.
    """
    windows, geometry = batch.windows, batch.geometry
    predicted = predicted.float()
    std = torch.from_numpy(geometry.space.std).to(predicted.device)
    columns = geometry.space.parts["expression"]
    surfaces = [geometry.surface((motion * std)[..., columns]) for motion in (predicted, windows.motion)]
    return {
        "simple": difference_loss(predicted, windows.motion, windows.valid),
        "vertex_mm2": difference_loss(surfaces[0], surfaces[1], windows.valid),
        "velocity": difference_loss(predicted, windows.motion, windows.valid, order=1),
    }
