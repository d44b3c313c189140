"""The hidden neighbour that a file is written to before it is renamed, and what is removed if its process has died.

A neighbour of `talk.mp4` is called `.talk.PID-NUMBER-HOST.partial.mp4`, so two processes, threads or machines that write
one file never share a neighbour: the last one to finish wins, and its file is whole.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
import zlib
from pathlib import Path

LONGEST_STEM = 60
"""Bytes of the file's name that its neighbour carries; a checksum stands for the rest."""
LONGEST_SUFFIX = 20
"""Bytes of the suffix that its neighbour carries; a longer one counts as part of the name."""
ABANDONED_S = 24 * 3600.0
"""A neighbour that another machine made is taken for abandoned after so many seconds without a change."""

_number = itertools.count()


def partial_beside(path: Path) -> Path:
    """Return a new name for the neighbour of `path`: same folder, same suffix, never too long; nothing is made.

    Args:
        path: the file or folder to be written, absolute.
    """
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else ""
    mark = f"{os.getpid()}-{next(_number)}-{_host()}"
    return path.with_name(f".{_short(path)}.{mark}.partial{suffix}")


def remove_abandoned(path: Path) -> None:
    """Remove the neighbours of `path` whose processes have died: of a killed run, or one that lost its power.

    Args:
        path: the file or folder to be written, absolute.
    """
    pattern = re.compile(re.escape(f".{_short(path)}.") + r"(\d+)-\d+-([0-9a-f]{8})\.partial.*", re.DOTALL)
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            match = pattern.fullmatch(name)
            if match and _abandoned(path.parent / name, int(match[1]), match[2]):
                remove(path.parent / name)


def remove(path: Path) -> None:
    """Remove a file or folder as far as the system lets us; it may be absent."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def _short(path: Path) -> str:
    """Return the part of a file's name that its neighbour carries."""
    stem = os.fsencode(path.stem if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else path.name)
    if len(stem) <= LONGEST_STEM:
        return os.fsdecode(stem)
    return f"{stem[:LONGEST_STEM].decode(errors='ignore')}~{zlib.crc32(stem):08x}"


def _host() -> str:
    import platform

    return f"{zlib.crc32(platform.node().encode()):08x}"


def _abandoned(path: Path, pid: int, host: str) -> bool:
    if host == _host():
        return not _runs(pid)
    return time.time() - path.lstat().st_mtime > ABANDONED_S


def _runs(pid: int) -> bool:
    """Tell whether a process of this machine is alive; where that cannot be asked (Windows) the answer is yes."""
    if os.name == "nt":  # signal 0 would interrupt it there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
