"""Time spans in seconds: spans of speech are joined over short pauses and divided at long ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

Span = tuple[float, float]
"""Start and end, seconds."""


def within(spans: Iterable[Span], start: float, end: float) -> list[Span]:
    """Return the parts of the spans between `start` and `end`."""
    cut = ((max(start, a), min(end, b)) for a, b in spans)
    return [(a, b) for a, b in cut if b > a]


def between(spans: Sequence[Span], start: float, end: float) -> list[Span]:
    """Return the gaps that ordered spans leave between `start` and `end`."""
    edges = [start, *(edge for span in spans for edge in span), end]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if b > a]


def joined(spans: Sequence[Span], pause: float, keep: float, start: float, end: float) -> list[Span]:
    """Join ordered spans whose gaps are at most `pause`, and extend each by up to `keep`, within `start` and `end`.

    An extension ends in the middle of a gap at the latest.
    """
    stretches: list[Span] = []
    for a, b in spans:
        if stretches and a - stretches[-1][1] <= pause:
            stretches[-1] = (stretches[-1][0], b)
        else:
            stretches.append((a, b))
    middles = [(before[1] + after[0]) / 2 for before, after in itertools.pairwise(stretches)]
    lows, highs = [start, *middles], [*middles, end]
    return [(max(low, a - keep), min(high, b + keep)) for (a, b), low, high in zip(stretches, lows, highs)]


def grown(spans: Sequence[Span], target: float, least: float, start: float, end: float) -> list[Span]:
    """Extend ordered spans that are at least `least` and shorter than `target` to `target`, if there is room.

    They grow evenly on both sides, or on one side if the other is blocked, and never into another span.
    """
    stretches: list[Span] = []
    for index, (a, b) in enumerate(spans):
        low = stretches[-1][1] if stretches else start
        high = spans[index + 1][0] if index + 1 < len(spans) else end
        missing = target - (b - a)
        if b - a >= least and 0 < missing <= (a - low) + (high - b):
            before = min(a - low, max(missing / 2, missing - (high - b)))
            a, b = a - before, b + missing - before
        stretches.append((a, b))
    return stretches


def divided(span: Span, gaps: Iterable[Span], shortest: float, longest: float) -> list[Span]:
    """Divide a span into parts of at most `longest`, if possible in the middle of the widest gaps.

    Args:
        span: span to divide.
        gaps: pauses, also outside the span.
        shortest: shortest part; at most half of `longest`.
        longest: longest part.
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
