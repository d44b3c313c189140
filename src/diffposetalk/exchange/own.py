"""Our own motion file (`.npz`), as a row among the formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffposetalk.exchange import Scene
    from diffposetalk.motion import Motion


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the motion; nothing is lost."""
    motion.save(path)


def read(path: Path) -> Motion:
    """Read a motion written by `Motion.save`."""
    from diffposetalk.motion import Motion

    return Motion.load(path)
