"""How much one input file may hold in memory; every reader asks here before it reads.

A small file can ask for a lot of memory: it is compressed, sparse, or declares an array of 10**9 numbers. Readers
compute what a file declares and call `check_bytes` before they allocate anything.
"""

from __future__ import annotations

import os
from pathlib import Path

from diffposetalk.errors import InputError, UsageError

VARIABLE = "DIFFPOSETALK_MAX_BYTES"
"""Environment variable that sets the limit, in bytes."""
DEFAULT_MAX_BYTES = 2**30
"""Limit without that variable: 1 GiB."""
JSON_FACTOR = 8
"""Bytes of memory that Python needs for each byte of JSON text, about, where it is mostly numbers."""


def max_bytes() -> int:
    """Return the largest number of bytes that one input file may take in memory.

    Raises:
        UsageError: the environment variable is not a positive whole number.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return DEFAULT_MAX_BYTES
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19):
        raise UsageError(f"{VARIABLE} must be a positive whole number of bytes, not {text[:40]!r}")
    return int(text)


def check_bytes(path: str | os.PathLike[str], n_bytes: int, what: str) -> None:
    """Refuse a file that would take more memory than the limit.

    Args:
        path: the file, for the message.
        n_bytes: memory that it declares to need.
        what: what it should be, for the message: "motion file".

    Raises:
        InputError: ``n_bytes`` is above `max_bytes`.
    """
    limit = max_bytes()
    if n_bytes > limit:
        raise InputError(
            f"{path}: this {what} needs {_size(n_bytes)} of memory, more than the limit of {_size(limit)}; "
            f"set the environment variable {VARIABLE} to a larger number of bytes to read it"
        )


def read_bytes(path: str | os.PathLike[str], what: str, factor: int = 1) -> bytes:
    """Read a whole file whose size is within the limit.

    Args:
        path: the file.
        what: what it should be, for messages.
        factor: bytes of memory that the parser needs for each byte of the file (`JSON_FACTOR` for JSON).

    Raises:
        InputError: it is missing, is not a regular file, cannot be opened, or is larger than the limit.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such {what}")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise InputError(f"{path}: is {kind}; a {what} is needed")
    try:
        check_bytes(path, path.stat().st_size * factor, what)
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def _size(n_bytes: int) -> str:
    """Return a number of bytes for people: "8.0 GB"."""
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    value = float(min(n_bytes, 10**30))
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return "over 1000 TB"
