"""Detection of small faces: search in parts of the picture, then follow in a part that moves with the face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from diffposetalk.track.detection import FaceFinder, open_finder

LARGEST_PART = 640
"""Longest side of a part, pixels. MediaPipe's detector scales pictures to 128 pixels, so in a part of
this size a face of 60 pixels becomes 12 pixels."""
MARGIN = 2.0
"""Distance from the centre of the face to each side of its part, as a multiple of the size of the face."""
STRAY = 0.5
"""Distance of the face from the centre of its part at which the part moves, as a share of the distance `MARGIN`."""
AGAIN_S = 0.4
"""Interval between searches for a lost face, seconds."""

Part = tuple[int, int, int, int]
"""Left, upper, right and lower edge of a part of a picture, pixels."""


def parts(height: int, width: int) -> Iterator[Part]:
    """Yield squares that cover a picture and overlap by half; their side is half the shorter side, at most `LARGEST_PART`."""
    side = max(1, min(min(height, width) // 2, LARGEST_PART))

    def starts(length: int) -> np.ndarray:
        n = 1 + int(np.ceil(2 * (length - side) / side))
        return np.linspace(0, length - side, n).round().astype(int)

    for top in starts(height):
        for left in starts(width):
            yield int(left), int(top), int(left + side), int(top + side)


def largest(picture: np.ndarray, finder: FaceFinder, time_s: float) -> np.ndarray | None:
    """Return the largest face in any part of a picture, ``(478, 3)`` as in `FaceFinder.find`, or None.

    Args:
        picture: ``(H, W, 3)`` uint8 RGB.
        finder: opened for still pictures.
        time_s: time of the picture, seconds.
    """
    faces = [face for part in parts(*picture.shape[:2]) for face in faces_in(picture, part, finder, time_s)]
    return max(faces, key=_size, default=None)


def faces_in(picture: np.ndarray, part: Part, finder: FaceFinder, time_s: float) -> list[np.ndarray]:
    """Return the faces in a part of a picture, in coordinates of the whole picture."""
    left, top, right, bottom = part
    offset = np.array([left, top, 0], np.float32)
    return [face + offset for face in finder.find(picture[top:bottom, left:right], time_s)]


def around(face: np.ndarray, height: int, width: int) -> Part:
    """Return the part of a picture around a face in which the face is followed."""
    x, y = _middle(face)
    reach = max(16.0, MARGIN * _size(face))
    left, right = (int(np.clip(value, 0, width)) for value in (x - reach, x + reach))
    top, bottom = (int(np.clip(value, 0, height)) for value in (y - reach, y + reach))
    return left, top, right, bottom


class SearchingFinder:
    """Follows one small face; see `FaceFinder`."""

    def __init__(self, model: str | Path | None = None) -> None:
        """Open the detectors; see `open_finder`."""
        self._near, self._far = open_finder(model, 1), open_finder(model, 1, still=True)
        self._part: Part | None = None
        self._searched = -np.inf

    @property
    def how(self) -> str:
        """Name of the detector, for reports."""
        return f"{self._near.how}, in parts of the picture"

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Find the face of the next picture; see `FaceFinder.find`."""
        faces = [] if self._part is None else faces_in(picture, self._part, self._near, time_s)
        if self._part is None or not faces:
            return self._search(picture, time_s)
        left, top, right, bottom = self._part
        away = np.abs(_middle(faces[0]) - ((left + right) / 2, (top + bottom) / 2)).max()
        grown = _size(faces[0]) * 2 * MARGIN / max(right - left, bottom - top)
        if away > STRAY * MARGIN * _size(faces[0]) or not 0.6 < grown < 1.6:
            moved = around(faces[0], *picture.shape[:2])
            if moved != self._part:
                self._near.restart()
                self._part = moved
        return faces

    def _search(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Search all parts of a picture, unless a search just before found nothing."""
        if self._part is None and time_s - self._searched < AGAIN_S:
            return []
        self.restart()
        self._searched = time_s
        face = largest(picture, self._far, time_s)
        if face is None:
            return []
        self._part = around(face, *picture.shape[:2])
        return faces_in(picture, self._part, self._near, time_s) or [face]

    def restart(self) -> None:
        """Forget earlier pictures, as at a cut."""
        self._near.restart()
        self._part, self._searched = None, -np.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._near.__exit__(kind, error, trace)
        self._far.__exit__(kind, error, trace)


def _middle(face: np.ndarray) -> np.ndarray:
    return (face[:, :2].min(0) + face[:, :2].max(0)) / 2


def _size(face: np.ndarray) -> float:
    return float((face[:, :2].max(0) - face[:, :2].min(0)).max())
