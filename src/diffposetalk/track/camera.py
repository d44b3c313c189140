"""A pinhole camera, and heads seen by it.

Camera frame: metres, x right and y up in the picture, looking along -z; so a head at rest that looks into the camera has
no rotation. Pictures: pixels, x right, y down, from the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import UsageError

LONG_SIDE_DEG = 30.0
"""The angle of view that is taken for the longer side of a picture of which nothing is known."""


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion."""

    focal: float
    """Pixels."""
    centre: tuple[float, float]
    """Where the optical axis meets the picture, pixels."""

    @staticmethod
    def of_size(size: tuple[int, int], long_side_deg: float | None = None) -> Pinhole:
        """Return the camera of pictures of a size.

        Args:
            size: width and height, pixels.
            long_side_deg: angle of view of the longer side, degrees; None for a usual one.

        Raises:
            UsageError: an impossible angle.
        """
        angle = LONG_SIDE_DEG if long_side_deg is None else long_side_deg
        if not 1 <= angle <= 150:
            raise UsageError(f"the camera's angle of view must be between 1 and 150 degrees, got {angle:g}")
        return Pinhole(max(size) / 2 / np.tan(np.deg2rad(angle) / 2), (size[0] / 2, size[1] / 2))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return where points ``(..., 3)`` of the camera frame appear: ``(..., 2)`` pixels."""
        depth = np.maximum(-points[..., 2:], 1e-3)
        flat = self.focal * points[..., :2] / depth
        return flat * np.array([1.0, -1.0]) + np.array(self.centre)

    def slopes(self, points: np.ndarray) -> np.ndarray:
        """Return the derivative ``(..., 2, 3)`` of `project`, pixels per metre."""
        near = self.focal / np.maximum(-points[..., 2], 1e-3)
        slopes = np.zeros((*points.shape[:-1], 2, 3))
        slopes[..., 0, 0], slopes[..., 1, 1] = near, -near
        slopes[..., 0, 2] = near * near / self.focal * points[..., 0]
        slopes[..., 1, 2] = -near * near / self.focal * points[..., 1]
        return slopes

    def first_pose(self, model: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Guess where heads are, as if from far away, from landmarks with depth.

        Args:
            model: ``(n, 3)`` metres on the head.
            seen: ``(T, n, 3)`` pixels, depth away from the camera.

        Returns:
            Rotations ``(T, 3, 3)`` and translations ``(T, 3)`` metres, head to camera.

        Source: Umeyama: Least-squares estimation of transformation parameters between two point patterns (1991).
        """
        there = (seen - [*self.centre, 0.0]) * [1.0, -1.0, -1.0]
        mean_there, mean_here = there.mean(1), model.mean(0)
        u, s, vt = np.linalg.svd((there - mean_there[:, None]).transpose(0, 2, 1) @ (model - mean_here))
        sign = np.ones_like(s)
        sign[:, 2] = np.sign(np.linalg.det(u @ vt))
        rotation = (u * sign[:, None]) @ vt
        scale = (s * sign).sum(1) / ((model - mean_here) ** 2).sum()  # pixels per metre
        distance = self.focal / scale
        middle = np.concatenate([mean_there[:, :2] / scale[:, None], -distance[:, None]], 1)
        return rotation, middle - (rotation @ mean_here)
