"""Camera of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import UsageError

PORTRAIT_HEIGHT = 0.335
"""Height that a portrait shows at the distance of the head, metres; a head is about 0.23 high."""

PORTRAIT_WIDTH = 0.27
"""Smallest width that a tall portrait shows, metres."""

BUST_HEIGHT = 0.28
"""A mesh that is higher than this has shoulders, metres; their lower edge stays outside the picture."""


@dataclass(frozen=True)
class Camera:
    """An upright pinhole camera that looks at a point."""

    target: tuple[float, float, float]
    """Point in the middle of the picture, metres."""
    distance: float
    """Distance from the target, metres."""
    azimuth: float = 0.0
    """Angle about +Y from the front (+Z), radians; positive shows the subject's left side."""
    elevation: float = 0.0
    """Angle above the horizon, radians."""
    field_of_view: float = float(np.deg2rad(25))
    """Vertical field of view, radians."""

    def __post_init__(self) -> None:
        if not self.distance > 0:
            raise UsageError(f"a camera needs a distance above 0, got {self.distance}")
        if not 0 < self.field_of_view < np.pi:
            raise UsageError(f"a camera needs a field of view between 0 and pi, got {self.field_of_view}")

    @staticmethod
    def portrait(vertices: np.ndarray, azimuth: float = 0.0, elevation: float = 0.0, aspect: float = 1.0) -> Camera:
        """Return a portrait of a head of human size, with some space above it; shoulders reach the lower edge.

        Args:
            vertices: ``(V, 3)`` rest vertices, metres; the crown is the highest.
            azimuth: radians, see `Camera.azimuth`.
            elevation: radians, see `Camera.elevation`.
            aspect: width of the picture divided by its height.
        """
        low, high = vertices.min(0), vertices.max(0)
        height, width = float(high[1] - low[1]), float(high[0] - low[0])
        is_bust = height > BUST_HEIGHT
        visible = min(PORTRAIT_HEIGHT, 0.94 * height if is_bust else 1.15 * max(height, width))
        head = vertices[vertices[:, 1] > high[1] - 0.6 * visible]
        middle = (head.min(0) + head.max(0)) / 2
        y = float(high[1]) - 0.42 * visible
        if (wider := min(PORTRAIT_WIDTH, 1.15 * width) / aspect) > visible:  # the picture is taller than wide
            visible = wider
            if is_bust:
                y = max(y, float(low[1]) + 0.06 * height + visible / 2)
        fov = float(np.deg2rad(25))
        distance = float(visible / (2 * np.tan(fov / 2)))
        return Camera((float(middle[0]), y, float(middle[2])), distance, azimuth, elevation, fov)

    @property
    def position(self) -> np.ndarray:
        """Position of the camera, ``(3,)`` metres."""
        flat = np.cos(self.elevation)
        ray = [np.sin(self.azimuth) * flat, np.sin(self.elevation), np.cos(self.azimuth) * flat]
        return np.asarray(self.target) + self.distance * np.array(ray)

    def view_projection(self, aspect: float = 1.0) -> np.ndarray:
        """Return the ``(4, 4)`` matrix from metres to OpenGL clip space (applied to columns)."""
        near, far = max(0.05, self.distance - 1.0), self.distance + 2.0
        scale = 1 / np.tan(self.field_of_view / 2)
        projection = np.zeros((4, 4))
        projection[0, 0], projection[1, 1] = scale / aspect, scale
        projection[2, 2], projection[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
        projection[3, 2] = -1
        return projection @ look_at(self.position, np.asarray(self.target))


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the ``(4, 4)`` view matrix of an upright camera at `eye` that looks at `target`."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = [right, np.cross(back, right), back]
    view[:3, 3] = -view[:3, :3] @ eye
    return view
