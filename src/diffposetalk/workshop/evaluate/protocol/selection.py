"""Which clips a new protocol takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Item = TypeVar("Item")

FPS = 25.0
"""Frame rate of new protocols."""


@dataclass(frozen=True)
class Selection:
    """Options of a new protocol."""

    clips: int | None = None
    """Most clips; None means all of a folder, and 24 of a corpus."""
    style: Literal["other", "self", "none"] = "other"
    """Source of the style: another clip of the same speaker, the clip itself (systems then see the motion that they are
    compared with), or none."""
    samples: int = 3
    """Number of seeds."""
    longest_s: float = 20.0
    """Longer clips are cut, seconds."""
    shortest_s: float = 2.0
    """Shorter clips are left out, seconds."""
    validation_share: float = 0.08
    """Of a corpus: share of speakers held out when the models were trained, as in their recipes."""


def evenly(items: Sequence[Item], count: int | None) -> list[Item]:
    """Return at most ``count`` items, evenly spread over the list, in order."""
    if count is None or count >= len(items):
        return list(items)
    return [items[(2 * k + 1) * len(items) // (2 * count)] for k in range(count)]


def whole_frames(seconds: float) -> float:
    """Return the time of the last whole frame within a length."""
    return int(seconds * FPS + 1e-6) / FPS
