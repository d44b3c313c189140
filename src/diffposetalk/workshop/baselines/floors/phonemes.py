"""The floor "phonemes": phones are read from the speech, and rules give each phone one of Rhubarb's mouth shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from diffposetalk.motion import MotionSpace
from diffposetalk.speech.transcript.phones import SYMBOLS
from diffposetalk.workshop.baselines.floors.ridge import ridge, with_neighbours
from diffposetalk.workshop.baselines.floors.shapes import SHAPE_OF_PHONE, motion_of_shapes
from diffposetalk.workshop.baselines.network import Floor, Widths
from diffposetalk.workshop.train.lite.frozen import HeardClip
from diffposetalk.workshop.train.lite.windows import EncodedClip


@dataclass(frozen=True)
class PhonemesConfig:
    """Sizes."""

    n_around: int = 1
    """Frames of features on either side of a frame that its two phones are read from."""
    change_costs: float = 1.5
    """Cost of a change of the phone from step to step, as a logarithm of probability: it keeps phones from flickering."""
    kind: Literal["phonemes"] = "phonemes"
    """Tells it from the other baselines."""


class Phonemes(Floor):
    """A linear reading of phones from the features of the frozen speech encoder, then rules."""

    weights: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, config: PhonemesConfig, widths: Widths) -> None:
        super().__init__()
        self.config = config
        n_inputs = (2 * config.n_around + 1) * widths.speech + 1
        self.register_buffer("weights", torch.zeros(n_inputs, 2 * len(SYMBOLS)))
        self.register_buffer("mean", torch.zeros(widths.motion))
        self.register_buffer("std", torch.ones(widths.motion))

    def fit(self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip], space: MotionSpace) -> None:
        """Fit the reading of phones; the rules are given."""
        known = np.eye(len(SYMBOLS), dtype=np.float32)
        pairs = ((self._inputs(clip.features[0]), known[clip.phones].reshape(-1, 2 * len(SYMBOLS))) for clip in heard)
        self.weights.copy_(torch.from_numpy(ridge(pairs)))
        self.mean.copy_(torch.from_numpy(space.mean))
        self.std.copy_(torch.from_numpy(space.std))

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Return the motion; nothing is random."""
        motion = motion_of_shapes(SHAPE_OF_PHONE[self.phones(features.cpu().numpy())])
        head = np.zeros((len(motion), len(self.mean) - motion.expression.shape[1]), np.float32)
        raw = torch.from_numpy(np.concatenate([motion.expression, head], 1)).to(self.mean)
        return (raw - self.mean) / self.std

    def phones(self, features: np.ndarray) -> np.ndarray:
        """Read phones ``(2 T,)``, 50 a second, from features ``(T, F)``."""
        scores = (self._inputs(features) @ self.weights.cpu().numpy()).reshape(-1, len(SYMBOLS))
        return likeliest_path(np.log(np.clip(scores, 1e-3, 1.0)), self.config.change_costs)

    def figures(self, heard: Sequence[HeardClip], clips: Sequence[EncodedClip]) -> dict[str, float]:
        """Return the share of steps whose phone, and whose mouth shape, is read right."""
        pairs = [(self.phones(clip.features[0]), clip.phones) for clip in heard]
        read, true = (np.concatenate(side) for side in zip(*pairs))
        shapes = SHAPE_OF_PHONE[read] == SHAPE_OF_PHONE[true]
        return {"phone_accuracy": float((read == true).mean()), "shape_accuracy": float(shapes.mean())}

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        return with_neighbours(features.astype(np.float32), self.config.n_around, self.config.n_around)


def likeliest_path(scores: np.ndarray, change_costs: float) -> np.ndarray:
    """Return the sequence of states ``(T,)`` of the largest sum of scores ``(T, N)`` less ``change_costs`` a change."""
    best = scores[0].astype(np.float64)
    came_from = np.zeros(scores.shape, np.int64)
    stay = np.arange(scores.shape[1])
    for step in range(1, len(scores)):
        leader = int(best.argmax())
        changed = best[leader] - change_costs > best
        came_from[step] = np.where(changed, leader, stay)
        best = np.where(changed, best[leader] - change_costs, best) + scores[step]
    path = np.empty(len(scores), np.int64)
    path[-1] = best.argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path
