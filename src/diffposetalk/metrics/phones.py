"""Phones that were heard against those that were said, step by step."""

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
class PhoneCounts:
    """Counts of 20 ms steps and of closures; they add up over clips."""

    n: int = 0
    """Steps."""
    n_right: int = 0
    """Steps whose phone is heard right."""
    n_spoken: int = 0
    """Steps that are not silence."""
    n_spoken_right: int = 0
    """Those whose phone is heard right."""
    n_bilabial: int = 0
    """Steps in which p, b or m is said."""
    n_bilabial_heard: int = 0
    """Steps in which p, b or m is heard."""
    n_bilabial_both: int = 0
    """Steps in which one of them is said and one of them is heard."""
    n_closures: int = 0
    """Closures heard: runs of p, b, m of at least `SHORTEST_CLOSURE` steps."""
    n_false_closures: int = 0
    """Closures heard where no p, b or m is said within `NEAR` steps."""

    @property
    def phones(self) -> float:
        """Share of all steps whose phone is heard right; nan without any."""
        return _share(self.n_right, self.n)

    @property
    def spoken_phones(self) -> float:
        """The same without the steps of silence."""
        return _share(self.n_spoken_right, self.n_spoken)

    @property
    def bilabials_found(self) -> float:
        """Share of the steps of p, b, m in which one of them is heard (recall)."""
        return _share(self.n_bilabial_both, self.n_bilabial)

    @property
    def bilabials_right(self) -> float:
        """Share of the steps heard as p, b, m in which one of them is said (precision)."""
        return _share(self.n_bilabial_both, self.n_bilabial_heard)

    @property
    def false_closures(self) -> float:
        """Share of the closures heard that are none."""
        return _share(self.n_false_closures, self.n_closures)

    @staticmethod
    def pooled(parts: Iterable[PhoneCounts]) -> PhoneCounts:
        """Add up the counts of several clips."""
        parts = list(parts)
        return PhoneCounts(*(sum(getattr(part, each.name) for part in parts) for each in fields(PhoneCounts)))


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
    return PhoneCounts(
        len(said),
        int(right.sum()),
        int(spoken.sum()),
        int((right & spoken).sum()),
        int(closed_said.sum()),
        int(closed_heard.sum()),
        int((closed_heard & closed_said).sum()),
        len(runs),
        sum(not closed_said[max(0, start - NEAR) : end + NEAR].any() for start, end in runs),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
