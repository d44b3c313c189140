"""Reading a motion from a file of any known format."""

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
    """Read a motion from a file of any format that can be read; ending and content select the reader.

    Args:
        path: the file.
        fps: frame rate of a CSV file; overrides its times.
        prefer: frame rate of a CSV file where its times allow several.

    Raises:
        InputError: the file is missing, of an unknown kind, or damaged.
        UsageError: `fps` for a file that states its own rate.
    """
    path = Path(path)
    rows = [row for row in FORMATS.values() if row.reader and path.suffix.lower() in row.suffixes]
    if not rows:
        raise InputError(f"{path}: not a motion file; motion is read from {', '.join(suffixes(reading=True))}")
    if not path.is_file():
        raise InputError(f"{path}: no such motion file")
    rows[0].check_installed()
    options = {"fps": fps, "prefer": prefer} if ".csv" in rows[0].suffixes else {}
    if fps is not None and not options:
        raise UsageError(f"{path}: a frame rate can be stated for .csv files only; this file says its own")
    with parsing(path, "motion file"):
        return rows[0].read(path, **options)
