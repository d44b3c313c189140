"""Array files (.npz, .npy): read without pickles and within the memory limit; written atomically."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from diffposetalk.files.atomic import write_atomically
from diffposetalk.files.limits import check_bytes, check_file, read_bytes
from diffposetalk.files.parsing import parsing

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # as 2.0, in UTF-8
}
"""Format version -> reader of the header."""


def read_npz(path: str | os.PathLike[str], what: str) -> dict[str, np.ndarray]:
    """Read all arrays of a file.

    The sizes that the file declares are checked before an array is read.

    Args:
        path: the file.
        what: expected kind of file, for errors: "motion file".

    Returns:
        Arrays of numbers and text by name. Members that are not arrays (names without ``.npy``) are left out.

    Raises:
        InputError: the file is missing, damaged, not an npz file, holds Python objects, or is larger than the limit.
    """
    with parsing(path, what):
        check_file(path, what)
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            check_bytes(path, sum(info.file_size for info in members), what)
            arrays = {}
            for info in members:
                name = info.filename.removesuffix(".npy")
                with archive.open(info) as file:
                    _check_header(file, info.file_size, f"the array {name[:60]!r}")
                with archive.open(info) as file:
                    arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
            return arrays


def read_npy(path: str | os.PathLike[str], what: str) -> np.ndarray:
    """Read an array of numbers or text.

    Raises:
        InputError: the file is missing, damaged, not a .npy file, holds Python objects, or is larger than the limit.
    """
    return parse_npy(read_bytes(path, what), path, what)


def parse_npy(data: bytes, path: str | os.PathLike[str], what: str) -> np.ndarray:
    """Return the array in the bytes of a .npy file.

    Args:
        data: content of the file.
        path: the file, for errors.
        what: expected kind of file, for errors.

    Raises:
        InputError: the bytes are damaged, not a .npy file, or hold Python objects.
    """
    with parsing(path, what):
        _check_header(io.BytesIO(data), len(data), "the array")
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and dtype from the header of a .npy file; ``file`` then stands at the data.

    Raises:
        ValueError: it is not a .npy file, or its format version is unknown.
    """
    version = np.lib.format.read_magic(file)  # type: ignore[arg-type]
    if version not in _READ_HEADER:
        raise ValueError(f"version {version[0]}.{version[1]} of the .npy format is unknown")
    shape, _, dtype = _READ_HEADER[version](file)  # type: ignore[arg-type]
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("its shape is not a row of whole numbers")
    return shape, dtype


def _check_header(file: IO[bytes], n_bytes: int, name: str) -> None:
    """Refuse an array that declares more data than the file holds, or that holds Python objects.

    Args:
        file: of the .npy format.
        n_bytes: length of the whole file.
        name: of the array, for the message.

    Raises:
        ValueError: see above.
    """
    shape, dtype = read_npy_header(file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are not read")
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize > n_bytes - file.tell() or count > n_bytes:
        raise ValueError(f"{name} declares more numbers than the file holds")


def npz_names(path: str | os.PathLike[str]) -> set[str] | None:
    """Return the names of the arrays in an npz file. Return None for any other file; `read_npz` explains what is wrong."""
    if not Path(path).is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            return {name.removesuffix(".npy") for name in file.namelist()}
    except Exception:  # errors of a damaged zip file have no common base
        return None


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, Any], compressed: bool = True) -> None:
    """Write named arrays.

    Raises:
        DiffPoseTalkError: the folder is missing or the disk refuses.
    """
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
