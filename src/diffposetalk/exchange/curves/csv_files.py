"""CSV files of motion: the header selects the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import InputError
from diffposetalk.exchange.curves import livelink, nim, table
from diffposetalk.exchange.tables import Table

if TYPE_CHECKING:
    from diffposetalk.motion import Motion


def read(path: Path, fps: float | None = None, prefer: float | None = None) -> Motion:
    """Read a Live Link Face take, an Audio2Face-3D table or a table of ours.

    Args:
        path: the file.
        fps: its frame rate; overrides its times.
        prefer: frame rate to choose if its times allow several.

    Raises:
        InputError: the file has none of these formats, or is damaged.
    """
    rows = Table.read(path)
    if rows.column("timecode") is not None:
        parse = nim.parse if any(name.startswith(nim.PREFIX) for name in rows.names) else livelink.parse
        return parse(rows, fps, prefer)
    if rows.column("time") is not None or rows.column("timestamp") is not None:
        return table.parse(rows, fps, prefer)
    first_names = ", ".join(rows.names[:3])
    raise InputError(
        f"{path}: not a table of motion: it has the columns {first_names}, ... but no Timecode (Live Link Face), "
        "timeCode (Audio2Face) or time"
    )
