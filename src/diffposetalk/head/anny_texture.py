"""Colours of the free head, painted by formula."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from diffposetalk.head.anny_build import Joined


def paint(folder: Path, head: Joined) -> dict[str, np.ndarray]:
    """Paint the textures: name of the material to `(H, W, 3 or 4)` uint8 sRGB."""
    return {"eye": eye()}


def eye(size: int = 512, iris_deg: float = 22.0, pupil_deg: float = 8.5, seed: int = 5) -> np.ndarray:
    """Paint an eyeball seen along its axis, azimuthally: the edge of the inscribed circle is the back of the eye.

    Args:
        size: pixels on a side.
        iris_deg, pupil_deg: angular radii seen from the eyeball's centre.
        seed: of the iris fibres and the veins.

    Returns:
        `(size, size, 3)` uint8 sRGB.
    """
    rng = np.random.default_rng(seed)
    place = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(place, -place)
    angle = np.hypot(x, y) * 360.0
    turn = np.arctan2(y, x)

    def edge(at: float, width: float) -> np.ndarray:
        return 1 / (1 + np.exp(np.clip((angle - at) / width, -40, 40)))

    fibres = sum(
        rng.uniform(0.3, 1) * np.cos(n * turn + rng.uniform(0, 6.28) + 0.06 * angle * rng.standard_normal())
        for n in rng.integers(15, 70, 14)
    )
    fibres = fibres / np.abs(fibres).max()
    sclera = np.array([236, 228, 222.0]) - 20 * np.clip((angle[..., None] - 40) / 60, 0, 1) * [0.3, 1, 1]
    depth = np.clip((angle - pupil_deg) / (iris_deg - pupil_deg), 0, 1)[..., None]
    iris = (1 - depth) * [128, 92, 52] + depth * [78, 92, 88.0]
    iris = iris * (0.85 + 0.28 * fibres[..., None])
    iris = iris * (1 - 0.6 * np.clip(depth - 0.75, 0, 1) * 4)
    colour = sclera + edge(iris_deg, 0.5)[..., None] * (iris - sclera)
    colour = colour * (1 - edge(pupil_deg, 0.35)[..., None]) + 8 * edge(pupil_deg, 0.35)[..., None]
    return np.clip(colour, 0, 255).astype(np.uint8)
