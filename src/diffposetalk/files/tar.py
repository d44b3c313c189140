"""Tar files, read in memory: nothing is unpacked to disk, and no member can be larger than the file it lies in."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import IO

from diffposetalk.files.limits import check_bytes
from diffposetalk.files.parsing import parsing


def tar_members(file: IO[bytes], path: str | os.PathLike[str], what: str) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of a tar file's plain members, in their order.

    Args:
        file: the open file, at its start.
        path: of the file, for errors.
        what: what it should be, for errors: "shard".

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
            tar.members.clear()  # the library keeps all headers otherwise


class _Bounded:
    """A file that is never asked for more bytes than it has: headers of a tar file may declare any size."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size

    def read(self, n: int = -1) -> bytes:
        """Return at most n bytes."""
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if n < 0 else min(n, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
