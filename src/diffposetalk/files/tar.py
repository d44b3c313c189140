"""Tar files, read in memory. Nothing is unpacked to disk, and no member can be larger than its file."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import IO

from diffposetalk.files.limits import check_bytes
from diffposetalk.files.parsing import parsing


def tar_members(file: IO[bytes], path: str | os.PathLike[str], what: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each regular member of a tar file, in order.

    Args:
        file: the open file.
        path: the file's path, for errors.
        what: expected kind of file, for errors: "shard".

    Raises:
        InputError: the file is truncated or damaged, or a member is sparse or larger than the limit.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with parsing(path, what), tarfile.open(fileobj=_Bounded(file, size), mode="r:") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            if member.issparse():
                raise ValueError(f"its member {member.name[:80]!r} is sparse")
            if not member.isfile():
                continue
            check_bytes(path, member.size, what)
            content = tar.extractfile(member)
            data = content.read() if content is not None else b""
            if len(data) < member.size:
                raise ValueError(f"its member {member.name[:80]!r} ends too early; copy the file again")
            yield member.name, data
            tar.members.clear()  # otherwise the library keeps all headers


class _Bounded:
    """Limits reads to the size of the file, because tar headers may declare any size."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size

    def read(self, n: int = -1) -> bytes:
        """Return at most n bytes."""
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if n < 0 else min(n, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
