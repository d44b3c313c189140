"""Backgrounds of pictures."""

from __future__ import annotations

from dataclasses import dataclass

from diffposetalk.errors import UsageError


@dataclass(frozen=True)
class Background:
    """A colour gradient from the middle of the picture to its edge, or transparency."""

    center: tuple[float, float, float]
    """sRGB in the middle, in [0, 1]."""
    edge: tuple[float, float, float]
    """sRGB at the edge, in [0, 1]."""
    opacity: float = 1.0
    """Opacity in [0, 1]; below 1, pictures have an alpha channel."""

    @property
    def is_transparent(self) -> bool:
        """Whether pictures have an alpha channel."""
        return self.opacity < 1

    @staticmethod
    def parse(word: str) -> Background:
        """Return the background of a name or colour.

        Args:
            word: `studio`, `transparent`, or a colour: a CSS name, `#rgb`, `#rrggbb`, `#rrggbbaa`, `rgb(...)`.

        Raises:
            UsageError: unknown name or colour.
        """
        if word == "studio":
            return STUDIO
        if word == "transparent":
            return TRANSPARENT
        from PIL import ImageColor

        try:
            channels = [value / 255 for value in ImageColor.getcolor(word, "RGBA")]  # type: ignore[union-attr]
        except ValueError:
            raise UsageError(
                f"background {word!r}: give studio, transparent, or a colour such as white or #00b140"
            ) from None
        color = (channels[0], channels[1], channels[2])
        return Background(color, color, channels[3])


STUDIO = Background((0.86, 0.87, 0.88), (0.52, 0.54, 0.57))
"""A light grey wall, brightest behind the head."""

TRANSPARENT = Background((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
"""No background."""
