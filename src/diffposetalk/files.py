"""Whole files or none: how anything is put on disk."""

from __future__ import annotations

import os
from pathlib import Path

from diffposetalk.errors import InputError


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file or nothing: to a neighbour first, then renamed over the target.

    Raises:
        InputError: the folder is missing or the disk refuses.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from None
    finally:
        partial.unlink(missing_ok=True)
