"""Read a motion from any program's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import InputError, UsageError
from diffposetalk.exchange.formats import FORMATS, suffixes
from diffposetalk.files.parsing import parsing

if TYPE_CHECKING:
    from diffposetalk.motion import Motion


def load_motion(path: str | os.PathLike[str], fps: float | None = None, prefer: float | None = None) -> Motion:
    """Read a motion from any file that has a reader; its suffix and content tell which.

    Args:
        path: the file.
        fps: frame rate of a CSV file, whatever its times say.
        prefer: frame rate of a CSV file where its times allow several.

    Raises:
        InputError: it is missing, of an unknown kind, or damaged.
    """
    path = Path(path)
    known = [row for row in FORMATS.values() if row.reader and path.suffix.lower() in row.suffixes]
    if not known:
        raise InputError(f"{path}: not a motion file; motion is read from {', '.join(suffixes(reading=True))}")
    if not path.is_file():
        raise InputError(f"{path}: no such motion file")
    known[0].check_installed()
    options = {"fps": fps, "prefer": prefer} if ".csv" in known[0].suffixes else {}
    if fps is not None and not options:
        raise UsageError(f"{path}: a frame rate can be stated for .csv files only; this file says its own")
    with parsing(path, "motion file"):
        return known[0].read(path, **options)
