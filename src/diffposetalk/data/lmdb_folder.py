"""LMDB folders, read: one read-only environment per process and folder; truncated files are refused, not mapped."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffposetalk.data.lmdb_pages import check_pages
from diffposetalk.errors import DiffPoseTalkError, InputError

_opened: dict[str, tuple[int, Any]] = {}
"""By real path of the folder: inode of its data file and the environment. The library allows one a process."""
_lock = threading.Lock()


def _after_fork() -> None:
    """Let go of the parent's environments in a forked child, which opens its own."""
    global _lock
    _lock = threading.Lock()
    for _, environment in _opened.values():
        environment.close()
    _opened.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Store:
    """Values of an LMDB folder by key.

    A plain value of the folder's path: it may be pickled, forked and shared, and costs nothing until it is read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, None if the key is missing.

        Raises:
            InputError: the folder holds no LMDB, or a damaged one.
        """
        import lmdb

        try:
            with self._environment().begin() as transaction:
                return transaction.get(key.encode())
        except lmdb.Error as error:
            raise InputError(
                f"{self.folder / 'data.mdb'}: cannot be read at the key {key!r} ({_short(error)})"
            ) from error

    def keys(self, jump: str | None = None) -> Iterator[str]:
        """Yield keys in order.

        Args:
            jump: last part of a key; of the keys `<a>/<...>` of one `<a>` only the first is looked at before going on
                to `<a>/<jump>`, which passes over the many values of a video quickly. None for every key.
        """
        import lmdb

        try:
            with self._environment().begin() as transaction:
                cursor = transaction.cursor()
                has_key, before = cursor.first(), b""
                while has_key:
                    key = bytes(cursor.key())
                    if key <= before:
                        raise InputError(f"{self.folder / 'data.mdb'}: is damaged (its keys are not in order)")
                    before = key
                    yield key.decode("utf-8", "replace")
                    group, slash, last = key.rpartition(b"/")
                    if jump is not None and slash and last < jump.encode():
                        has_key = cursor.set_range(group + b"/" + jump.encode())
                    else:
                        has_key = cursor.next()
        except lmdb.Error as error:
            raise InputError(f"{self.folder / 'data.mdb'}: its keys cannot be read ({_short(error)})") from error

    def _environment(self) -> Any:
        where = os.path.realpath(self.folder)
        data = self.folder / "data.mdb"
        try:
            status = data.stat()
        except OSError:
            status = None
        if status is None or not self.folder.is_dir():
            raise InputError(f"{self.folder}: no LMDB folder here (it would hold a file data.mdb)")
        with _lock:
            inode, environment = _opened.get(where, (0, None))
            if environment is not None and inode != status.st_ino:  # replaced by another file since
                _opened.pop(where)[1].close()
                environment = None
            if environment is None:
                environment = _open(self.folder)
                _opened[where] = (status.st_ino, environment)
            return environment


def close(folder: str | Path) -> None:
    """Close a folder's environment, if one is open in this process (it opens again when read)."""
    with _lock:
        _, environment = _opened.pop(os.path.realpath(folder), (0, None))
        if environment is not None:
            environment.close()


def _open(folder: Path) -> Any:
    lmdb = import_lmdb()
    data = folder / "data.mdb"
    if data.stat().st_size == 0:
        raise InputError(f"{data}: is empty (0 bytes)")
    if not os.access(data, os.R_OK):
        raise InputError(f"{data}: no permission to read it")
    try:
        check_pages(data)
        environment = lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
    except (lmdb.Error, ValueError, OSError) as error:
        raise InputError(f"{data}: not an LMDB file, or a damaged one ({_short(error)})") from error
    expected_size = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    size = data.stat().st_size
    if size < expected_size:  # reading past the file's end would kill the process
        environment.close()
        raise InputError(f"{data}: is truncated: {size} bytes of {expected_size}; copy it again")
    return environment


def import_lmdb() -> Any:
    """Return the module `lmdb`, or say how to get it."""
    try:
        import lmdb
    except ImportError as error:
        raise DiffPoseTalkError("LMDB data sets need the package lmdb: pip install 'diffposetalk[train]'") from error
    return lmdb


def _short(error: Exception) -> str:
    return str(error).rpartition(": ")[2]
