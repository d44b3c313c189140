"""Pictures of 255 colours, as GIF needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

LOOK_AT = 48
"""The colours are chosen from this many pictures at the beginning, so that they do not flicker."""

SAMPLED = 8
"""So many of them are looked at."""

COVERED = 128
"""Pixels with less alpha than this are left out: GIF knows no partly transparent ones."""


class Palette:
    """Turns pictures into indices of one palette, which is chosen from the first ones."""

    def __init__(self) -> None:
        """Wait for the first pictures."""
        self._waiting: list[np.ndarray] = []
        self._colors: Any = None  # a PIL picture that carries the palette
        self._rows = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue

    def frames(self, picture: np.ndarray) -> Iterator[Any]:
        """Take a picture ``(H, W, 3 or 4)`` uint8 and yield the frames that are ready, in order."""
        if self._colors is not None:
            yield self._indexed(picture)
            return
        self._waiting.append(picture.copy())
        if len(self._waiting) >= LOOK_AT:
            yield from self.rest()

    def rest(self) -> Iterator[Any]:
        """Yield the frames of the pictures that were waiting."""
        if self._waiting and self._colors is None:
            self._choose()
        waiting, self._waiting = self._waiting, []
        for picture in waiting:
            yield self._indexed(picture)

    def _choose(self) -> None:
        from PIL import Image

        picked = np.unique(np.linspace(0, len(self._waiting) - 1, SAMPLED).astype(int))
        sheet = np.concatenate([self._waiting[index][..., :3] for index in picked])
        chosen = Image.fromarray(np.ascontiguousarray(sheet)).quantize(255, method=Image.Quantize.MEDIANCUT)
        colors = np.frombuffer(bytes(chosen.getpalette("RGB") or ()), np.uint8).reshape(-1, 3)[:255]
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
            index[picture[..., 3] < COVERED] = 255
        return av.VideoFrame.from_ndarray((np.ascontiguousarray(index), self._rows), format="pal8")
