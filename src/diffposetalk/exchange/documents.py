"""JSON files: reading with clear errors, and writing in one line of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.limits import JSON_FACTOR, read_bytes
from diffposetalk.files.parsing import parsing

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        InputError: the file is missing, too large, not JSON, or holds NaN.
    """

    def refuse(word: str) -> NoReturn:
        raise InputError(f"{path}: holds {word}, which is not a finite number")

    with parsing(path, "JSON file"):
        data = read_bytes(path, "JSON file", JSON_FACTOR)
        document = json.loads(data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"),
                              parse_constant=refuse)  # fmt: skip
    if not isinstance(document, dict):
        raise InputError(f"{path}: not a motion; it must be one JSON object")
    return document


def write_json(document: Any, path: Path) -> None:
    """Write a document in one line."""
    path.write_bytes((json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n").encode())


def matrix(rows: Any, width: int, key: str, path: Path) -> np.ndarray:
    """Return rows of numbers as ``(T, width)`` float64.

    Raises:
        InputError: there are no rows, a row has another width, or a value is not a finite number.
    """
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: {key} holds no frames")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            count = len(row) if isinstance(row, list) else "no"
            raise InputError(f"{path}: {key} of frame {i} has {count} numbers, not {width}")
    try:
        values = np.asarray(rows, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{path}: {key} holds something that is not a number") from None
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {key} holds numbers that are not finite")
    return values


def sound_name(scene: Scene) -> str:
    """Return the file name of the sound that goes with the motion, or an empty text."""
    path = getattr(scene.speech, "path", None)
    return "" if path is None else Path(path).name
