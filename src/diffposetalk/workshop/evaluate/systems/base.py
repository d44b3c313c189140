"""What a system is, and what it gives for a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from diffposetalk.motion import Motion
from diffposetalk.workshop.evaluate.protocol.contents import PinnedClip
from diffposetalk.workshop.evaluate.protocol.material import EvaluationClip


@dataclass(frozen=True)
class VertexMotion:
    """Vertices over time."""

    vertices: np.ndarray
    """``(T, V, 3)`` metres, y up, without head rotation."""
    fps: float
    head_pose: np.ndarray | None = None
    """``(T, 3)`` axis-angle, radians; None where it is not known."""

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.vertices) / self.fps


Output: TypeAlias = Motion | VertexMotion
"""What a system gives for one clip and one seed."""


class System(Protocol):
    """Anything that gives motion for the clips of a protocol."""

    @property
    def name(self) -> str:
        """Name in the report."""
        ...

    @property
    def about(self) -> str:
        """What it is, a few words."""
        ...

    def fingerprint(self, clip: PinnedClip) -> str:
        """Return a hash of everything of the system that its outputs for a clip depend on.

        Raises:
            InputError: the system has no outputs for the clip.
        """
        ...

    def outputs(self, clip: EvaluationClip, seeds: Sequence[int]) -> list[Output]:
        """Return what the system gives for a clip: one output for each seed, or fewer where it has fewer.

        Raises:
            InputError: an output is missing, damaged, or does not fit the clip.
        """
        ...
