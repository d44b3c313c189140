"""Stretches of time: where somebody speaks, joined over short pauses and divided at long ones. All in seconds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

Span = tuple[float, float]
"""Beginning and end."""


def within(spans: Iterable[Span], start: float, end: float) -> list[Span]:
    """Return what of the spans lies between `start` and `end`."""
    cut = ((max(start, a), min(end, b)) for a, b in spans)
    return [(a, b) for a, b in cut if b > a]


def between(spans: Sequence[Span], start: float, end: float) -> list[Span]:
    """Return the gaps that ordered spans leave between `start` and `end`."""
    edges = [start, *(edge for span in spans for edge in span), end]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if b > a]


def joined(spans: Sequence[Span], pause: float, keep: float, start: float, end: float) -> list[Span]:
    """Join ordered spans whose gaps are at most `pause`, and keep up to `keep` around each, within `start` and `end`.

    What is kept around ends in the middle of a gap at the latest.
    """
    found: list[Span] = []
    for a, b in spans:
        if found and a - found[-1][1] <= pause:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    middles = [(before[1] + after[0]) / 2 for before, after in itertools.pairwise(found)]
    lows, highs = [start, *middles], [*middles, end]
    return [(max(low, a - keep), min(high, b + keep)) for (a, b), low, high in zip(found, lows, highs)]


def grown(spans: Sequence[Span], wanted: float, least: float, start: float, end: float) -> list[Span]:
    """Let ordered spans of at least `least` that are shorter than `wanted` grow to it, as far as there is room.

    They grow evenly to both sides, or to one where the other ends, and not into another span.
    """
    found: list[Span] = []
    for index, (a, b) in enumerate(spans):
        low = found[-1][1] if found else start
        high = spans[index + 1][0] if index + 1 < len(spans) else end
        missing = wanted - (b - a)
        if b - a >= least and 0 < missing <= (a - low) + (high - b):
            before = min(a - low, max(missing / 2, missing - (high - b)))
            a, b = a - before, b + missing - before
        found.append((a, b))
    return found


def divided(span: Span, gaps: Iterable[Span], shortest: float, longest: float) -> list[Span]:
    """Divide a span into parts of at most `longest`, in the middle of wide gaps where there are such.

    Args:
        span: to be divided.
        gaps: pauses, anywhere.
        shortest: no part becomes shorter than this; at most half of `longest`.
        longest: of a part.
    """
    start, end = span
    gaps = list(gaps)
    parts: list[Span] = []
    while end - start > longest:
        low, high = start + longest / 2, min(start + longest, end - shortest)
        pauses = [(b - a, (a + b) / 2) for a, b in gaps if low <= (a + b) / 2 <= high]
        at = max(pauses)[1] if pauses else high
        parts.append((start, at))
        start = at
    return [*parts, (start, end)]
