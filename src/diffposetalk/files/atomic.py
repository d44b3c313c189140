"""Output files: checked before the work starts, written beside their place, renamed when complete."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError, UsageError

HEADER_KEY = "diffposetalk"
"""Our one key in a safetensors header, a JSON object: several keys would be written in random order."""


def check_output(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Refuse an output path that could not be written, before any work is done for it.

    Args:
        path: where a result shall go.
        suffixes: the file name endings that are known, lower case with the dot.

    Returns:
        The path as a `Path`.

    Raises:
        UsageError: the suffix is unknown, the folder is missing or read-only, or the path is a folder.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: cannot write '{path.suffix}' files here; use one of {', '.join(suffixes)}")
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"{path}: the folder {folder} does not exist; create it first")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, not a file name")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: no permission to write in the folder {folder}")
    return path


def check_new_folder(path: str | Path) -> Path:
    """Refuse the name of a folder to be made that is there already (an empty one is let pass), or has no place to be.

    Raises:
        UsageError: it is there, or its parent is missing or read-only.
    """
    path = Path(path)
    parent = path.absolute().parent
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path}: is there already; remove it first or write elsewhere")
    if not parent.is_dir():
        raise UsageError(f"{path}: the folder {parent} does not exist; create it first")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"{path}: no permission to write in the folder {parent}")
    return path


def check_run_folder(path: str | Path) -> Path:
    """Refuse the name of a folder for a run that can neither be gone on with nor be made, with the folders above it.

    Raises:
        UsageError: something that is no folder is in the way, or the nearest folder that exists is read-only.
    """
    path = Path(path)
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise UsageError(f"{path}: {nearest} is a file, not a folder; write elsewhere")
    if not os.access(nearest, os.W_OK):
        raise UsageError(f"{path}: no permission to write in the folder {nearest}")
    return path


def write_error(path: str | Path, error: BaseException) -> DiffPoseTalkError:
    """Return the one-line error for a failed write of `path`."""
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC:
        reason = "the disk is full; free some space or write elsewhere"
    elif number == errno.EFBIG:
        reason = "the file grew past the size that this system or account allows"
    elif number == errno.EDQUOT:
        reason = "the disk quota is used up"
    else:
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
    return DiffPoseTalkError(f"{path}: could not be written: {reason}")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; rename it to `path` on success, remove it on any failure.

    So `path` is either as it was or complete, also after Ctrl-C or a full disk.

    Args:
        path: the file to be written.

    Yields:
        A path in the same folder with the same suffix.

    Raises:
        DiffPoseTalkError: the operating system refused a write; the message names `path` and the reason.
    """
    path = Path(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


@contextlib.contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; rename it to `path` on success, remove it on any failure.

    Args:
        path: the folder to be made; absent, or empty.

    Yields:
        A folder with the same parent.

    Raises:
        DiffPoseTalkError: the operating system refused; the message names `path` and the reason.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        beside.mkdir()
        yield beside
        if path.is_dir():
            path.rmdir()  # empty: `check_new_folder` has seen to it
        os.replace(beside, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file or nothing.

    Args:
        path: the file to be written.
        data: its whole content.

    Raises:
        DiffPoseTalkError: the folder is missing or the disk refuses; the message names `path` and the reason.
    """
    with replacing(Path(path)) as beside:
        beside.write_bytes(data)
