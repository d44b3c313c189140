"""Companions: files that belong to an output but that the user did not name, such as the sound beside a `.glb`.

An output that was named may be replaced. A companion may replace a file only if that file is one of our own companions
(`mark` writes a note into each of them) or holds the same bytes.
"""

from __future__ import annotations

import filecmp
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from diffposetalk.errors import UsageError
from diffposetalk.files.paths import checked_name, real_path

MARK = b"made by DiffPoseTalk"
"""Text that marks a companion as ours."""
MARK_RANGE = 4096
"""Every companion holds `MARK` within its first or last so many bytes."""


def check_companions(output: Path, names: Iterable[str]) -> list[Path]:
    """Check before the work that the companions of an output overwrite no file of the user.

    Args:
        output: the output that the user named.
        names: file names of its companions, relative to its folder.

    Returns:
        Paths of the companions, to be declared with `FileSet.writes`.

    Raises:
        UsageError: a companion's name is taken by a folder or by a file that is not ours.
    """
    paths = [real_path(output).parent / name for name in names]
    for path in paths:
        check_companion(output, path)
    return paths


def check_companion(output: Path, path: Path, new: Path | None = None) -> None:
    """Check that one companion overwrites no file of the user.

    Args:
        output: the output that the user named.
        path: path of the companion.
        new: the finished companion; an existing file with the same bytes may be replaced by it.

    Raises:
        UsageError: the path is taken by a folder or by a file that is not ours.
    """
    checked_name(path)
    if not os.path.lexists(path) or is_ours(path):
        return
    if new is not None and path.is_file() and filecmp.cmp(path, new, shallow=False):
        return
    raise UsageError(f"{path}: already exists, and {output} needs that name beside it; move it or name another output")


def is_ours(path: Path) -> bool:
    """Return whether a file is marked as a companion of one of our outputs."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            if MARK in file.read(MARK_RANGE):
                return True
            file.seek(max(0, os.fstat(file.fileno()).st_size - MARK_RANGE))
            return MARK in file.read(MARK_RANGE)
    except OSError:
        return False


def mark(path: Path) -> None:
    """Write `MARK` into a companion, in the way its format allows.

    Args:
        path: `.wav`, `.png`, `.jpg`, or text with `#` comments (`.obj`, `.mtl`).

    Raises:
        ValueError: a format that this function does not know yet.
    """
    suffix = path.suffix.lower()
    if suffix in (".obj", ".mtl"):
        with path.open("ab") as file:
            file.write(b"# " + MARK + b"\n")
    elif suffix == ".wav":
        _mark_wav(path)
    elif suffix == ".png":
        data = path.read_bytes()
        chunk = b"tEXt" + b"Software\0" + MARK
        chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        path.write_bytes(data[:-12] + chunk + data[-12:])  # before IEND
    elif suffix in (".jpg", ".jpeg"):
        data = path.read_bytes()
        path.write_bytes(data[:2] + b"\xff\xfe" + struct.pack(">H", len(MARK) + 2) + MARK + data[2:])  # after SOI
    else:
        raise ValueError(f"{path.name}: no way is known to mark {suffix} files as companions")


def _mark_wav(path: Path) -> None:
    """Append a LIST INFO chunk; RIFF chunks have even lengths."""
    text = MARK + b"\0" * (2 - len(MARK) % 2)
    chunk = b"INFO" + b"ISFT" + struct.pack("<I", len(text)) + text
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(b"\0" * (file.tell() % 2) + b"LIST" + struct.pack("<I", len(chunk)) + chunk)
        size = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", size - 8))
