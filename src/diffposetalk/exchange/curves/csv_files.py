"""CSV files of motion: which format one is, its header tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import InputError
from diffposetalk.exchange.columns import Rows
from diffposetalk.exchange.curves import livelink, nim, table

if TYPE_CHECKING:
    from diffposetalk.motion import Motion

FORMATS = {"Timecode": livelink.parse, "timeCode": nim.parse, "time": table.parse}
"""The column that only this format has, and what reads it."""


def read(path: Path) -> Motion:
    """Read a Live Link Face take, an Audio2Face-3D table or a table of ours.

    Raises:
        InputError: it is none of them, or damaged.
    """
    rows = Rows.read(path)
    for column, parse in FORMATS.items():
        if column in rows.names:
            return parse(rows)
    raise InputError(
        f"{path}: not a table of motion; its header needs Timecode (Live Link Face), timeCode (Audio2Face) or time"
    )
