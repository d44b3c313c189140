"""Memory limit of one input file. Every reader checks it before reading.

A small file can demand much memory: it may be compressed or sparse, or declare an array of 10**9 numbers. Readers
compute the declared size and call `check_bytes` before they allocate memory.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from diffposetalk.errors import InputError, UsageError

VARIABLE = "DIFFPOSETALK_MAX_BYTES"
"""Environment variable that sets the limit, in bytes."""
DEFAULT_MAX_BYTES = 2**30
"""Default limit: 1 GiB."""
JSON_FACTOR = 8
"""Bytes of memory per byte of JSON text, roughly, for text that is mostly numbers."""


def max_bytes() -> int:
    """Return the memory limit of one input file, bytes.

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
    """Refuse a file that needs more memory than the limit.

    Args:
        path: the file, for the message.
        n_bytes: memory that it needs by its own declaration.
        what: expected kind of file, for the message: "motion file".

    Raises:
        InputError: ``n_bytes`` is above `max_bytes`.
    """
    limit = max_bytes()
    if n_bytes > limit:
        raise InputError(
            f"{path}: this {what} needs {_size(n_bytes)} of memory, more than the limit of {_size(limit)}; "
            f"set the environment variable {VARIABLE} to a larger number of bytes to read it"
        )


def check_file(path: str | os.PathLike[str], what: str, factor: int = 1) -> None:
    """Refuse a path that is missing, is not a regular file (reading a pipe would block), or is larger than the limit.

    Args:
        path: the file.
        what: expected kind of file, for messages.
        factor: bytes of memory that the parser needs per byte of the file (`JSON_FACTOR` for JSON).

    Raises:
        InputError: see above.
    """
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise InputError(f"{path}: is {kind}; a {what} is needed")
    check_bytes(path, status.st_size * factor, what)


def read_bytes(path: str | os.PathLike[str], what: str, factor: int = 1) -> bytes:
    """Read a whole file; arguments and errors as for `check_file`."""
    check_file(path, what, factor)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def _size(n_bytes: int) -> str:
    """Format a number of bytes: "8.0 GB"."""
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    value = float(min(n_bytes, 10**30))
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return "over 1000 TB"
