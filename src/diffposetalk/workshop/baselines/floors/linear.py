"""The floor "linear": a linear map from the log-mels around a frame to the motion vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.baselines.floors.ridge import ridge, with_neighbours
from diffposetalk.workshop.baselines.network import Floor, Heard, Widths
from diffposetalk.workshop.train.lite.frozen import HeardClip
from diffposetalk.workshop.train.lite.windows import EncodedClip


@dataclass(frozen=True)
class LinearConfig:
    """Sizes."""

    n_before: int = 6
    """Motion frames of log-mels before a frame."""
    n_after: int = 6
    """The same after it; the bundled model's speech encoder hears as many."""
    kind: Literal["linear"] = "linear"
    """Tells it from the other baselines."""


class LinearMap(Floor):
    """Ridge regression."""

    hears: ClassVar[Heard] = "mels"
    weights: Tensor

    def __init__(self, config: LinearConfig, widths: Widths) -> None:
        super().__init__()
        self.config = config
        n_inputs = (config.n_before + 1 + config.n_after) * widths.speech + 1
        self.register_buffer("weights", torch.zeros(n_inputs, widths.motion))

    def fit(self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip], space: MotionSpace) -> None:
        """Fit to log-mels and motion."""
        self.weights.copy_(torch.from_numpy(ridge(self._pairs(heard, clips))))

    def figures(self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip]) -> dict[str, float]:
        """Return the mean squared error of the normalised motion vector, as the loss term ``simple``."""
        weights = self.weights.cpu().numpy()
        errors = [np.square(inputs @ weights - motion) for inputs, motion in self._pairs(heard, clips)]
        return {"simple": float(np.concatenate(errors).mean())}

    def _pairs(
        self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield inputs ``(T, N)`` and motion ``(T, D)`` of each clip."""
        for clip, moving in zip(heard, clips, strict=True):
            yield self._inputs(clip.mels[: len(moving.motion)]), moving.motion[: len(clip.mels)]

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Return the motion; nothing is random."""
        return torch.from_numpy(self._inputs(features.cpu().numpy())).to(self.weights) @ self.weights

    def _inputs(self, mels: np.ndarray) -> np.ndarray:
        return with_neighbours(mels.astype(np.float32), self.config.n_before, self.config.n_after)
