"""Motion in `.npz` files: our own format, and files of FLAME trackers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.files.npz import npz_names

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write our own format, without loss."""
    try:
        motion.save(path)
    except DiffPoseTalkError as error:  # it names the temporary file; `export` names the output
        raise error.__cause__ or error from None


def read(path: Path) -> Motion:
    """Read our own format or a tracker's file; the names of the arrays select the format.

    Raises:
        InputError: the file has neither format, or is damaged.
    """
    from diffposetalk.exchange.curves import trackers
    from diffposetalk.motion import Motion

    names = npz_names(path) or set()
    layout = None if "format_version" in names else trackers.layout_of(names)
    return Motion.load(path) if layout is None else trackers.read(path, layout)
