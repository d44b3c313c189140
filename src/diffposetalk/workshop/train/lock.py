"""One training at a time in a folder."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import write_error

LOCK = "training.lock"
"""The lock file; the system frees the lock when its process ends."""
OWNER = "training.owner"
"""The file that names the process that holds the lock."""


@contextlib.contextmanager
def training_lock(folder: Path) -> Iterator[None]:
    """Make the folder and hold it for this process while the body runs.

    Two trainings in one folder would write over one another's checkpoints.

    Raises:
        UsageError: another process trains there; the message names it.
        DiffPoseTalkError: the folder cannot be made or written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"{folder}: {_owner(folder)} trains there; wait for it or stop it, or choose another folder with -o"
        ) from None
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        (folder / OWNER).write_text(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    try:
        return (folder / OWNER).read_text()[:200].strip() or "another process"
    except (OSError, ValueError):
        return "another process"
