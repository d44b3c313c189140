"""Landmarks of one face over time, and the meaning of MediaPipe's 478 landmarks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.geometry.landmarks import N_MEDIAPIPE

RIGHT_IRIS, LEFT_IRIS = 468, 473
"""Centres of the irises; four points of the edge follow each."""
LID_PAIRS = {
    "right": ((160, 144), (159, 145), (158, 153)),
    "left": ((387, 373), (386, 374), (385, 380)),
}
"""Facing points on the edges of the upper and the lower lid."""
EYE_CORNERS = {"right": (33, 133), "left": (263, 362)}
"""Outer and inner corner."""
LIP_PAIRS = ((81, 178), (82, 87), (13, 14), (312, 317), (311, 402))
"""Facing points on the inner edges of the upper and the lower lip, from the subject's right to the left."""
FOREHEAD, CHIN = 10, 152
LIPS = (0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270,
        291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415)  # fmt: skip
LIDS = (7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246, 249, 263, 362, 373, 374, 380,
        381, 382, 384, 385, 386, 387, 388, 390, 398, 466)  # fmt: skip
BROWS = (46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336)
OUTLINE = (10, 21, 54, 58, 67, 93, 103, 109, 127, 132, 136, 148, 149, 150, 152, 162, 172, 176, 234, 251, 284, 288,
           297, 323, 332, 338, 356, 361, 365, 377, 378, 379, 389, 397, 400, 454)  # fmt: skip
"""Outline of the face. These landmarks slide over the surface when the head turns."""
STEADY = (4, 6, 10, 33, 54, 67, 117, 119, 121, 127, 129, 132, 133, 136, 143, 147, 198, 205, 263, 284, 297, 346, 348, 350,
          356, 358, 361, 362, 365, 372, 376, 420, 425)  # fmt: skip
"""Landmarks that speech moves little: forehead, temples, nose, corners of the eyes, cheeks. MediaPipe also derives the head
pose from them."""
IRISES = tuple(range(RIGHT_IRIS, N_MEDIAPIPE))


@dataclass(frozen=True)
class FaceLandmarks:
    """Landmarks of one face in the frames of a video."""

    points: np.ndarray = field(repr=False)
    """``(T, 478, 3)`` float32 pixels: x right, y down, depth away from the camera; NaN where the face was lost."""
    times: np.ndarray = field(repr=False)
    """``(T,)`` seconds from the beginning of the file, increasing."""
    size: tuple[int, int]
    """Width and height of the pictures, pixels."""

    def __post_init__(self) -> None:
        if self.points.shape != (len(self.times), N_MEDIAPIPE, 3):
            raise InputError(f"landmarks must be ({len(self.times)}, {N_MEDIAPIPE}, 3), got {self.points.shape}")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def detected(self) -> np.ndarray:
        """``(T,)`` True where the face was detected."""
        return np.isfinite(self.points[:, 0, 0])

    @property
    def fps(self) -> float:
        """Frames per second, from the median time step."""
        return float(1 / np.median(np.diff(self.times))) if len(self) > 1 else 25.0

    def slice(self, start: int, stop: int) -> FaceLandmarks:
        """Return the frames from `start` to before `stop`."""
        return replace(self, points=self.points[start:stop], times=self.times[start:stop])


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Return the inter-ocular distance ``(...)`` between the iris centres, in the unit of `points` ``(..., 478, 2 or 3)``."""
    return np.linalg.norm(points[..., RIGHT_IRIS, :] - points[..., LEFT_IRIS, :], axis=-1)


def lip_aperture(points: np.ndarray) -> np.ndarray:
    """Return the inner-lip gap divided by the height of the face ``(...)``, of points ``(..., 478, 2 or 3)``."""
    upper, lower = (points[..., [pair[side] for pair in LIP_PAIRS[1:4]], :] for side in (0, 1))
    height = np.linalg.norm(points[..., FOREHEAD, :] - points[..., CHIN, :], axis=-1)
    return np.linalg.norm(upper - lower, axis=-1).mean(-1) / height


def lid_opening(points: np.ndarray, side: str) -> np.ndarray:
    """Return the gap between the lids of an eye divided by its width ``(...)``, of points ``(..., 478, 2 or 3)``."""
    upper, lower = (points[..., [pair[k] for pair in LID_PAIRS[side]], :] for k in (0, 1))
    outer, inner = EYE_CORNERS[side]
    width = np.linalg.norm(points[..., outer, :] - points[..., inner, :], axis=-1)
    return np.linalg.norm(upper - lower, axis=-1).mean(-1) / width
