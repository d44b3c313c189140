"""Pictures of 255 colours for GIF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

FIRST_PICTURES = 48
"""The palette is chosen from this many pictures at the beginning and then stays, so that colours do not flicker."""

SAMPLED = 8
"""Number of these pictures that are used."""

OPAQUE_ALPHA = 128
"""Pixels with less alpha become transparent: GIF has no partly transparent pixels."""


class Palette:
    """Turns pictures into indices of one palette, which is chosen from the first pictures."""

    def __init__(self) -> None:
        """Start without a palette."""
        self._waiting: list[np.ndarray] = []
        self._colors: Any = None  # a PIL picture with the palette
        self._rows = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue

    def frames(self, picture: np.ndarray) -> Iterator[Any]:
        """Take a picture ``(H, W, 3 or 4)`` uint8 and yield the frames that are ready, in order."""
        if self._colors is not None:
            yield self._indexed(picture)
            return
        self._waiting.append(picture.copy())
        if len(self._waiting) >= FIRST_PICTURES:
            yield from self.rest()

    def rest(self) -> Iterator[Any]:
        """Yield the frames of the pictures that still wait for the palette."""
        if self._waiting and self._colors is None:
            self._choose()
        waiting, self._waiting = self._waiting, []
        for picture in waiting:
            yield self._indexed(picture)

    def _choose(self) -> None:
        from PIL import Image

        indices = np.unique(np.linspace(0, len(self._waiting) - 1, SAMPLED).astype(int))
        sheet = np.concatenate([self._waiting[index][..., :3] for index in indices])
        reduced = Image.fromarray(np.ascontiguousarray(sheet)).quantize(255, method=Image.Quantize.MEDIANCUT)
        colors = np.frombuffer(bytes(reduced.getpalette("RGB") or ()), np.uint8).reshape(-1, 3)[:255]
        self._rows[: len(colors), 1:] = colors
        self._rows[:255, 0] = 255
        self._colors = Image.new("P", (1, 1))
        filled = np.concatenate([colors, np.repeat(colors[-1:], 256 - len(colors), axis=0)])
        self._colors.putpalette(filled.tobytes())

    def _indexed(self, picture: np.ndarray) -> Any:
        import av
        from PIL import Image

        image = Image.fromarray(np.ascontiguousarray(picture[..., :3]))
        index = np.array(image.quantize(palette=self._colors, dither=Image.Dither.FLOYDSTEINBERG))
        index = np.minimum(index, 254)
        if picture.shape[2] == 4:
            index[picture[..., 3] < OPAQUE_ALPHA] = 255
        return av.VideoFrame.from_ndarray((np.ascontiguousarray(index), self._rows), format="pal8")
