"""Output files: checked before the work, written under a temporary name, renamed when complete."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.parsing import first_line
from diffposetalk.files.partial import partial_beside, remove, remove_abandoned
from diffposetalk.files.paths import checked_name, is_node, is_pipe, is_writable_node, real_path

HEADER_KEY = "diffposetalk"
"""The one key of our safetensors headers. Its value is a JSON object; several keys would be written in random order."""
READER_S = 10.0
"""Seconds that a finished result waits until another program opens the output pipe for reading."""


def unknown_ending(path: Path, suffixes: Sequence[str]) -> UsageError:
    """Return the error for an output path whose ending tells no format that can be written there."""
    what = (
        f"cannot write '{path.suffix}' files here" if path.suffix else "the name lacks an ending that tells the format"
    )
    return UsageError(f"{path}: {what}; use one of {', '.join(suffixes)}")


def check_output(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Check before the work that an output path can be written.

    Args:
        path: the output file.
        suffixes: the accepted file name endings, lower case with the dot.

    Returns:
        The path as a `Path`.

    Raises:
        UsageError: the ending is unknown, the name too long, the folder missing or read-only, or the path is a folder,
            a read-only file, a disk or a socket.
    """
    path = checked_name(path)
    if path.suffix.lower() not in suffixes:
        raise unknown_ending(path, suffixes)
    if is_node(path):
        if not is_writable_node(path):
            raise UsageError(f"{path}: is a disk or a socket; name a file")
        if not os.access(path, os.W_OK):
            raise UsageError(f"{path}: no permission to write to it")
        return path
    folder = real_path(path).parent
    if not folder.is_dir():
        link = f" (it is a link to {real_path(path)})" if path.is_symlink() else ""
        raise UsageError(f"{path}: the folder {folder if link else path.parent} does not exist; create it first{link}")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, not a file name")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: no permission to write in the folder {folder}")
    if path.exists() and not os.access(path, os.W_OK):
        raise UsageError(f"{path}: already exists and is read-only; name another file, or make it writable")
    return path


def check_new_folder(path: str | Path) -> Path:
    """Check that a folder can be made. It must not exist, or must be empty.

    Raises:
        UsageError: the folder exists with content, its name is too long, or its parent is missing or read-only.
    """
    path = checked_name(path)
    parent = real_path(path).parent
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path}: already exists; remove it first or write elsewhere")
    if not parent.is_dir():
        raise UsageError(f"{path}: the folder {parent} does not exist; create it first")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"{path}: no permission to write in the folder {parent}")
    return path


def check_run_folder(path: str | Path) -> Path:
    """Check the folder of a run. It may exist (the run is then continued) or be made with its parents.

    Raises:
        UsageError: a file is in the way, the name is too long, or the nearest existing folder is read-only.
    """
    path = checked_name(path)
    nearest = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
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
    elif number == getattr(errno, "EDQUOT", None) is not None:
        reason = "the disk quota is used up"
    else:
        reason = getattr(error, "strerror", None) or first_line(error)
    return DiffPoseTalkError(f"{path}: could not be written: {reason}")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Provide a temporary path beside `path`. Rename it to `path` on success; remove it on failure.

    So `path` is either unchanged or complete, even after Ctrl-C or with a full disk. If `path` is a symbolic link, the
    file behind it is replaced and the link stays. The new file takes the mode and owner of the file it replaces. If
    `path` is a device or a pipe, the complete result is copied into it. If two processes write the same file, the last
    one to finish wins. Temporary files that a killed run left behind are removed.

    Args:
        path: the file to be written.

    Yields:
        An absolute path with the same ending. (Libraries could take a colon in a relative path for a protocol.)

    Raises:
        DiffPoseTalkError: the operating system refused a write; the message names `path` and the reason.
    """
    path = Path(path)
    try:
        if is_node(path):
            import tempfile

            with tempfile.TemporaryDirectory(prefix="diffposetalk-") as folder:
                temporary = Path(folder) / f"result{path.suffix}"
                yield temporary
                _copy_into(temporary, path)
            return
        target = real_path(path)
        remove_abandoned(target)
        temporary = partial_beside(target)
        try:
            _prepare_like(target, temporary)
            yield temporary
            os.replace(temporary, target)
        finally:
            remove(temporary)
    except OSError as error:
        raise write_error(path, error) from error


@contextlib.contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Provide an empty temporary folder beside `path`. Rename it to `path` on success; remove it on failure.

    Args:
        path: the folder to make; it must not exist, or be empty.

    Yields:
        A folder with the same parent.

    Raises:
        DiffPoseTalkError: the operating system refused; the message names `path` and the reason.
    """
    target = real_path(path)
    remove_abandoned(target)
    temporary = partial_beside(target)
    try:
        temporary.mkdir()
        yield temporary
        if target.is_dir():
            keep_mode(target, temporary)
            target.rmdir()  # `check_new_folder` has checked that it is empty
        os.replace(temporary, target)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        remove(temporary)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a complete file, or nothing.

    Args:
        path: the file to be written.
        data: its content.

    Raises:
        DiffPoseTalkError: the folder is missing or the disk refuses; the message names `path` and the reason.
    """
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for one process while files are moved into it. Without file locks (Windows) this does nothing."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network disks do not support locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def keep_mode(existing: Path, new: Path) -> None:
    """Copy the mode of an existing file to its replacement, and the owner if permitted."""
    with contextlib.suppress(OSError):
        status = existing.stat()
        os.chmod(new, stat.S_IMODE(status.st_mode))
        if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (new.stat().st_uid, new.stat().st_gid):
            os.chown(new, status.st_uid, status.st_gid)
            os.chmod(new, stat.S_IMODE(status.st_mode))  # a change of owner clears the set-id bits


def _prepare_like(target: Path, temporary: Path) -> None:
    """Create the temporary file with the mode of the file to be replaced, so that no other user can read it meanwhile."""
    if target.is_file():
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        keep_mode(target, temporary)


def _copy_into(result: Path, node: Path) -> None:
    """Copy a finished result into a device or a pipe. Fail if no program opens the pipe within `READER_S`."""
    import shutil

    until = time.monotonic() + READER_S
    while True:
        try:
            descriptor = os.open(node, os.O_WRONLY | (os.O_NONBLOCK if is_pipe(node) else 0))
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > until:
                raise OSError(errno.ENXIO, "no program reads from this pipe") from None
            time.sleep(0.05)
    os.set_blocking(descriptor, True)
    with result.open("rb") as source, open(descriptor, "wb") as into:
        shutil.copyfileobj(source, into)
