"""JSON files of motion: which format one is, its keys tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.exchange.columns import check_size
from diffposetalk.files import write_atomically

if TYPE_CHECKING:
    from diffposetalk.exchange import Scene
    from diffposetalk.motion import Motion


def read(path: Path) -> Motion:
    """Read an Audio2Face, LAM or BEAT file.

    Raises:
        InputError: it is none of them, too large, or damaged.
    """
    from diffposetalk.exchange import a2f, lam

    document = _document(path)
    for keys, parse in ((("facsNames", "weightMat"), a2f.parse), (("names", "frames"), lam.parse)):
        if set(keys) <= set(document):
            return parse(document, path)
    raise InputError(
        f"{path}: not a motion; a JSON motion has facsNames and weightMat (Audio2Face) or names and frames (LAM, BEAT)"
    )


def _document(path: Path) -> dict[str, Any]:
    check_size(path)

    def refuse(word: str) -> NoReturn:
        raise InputError(f"{path}: holds {word}, which is not a finite number")

    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: not a motion; it must be one JSON object")
    return document


def write_json(document: Any, path: Path) -> None:
    """Write a document in one line."""
    write_atomically(path, (json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n").encode())


def matrix(rows: Any, width: int, key: str, path: Path) -> np.ndarray:
    """Return rows of numbers as `(T, width)` float64.

    Raises:
        InputError: there are none, one is of another width, or holds something else than finite numbers.
    """
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: {key} holds no frames")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            count = len(row) if isinstance(row, list) else "no"
            raise InputError(f"{path}: {key} of frame {i} has {count} numbers, not {width}")
    try:
        values = np.asarray(rows, np.float64)
    except (ValueError, TypeError):
        raise InputError(f"{path}: {key} holds something that is not a number") from None
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {key} holds numbers that are not finite")
    return values


def sound_name(scene: Scene) -> str:
    """Return the file name of the sound that goes with the motion, or nothing."""
    path = getattr(scene.speech, "path", None)
    return "" if path is None else Path(path).name
