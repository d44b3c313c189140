"""A check of an LMDB file's pages before the library maps it: on a damaged page the library would end the process.

The layout is that of LMDB 0.9 on machines of 64 bits: two description pages, then a tree of pages. A page has a header
of 16 bytes, positions of its nodes, and the nodes from its end on. A value too large for its page lies on pages of its
own. Source: ``mdb.c`` of LMDB 0.9 (``MDB_page``, ``MDB_node``, ``MDB_meta``).
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

HEADER = 16
"""Bytes of a page's header: number of the page, padding, flags, end of the positions, start of the nodes."""
BRANCH = 1
"""Kind of a page that points to other pages."""
LEAF = 2
"""Kind of a page that holds keys and values."""
OVERFLOW = 4
"""Kind of a page that continues a large value."""
LARGE_VALUE = 1
"""Flag of a node whose value lies on pages of its own."""
WRITING = 0x10 | 0x4000 | 0x8000
"""Flags that only matter while a file is written."""
NO_PAGE = 2**64 - 1
"""Root of an empty tree."""
DEEPEST = 32
"""Levels of the tree that the library follows."""
MAGIC = 0xBEEFC0DE
"""First number of a description page."""


def check_pages(path: Path) -> None:
    """Follow the tree of an LMDB file.

    Args:
        path: the file ``data.mdb``, of at least one byte.

    Raises:
        ValueError: a page or a node points outside, is of an unknown kind, or is reached twice.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        page_size, root = _root(data)
        if root == NO_PAGE:
            return
        n_pages = len(data) // page_size
        pages, visited = [(root, 1)], {root}
        while pages:
            number, depth = pages.pop()
            if number >= n_pages or depth > DEEPEST:
                raise ValueError(f"page {number} does not exist")
            page = data[number * page_size : (number + 1) * page_size]
            for child in _children(page, number, data, n_pages):
                if child in visited:
                    raise ValueError(f"page {child} is reached twice")
                visited.add(child)
                pages.append((child, depth + 1))


def _root(data: mmap.mmap) -> tuple[int, int]:
    """Return the size of a page and the number of the root page, of the newer of the two description pages."""
    if len(data) < 4096:
        raise ValueError("it is shorter than a page")
    page_size = struct.unpack_from("<I", data, HEADER + 24)[0]
    if not 256 <= page_size <= 2**16 or page_size & (page_size - 1) or len(data) < 2 * page_size:
        raise ValueError(f"its pages have {page_size} bytes")
    roots = []
    for start in (HEADER, page_size + HEADER):
        magic, version = struct.unpack_from("<II", data, start)
        flags, _, *_, root, last, transaction = struct.unpack_from("<HH7Q", data, start + 24 + 48 + 4)
        size = struct.unpack_from("<I", data, start + 24)[0]
        if magic != MAGIC or version != 1 or size != page_size or flags != 0 or last >= len(data) // page_size:
            raise ValueError("a description page is damaged")
        roots.append((transaction, root))
    return page_size, roots[0][1] if roots[0][0] >= roots[1][0] else roots[1][1]


def _children(page: bytes, number: int, data: mmap.mmap, n_pages: int) -> list[int]:
    """Check a page's nodes; return the pages below it.

    Raises:
        ValueError: a node lies or points outside.
    """
    kind, lower, upper = struct.unpack_from("<HHH", page, 10)
    kind &= ~WRITING
    count = (lower - HEADER) // 2
    if kind not in (BRANCH, LEAF) or not HEADER < lower <= upper <= len(page) or (kind == BRANCH and count < 2):
        raise ValueError(f"page {number} is damaged")
    children = []
    for position in struct.unpack_from(f"<{count}H", page, HEADER):
        if not upper <= position <= len(page) - 8:
            raise ValueError(f"page {number} has a node outside itself")
        low, high, flags, key_size = struct.unpack_from("<HHHH", page, position)
        size = low | high << 16
        end = position + 8 + key_size
        if kind == BRANCH:
            children.append(size | flags << 32)
        elif flags == LARGE_VALUE and end + 8 <= len(page):
            _check_large(struct.unpack_from("<Q", page, end)[0], size, len(page), data, n_pages)
            end += 8
        elif flags == 0:
            end += size
        else:
            raise ValueError(f"page {number} has a node of an unknown kind")
        if end > len(page):
            raise ValueError(f"page {number} has a node outside itself")
    return children


def _check_large(first: int, size: int, page_size: int, data: mmap.mmap, n_pages: int) -> None:
    """Refuse a large value that is not whole."""
    if first >= n_pages:
        raise ValueError(f"page {first} does not exist")
    kind, n_own = struct.unpack_from("<HI", data, first * page_size + 10)
    if kind != OVERFLOW or n_own * page_size < HEADER + size or first + n_own > n_pages:
        raise ValueError(f"the value on page {first} is damaged")
