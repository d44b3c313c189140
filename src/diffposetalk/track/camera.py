"""A pinhole camera.

Camera frame: metres, x right and y up in the picture; the camera looks along -z. A head at rest that faces the camera has
the identity rotation. Pictures: pixels, x right, y down, origin in the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import UsageError

LONG_SIDE_DEG = 30.0
"""Default angle of view over the longer side of the picture, degrees."""


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion."""

    focal: float
    """Focal length, pixels."""
    centre: tuple[float, float]
    """Principal point, pixels."""

    @staticmethod
    def of_size(size: tuple[int, int], long_side_deg: float | None = None) -> Pinhole:
        """Return the camera for pictures of a given size.

        Args:
            size: width and height, pixels.
            long_side_deg: angle of view of the longer side, degrees; None for the default.

        Raises:
            UsageError: the angle is out of range.
        """
        angle = LONG_SIDE_DEG if long_side_deg is None else long_side_deg
        if not 1 <= angle <= 150:
            raise UsageError(f"the camera's angle of view must be between 1 and 150 degrees, got {angle:g}")
        return Pinhole(max(size) / 2 / np.tan(np.deg2rad(angle) / 2), (size[0] / 2, size[1] / 2))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points ``(..., 3)`` of the camera frame to ``(..., 2)`` pixels."""
        depth = np.maximum(-points[..., 2:], 1e-3)
        flat = self.focal * points[..., :2] / depth
        return flat * np.array([1.0, -1.0]) + np.array(self.centre)

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Return the Jacobian ``(..., 2, 3)`` of `project`, pixels per metre."""
        near = self.focal / np.maximum(-points[..., 2], 1e-3)
        jacobian = np.zeros((*points.shape[:-1], 2, 3))
        jacobian[..., 0, 0], jacobian[..., 1, 1] = near, -near
        jacobian[..., 0, 2] = near * near / self.focal * points[..., 0]
        jacobian[..., 1, 2] = -near * near / self.focal * points[..., 1]
        return jacobian

    def first_pose(self, model: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate initial head poses from landmarks with depth, with an orthographic camera.

        Args:
            model: ``(n, 3)`` metres on the head.
            landmarks: ``(T, n, 3)`` pixels, depth away from the camera.

        Returns:
            Rotations ``(T, 3, 3)`` and translations ``(T, 3)`` metres, head to camera.

        Source: Umeyama: Least-squares estimation of transformation parameters between two point patterns (1991).
        """
        target = (landmarks - [*self.centre, 0.0]) * [1.0, -1.0, -1.0]
        target_mean, model_mean = target.mean(1), model.mean(0)
        u, s, vt = np.linalg.svd((target - target_mean[:, None]).transpose(0, 2, 1) @ (model - model_mean))
        sign = np.ones_like(s)
        sign[:, 2] = np.sign(np.linalg.det(u @ vt))
        rotation = (u * sign[:, None]) @ vt
        scale = (s * sign).sum(1) / ((model - model_mean) ** 2).sum()  # pixels per metre
        distance = self.focal / scale
        middle = np.concatenate([target_mean[:, :2] / scale[:, None], -distance[:, None]], 1)
        return rotation, middle - (rotation @ model_mean)
