"""Comparison of phones that were heard with phones that were said, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from diffposetalk.metrics.closures import PRESSED
from diffposetalk.speech.transcript.phones import SILENCE, SYMBOL_INDEX

BILABIAL = tuple(SYMBOL_INDEX[symbol] for symbol in sorted(PRESSED))
"""Numbers of p, b and m."""
SHORTEST_CLOSURE = 2
"""Steps that p, b or m must be heard without a break to count as a closure (40 ms)."""
NEAR = 3
"""A closure is false if no p, b or m is said within so many steps of it (60 ms)."""


@dataclass(frozen=True)
class Count:
    """How many of some things have a property."""

    n: int = 0
    """Things that have it."""
    total: int = 0
    """All things."""

    @property
    def share(self) -> float:
        """`n` as a share of `total`; nan without any."""
        return self.n / self.total if self.total else float("nan")

    def __add__(self, other: Count) -> Count:
        """Count the things of both."""
        return Count(self.n + other.n, self.total + other.total)


@dataclass(frozen=True)
class PhoneCounts:
    """Phones heard against phones said, in steps of 20 ms; the counts of clips add up."""

    phones: Count = Count()
    """Steps whose phone is heard right."""
    spoken_phones: Count = Count()
    """The same without the steps of silence."""
    bilabials_found: Count = Count()
    """Steps in which p, b or m is said: is one of them heard? (recall)"""
    bilabials_right: Count = Count()
    """Steps in which p, b or m is heard: is one of them said? (precision)"""
    false_closures: Count = Count()
    """Closures heard (runs of p, b, m of at least `SHORTEST_CLOSURE` steps) with no p, b or m said within `NEAR` steps."""

    def __add__(self, other: PhoneCounts) -> PhoneCounts:
        """Count the steps and closures of both."""
        return PhoneCounts(*(getattr(self, name) + getattr(other, name) for name in MEASURED))

    @staticmethod
    def pooled(parts: Iterable[PhoneCounts]) -> PhoneCounts:
        """Add up the counts of several clips."""
        return sum(parts, PhoneCounts())

    @property
    def shares(self) -> dict[str, float]:
        """The share of each count by name; nan without any."""
        return {name: getattr(self, name).share for name in MEASURED}


MEASURED = tuple(each.name for each in fields(PhoneCounts))
"""What is counted."""


def phone_counts(heard: np.ndarray, said: np.ndarray) -> PhoneCounts:
    """Compare the phones of one clip.

    Args:
        heard: ``(N,)`` numbers of phones in `SYMBOLS`, 50 a second.
        said: ``(N,)`` the true ones.
    """
    right, spoken = heard == said, said != SILENCE
    closed_heard, closed_said = np.isin(heard, BILABIAL), np.isin(said, BILABIAL)
    edges = np.flatnonzero(np.diff(closed_heard.astype(np.int8), prepend=0, append=0))
    runs = [(start, end) for start, end in zip(edges[::2], edges[1::2]) if end - start >= SHORTEST_CLOSURE]
    both = int((closed_heard & closed_said).sum())
    n_false = sum(not closed_said[max(0, start - NEAR) : end + NEAR].any() for start, end in runs)
    return PhoneCounts(
        Count(int(right.sum()), len(said)),
        Count(int((right & spoken).sum()), int(spoken.sum())),
        Count(both, int(closed_said.sum())),
        Count(both, int(closed_heard.sum())),
        Count(n_false, len(runs)),
    )
