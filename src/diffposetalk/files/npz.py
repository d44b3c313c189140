"""Files of named arrays (.npz): read without pickles and with one line for what is wrong, written whole or not at all."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import write_atomically


def read_npz(path: str | os.PathLike[str], what: str) -> dict[str, np.ndarray]:
    """Read all arrays of a file.

    Args:
        path: the file.
        what: what it should be, for errors: "motion file".

    Raises:
        InputError: the file is missing, is no npz file, or holds objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except Exception as error:  # zip, header and decompression errors have no common base
        raise InputError(f"{path}: not a {what} ({error})") from None


def npz_names(path: str | os.PathLike[str]) -> set[str] | None:
    """Return the arrays' names alone; None for a file that is no npz, or that cannot be opened (its reader says why)."""
    try:
        with zipfile.ZipFile(path) as file:
            return {name.removesuffix(".npy") for name in file.namelist()}
    except (zipfile.BadZipFile, OSError):
        return None


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, Any], compressed: bool = True) -> None:
    """Write arrays by their names.

    Raises:
        DiffPoseTalkError: the folder is missing or the disk refuses.
    """
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
