"""A look at the pickles of a torch file before torch reads it: nothing is built, memory and time stay small."""

from __future__ import annotations

import io
import pickletools
import zipfile
from pathlib import Path
from typing import IO

LONGEST_NAME = 200
"""Characters of a name that a pickle refers to; libraries take very long to say that they refuse a longer one."""
MOST_PICKLE_BYTES = 2**26
"""Size of the pickle in a torch file; the tensors lie outside it."""
N_OLD_PICKLES = 5
"""Pickles at the beginning of a file in the format before torch 1.6."""
ALLOCATING = ("bytearray", "bytes")
"""Names that torch allows, and that make a number into as many bytes."""


def danger(path: str | Path) -> str | None:
    """Return why torch must not read a file: its pickles would make it hang or take memory without end.

    A damaged file is none; torch says what is wrong with it.
    """
    try:
        if not zipfile.is_zipfile(path):
            with Path(path).open("rb") as file:
                dangers = [_danger(file) for _ in range(N_OLD_PICKLES) if file.peek(1)]
                return next((each for each in dangers if each), None)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.rpartition("/")[2] == "data.pkl":
                    if member.file_size > MOST_PICKLE_BYTES:
                        return f"its pickle takes {member.file_size} bytes, more than {MOST_PICKLE_BYTES}"
                    return _danger(io.BytesIO(archive.read(member)))
    except Exception:  # pickletools and zipfile raise many kinds for a damaged file
        return None
    return None


def _danger(file: IO[bytes]) -> str | None:
    """Read one pickle's instructions up to its end; torch knows no other instruction with a name than GLOBAL."""
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name != "GLOBAL" or not isinstance(argument, str):
            continue
        if len(argument) > LONGEST_NAME:
            return f"it refers to a name of {len(argument)} characters"
        if argument.rpartition(" ")[2] in ALLOCATING:
            return f"it asks for more than tensors and options: {argument}"
    return None
