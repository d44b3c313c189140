"""File names: whether two name the same file, and what kind of file one names."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from diffposetalk.errors import UsageError

AnyPath = str | os.PathLike[str]


def checked_name(path: AnyPath, option: str = "") -> Path:
    """Return the path if its name is valid; the file need not exist.

    Args:
        path: as the user wrote it.
        option: the command-line option, for the message: "--style".

    Raises:
        UsageError: the name is empty or too long, holds a null character, or is a link that leads to itself.
    """
    text = os.fspath(path)
    if not text:
        raise UsageError(f"{option + ': ' if option else ''}the name of a file is empty")
    try:
        os.stat(text)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            longest = max(len(os.fsencode(part)) for part in Path(text).parts)
            raise UsageError(
                f"{text}: the name is too long ({longest} bytes in one part, {len(os.fsencode(text))} in all; "
                "most disks take 255 and 4096)"
            ) from None
        if error.errno == errno.ELOOP:
            raise UsageError(f"{text}: is a link that leads to itself") from None
    except ValueError:
        raise UsageError(f"{text!r}: a file name cannot hold a null character") from None
    return Path(text)


def real_path(path: AnyPath) -> Path:
    """Return the absolute path with all links followed; the file need not exist."""
    return Path(os.path.realpath(path))


def file_key(path: AnyPath) -> tuple[object, ...]:
    """Return a key that is equal for all names of the same file; the file need not exist.

    It follows symbolic links, hard links and `..`, and ignores case on disks that do.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        real = real_path(path)
        folder = file_key(real.parent) if real.parent != real else ()
        if ignores_case(real.parent):
            import unicodedata

            return (*folder, unicodedata.normalize("NFC", real.name).casefold())
        return (*folder, real.name)
    return (status.st_dev, status.st_ino)


def same_file(one: AnyPath, other: AnyPath) -> bool:
    """Return whether two names mean the same file; see `file_key`."""
    return file_key(one) == file_key(other)


def ignores_case(folder: Path) -> bool:
    """Return whether the disk of a folder ignores case; the names of the parent folders are used to test it."""
    for path in (folder.absolute(), *folder.absolute().parents):
        swapped = path.with_name(path.name.swapcase()) if path.name else path
        if swapped != path and path.exists():
            return swapped.exists() and swapped.samefile(path)
    return False


def is_pipe(path: AnyPath) -> bool:
    """Return whether a path is a named pipe, or a link to one."""
    mode = _mode(path)
    return mode is not None and stat.S_ISFIFO(mode)


def is_node(path: AnyPath) -> bool:
    """Return whether a path is a device, a pipe or a socket, or a link to one. Such a path is written to, not replaced."""
    mode = _mode(path)
    return mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_writable_node(path: AnyPath) -> bool:
    """Return whether a path is a pipe or a character device such as `/dev/null`, but not a disk or a socket."""
    mode = _mode(path)
    return mode is not None and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))


def _mode(path: AnyPath) -> int | None:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None
