"""Names of temporary files beside an output, and their removal after a process has died.

The temporary file of `talk.mp4` is called `.talk.PID-NUMBER-HOST.partial.mp4`. So processes, threads or machines that
write the same output never share a temporary file. The last one to finish wins, and its file is complete.
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
"""Bytes of the output's name in the temporary name; a checksum replaces the rest."""
LONGEST_SUFFIX = 20
"""Largest length of a file name ending, bytes; a longer one counts as part of the name."""
ABANDONED_S = 24 * 3600.0
"""Age in seconds at which a temporary file of another machine counts as abandoned."""

_number = itertools.count()


def partial_beside(path: Path) -> Path:
    """Return a new temporary name beside `path`, with the same ending. No file is created.

    Args:
        path: absolute path of the output file or folder.
    """
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else ""
    mark = f"{os.getpid()}-{next(_number)}-{_host()}"
    return path.with_name(f".{_short(path)}.{mark}.partial{suffix}")


def remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` that belong to processes that no longer run.

    Args:
        path: absolute path of the output file or folder.
    """
    pattern = re.compile(re.escape(f".{_short(path)}.") + r"(\d+)-\d+-([0-9a-f]{8})\.partial.*", re.DOTALL)
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            match = pattern.fullmatch(name)
            if match and _abandoned(path.parent / name, int(match[1]), match[2]):
                remove(path.parent / name)


def remove(path: Path) -> None:
    """Remove a file or folder if it exists; failures are ignored."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def _short(path: Path) -> str:
    """Return the part of an output's name that the temporary name repeats."""
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
    """Return whether a process of this machine is alive; on Windows always True."""
    if os.name == "nt":  # there, signal 0 would interrupt the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
