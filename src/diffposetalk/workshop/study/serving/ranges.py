"""Requests for a part of a file (RFC 9110, section 14), by which browsers seek in a video."""

from __future__ import annotations

import re

RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
MOST_DIGITS = 18
"""A number with more digits is no place in a file."""


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the requested bytes.

    Args:
        header: value of ``Range``; None without one.
        size: bytes of the file.

    Returns:
        First byte, and the byte after the last; None for the whole file. Several ranges, or another unit, count as the
        whole file, as the standard permits.

    Raises:
        ValueError: no byte of the range is in the file (status 416).
    """
    match = RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if max(len(first), len(last)) > MOST_DIGITS:
        raise ValueError("the range is not in the file")
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise ValueError("the range is not in the file")
    return start, stop
