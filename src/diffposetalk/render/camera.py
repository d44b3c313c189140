"""The camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import UsageError

PORTRAIT_HEIGHT = 0.335
"""What a portrait shows of the plane through the middle of the head, metres; a head is about 0.23."""

PORTRAIT_WIDTH = 0.27
"""A portrait that is taller than wide shows at least this much from left to right, metres."""

BUST_HEIGHT = 0.28
"""A mesh that is taller has shoulders, metres; their lower edge stays out of the picture."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at a point, upright."""

    target: tuple[float, float, float]
    """Point in the middle of the picture, metres."""
    distance: float
    """Distance from the target, metres."""
    azimuth: float = 0.0
    """Radians about +Y from straight ahead (+Z); positive sees the subject's left side."""
    elevation: float = 0.0
    """Radians above the horizon."""
    field_of_view: float = float(np.deg2rad(25))
    """Vertical, radians."""

    def __post_init__(self) -> None:
        if not self.distance > 0:
            raise UsageError(f"a camera needs a distance above 0, got {self.distance}")
        if not 0 < self.field_of_view < np.pi:
            raise UsageError(f"a camera needs a field of view between 0 and pi, got {self.field_of_view}")

    @staticmethod
    def portrait(vertices: np.ndarray, azimuth: float = 0.0, elevation: float = 0.0, aspect: float = 1.0) -> Camera:
        """Frame a head of human size: a little air above the crown, the shoulders running out of the lower edge.

        Args:
            vertices: ``(V, 3)`` rest vertices, metres; the crown is the highest.
            azimuth: radians, see `Camera.azimuth`.
            elevation: radians, see `Camera.elevation`.
            aspect: width of the picture divided by its height.
        """
        low, high = vertices.min(0), vertices.max(0)
        height, width = float(high[1] - low[1]), float(high[0] - low[0])
        is_bust = height > BUST_HEIGHT
        shown = min(PORTRAIT_HEIGHT, 0.94 * height if is_bust else 1.15 * max(height, width))
        head = vertices[vertices[:, 1] > high[1] - 0.6 * shown]
        middle = (head.min(0) + head.max(0)) / 2
        y = float(high[1]) - 0.42 * shown
        if (wider := min(PORTRAIT_WIDTH, 1.15 * width) / aspect) > shown:  # the picture is taller than wide
            shown = wider
            if is_bust:
                y = max(y, float(low[1]) + 0.06 * height + shown / 2)
        fov = float(np.deg2rad(25))
        distance = float(shown / (2 * np.tan(fov / 2)))
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
    """Return the ``(4, 4)`` rigid motion into the frame of a camera at `eye` that looks at `target`, upright."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = [right, np.cross(back, right), back]
    view[:3, 3] = -view[:3, :3] @ eye
    return view
