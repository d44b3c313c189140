"""JSON files of motion: the keys select the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import InputError
from diffposetalk.exchange.curves import a2f, lam
from diffposetalk.exchange.documents import read_json

if TYPE_CHECKING:
    from diffposetalk.motion import Motion


def read(path: Path) -> Motion:
    """Read an Audio2Face, LAM or BEAT file.

    Raises:
        InputError: the file has none of these formats, is too large, or is damaged.
    """
    document = read_json(path)
    for keys, parse in ((("facsNames", "weightMat"), a2f.parse), (("names", "frames"), lam.parse)):
        if set(keys) <= set(document):
            return parse(document, path)
    raise InputError(
        f"{path}: not a motion; a JSON motion has facsNames and weightMat (Audio2Face) or names and frames (LAM, BEAT)"
    )
