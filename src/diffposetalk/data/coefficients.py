"""FLAME coefficients as the TFHP data set keeps them, frame by frame, and the motion vector of the paper's model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.motion import Motion, flame_channels

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", np.ndarray, "Tensor")
NAMES = ("shape", "exp", "pose")
"""Names of the three groups in TFHP files: identity, expression, rotation of head and jaw."""
FIXED_WIDTHS = {"pose": 6}
"""Widths of the groups that are the same in every data set: axis-angle of the head and of the jaw, radians."""


@dataclass(frozen=True)
class Coefficients:
    """FLAME coefficients of some frames, under the names the files use."""

    shape: np.ndarray
    """``(..., T, I)`` float32 identity."""
    exp: np.ndarray
    """``(..., T, E)`` float32 expression."""
    pose: np.ndarray
    """``(..., T, 6)`` float32 rotation of the head and of the jaw, axis-angle, radians."""

    def __len__(self) -> int:
        return self.exp.shape[-2]

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> Coefficients:
        """Return the three groups after a function."""
        return Coefficients(*(function(getattr(self, name)) for name in NAMES))

    def slice(self, start: int, stop: int | None = None) -> Coefficients:
        """Return frames ``start`` to ``stop`` (exclusive)."""
        return self.map(lambda values: values[..., start:stop, :])

    def vector(self, head_pose: bool = True) -> np.ndarray:
        """Return the motion vector; see `coefficients_to_vector`."""
        return coefficients_to_vector(self.exp, self.pose, head_pose)

    def motion(self, fps: float = 25.0) -> Motion:
        """Return one clip's expression, head and jaw as a `Motion` (identity left out)."""
        return Motion(
            expression=self.exp,
            expression_names=flame_channels(self.exp.shape[-1], head_pose=False)[:-1],
            head_pose=self.pose[:, :3],
            fps=fps,
            head="flame",
            jaw_pose=self.pose[:, 3:],
        )

    @staticmethod
    def of_motion(motion: Motion, identities: np.ndarray) -> Coefficients:
        """Return the coefficients of a FLAME motion; a motion without jaw has it closed.

        Args:
            motion: on the head "flame".
            identities: ``(I,)`` or ``(T, I)``.

        Raises:
            InputError: the motion is for another head.
        """
        if motion.head != "flame":
            raise InputError(f"the motion is for the head {motion.head!r}, FLAME coefficients need the head 'flame'")
        jaw = np.zeros((len(motion), 3), np.float32) if motion.jaw_pose is None else motion.jaw_pose
        identities = np.broadcast_to(identities, (len(motion), np.shape(identities)[-1]))
        return Coefficients(
            np.array(identities, np.float32), motion.expression, np.concatenate([motion.head_pose, jaw], axis=1)
        )


def coefficients_to_vector(exp: Array, pose: Array, head_pose: bool = True) -> Array:
    """Lay expression and pose side by side as the paper's model sees them.

    Args:
        exp: ``(..., E)``.
        pose: ``(..., 6)``.
        head_pose: with the head's rotation, or the jaw's opening alone.

    Returns:
        ``(..., E + 4)`` or ``(..., E + 1)``: the order of `motion.flame_channels`; jaw y and z are left out.
    """
    rotations = pose[..., :4] if head_pose else pose[..., 3:4]
    if isinstance(exp, np.ndarray):
        return np.concatenate([exp, rotations], axis=-1)
    import torch

    return torch.cat([exp, rotations], dim=-1)
