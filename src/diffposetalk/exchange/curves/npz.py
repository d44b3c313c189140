"""Motion in `.npz` files: our own, and what trackers of FLAME write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.files.npz import npz_names

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write our own file; nothing is lost."""
    try:
        motion.save(path)
    except DiffPoseTalkError as error:  # of a name beside the output's own, which `export` knows
        raise error.__cause__ or error from None


def read(path: Path) -> Motion:
    """Read our own file, or a tracker's, told by the names of its arrays.

    Raises:
        InputError: it is neither, or damaged.
    """
    from diffposetalk.exchange.curves import trackers
    from diffposetalk.motion import Motion

    names = npz_names(path) or set()
    layout = None if "format_version" in names else trackers.layout_of(names)
    return Motion.load(path) if layout is None else trackers.read(path, layout)
