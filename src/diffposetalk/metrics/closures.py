"""Whether lips close where the sound says so, and only there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError

PRESSED = frozenset(("p", "b", "m"))
"""Phones for which the lips must meet."""
OPEN = frozenset(("aa", "ae", "ah", "ao", "aw", "ay"))
"""Vowels for which the mouth opens (ARPAbet)."""


@dataclass(frozen=True)
class Closures:
    """How well lips close where the sound says so."""

    n_pressed: int
    """p, b and m intervals looked at."""
    n_sealed: int
    """Those in which the gap fell below the threshold."""
    n_open: int
    """Open-vowel intervals looked at."""
    n_open_sealed: int
    """Those in whose middle half the mouth was sealed: false closures."""
    pressed_gap: float
    """Mean gap over p, b, m intervals, in units of the clip's 95th percentile; nan without any."""
    open_gap: float
    """Mean gap over open vowels, same unit; nan without any."""

    @property
    def share(self) -> float:
        """Share of p/b/m intervals that are sealed; nan without any."""
        return self.n_sealed / self.n_pressed if self.n_pressed else float("nan")

    @property
    def gap_ratio(self) -> float:
        """Mean gap in p/b/m over mean gap in open vowels; nan where the mouth never opens."""
        return self.pressed_gap / self.open_gap if self.open_gap else float("nan")

    @staticmethod
    def pooled(parts: Iterable[Closures]) -> Closures:
        """Join the counts and means of several clips, each interval weighing the same."""
        parts = list(parts)
        n_pressed, n_open = sum(p.n_pressed for p in parts), sum(p.n_open for p in parts)

        def mean(total: float, count: int) -> float:
            return total / count if count else float("nan")

        return Closures(
            n_pressed,
            sum(p.n_sealed for p in parts),
            n_open,
            sum(p.n_open_sealed for p in parts),
            mean(sum(p.pressed_gap * p.n_pressed for p in parts if p.n_pressed), n_pressed),
            mean(sum(p.open_gap * p.n_open for p in parts if p.n_open), n_open),
        )


def closures(
    gap: np.ndarray,
    fps: float,
    phones: Iterable[tuple[str, float, float]],
    threshold: float = 0.10,
    tolerance: float = 0.02,
) -> Closures:
    """Count the p, b, m intervals in which the lips seal.

    The gap is interpolated linearly between frames and read every 2 ms. An interval counts as sealed if the
    gap falls below ``threshold`` times the clip's 95th percentile anywhere within it, widened by
    ``tolerance`` on either side.

    Args:
        gap: ``(T,)`` inner-lip gap, any unit; frame i is at ``i / fps`` seconds.
        fps: frames per second.
        phones: ``(symbol, start, end)`` in seconds, lower-case ARPAbet without stress marks.
        threshold: share of the clip's 95th percentile.
        tolerance: seconds; the default is half a frame at 25 fps.

    Returns:
        Counts and mean gaps. A mouth that never opens is sealed everywhere; its ratio of gaps tells it apart.
    """
    gap = np.asarray(gap, np.float64)
    if gap.ndim != 1 or len(gap) == 0:
        raise InputError(f"a lip gap must be (T,) with at least one frame, got {gap.shape}")
    times, scale = np.arange(len(gap)) / fps, max(float(np.percentile(gap, 95)), 1e-12)

    def read(start: float, end: float) -> np.ndarray:
        return np.interp(np.arange(start, end + 1e-9, 0.002), times, gap) / scale

    sealed, pressed, opened, false = [], [], [], []
    for symbol, start, end in phones:
        if start >= times[-1]:
            continue
        if symbol in PRESSED:
            sealed.append(read(start - tolerance, end + tolerance).min() < threshold)
            pressed.append(read(start, end).mean())
        elif symbol in OPEN:
            quarter = (end - start) / 4
            false.append(read(start + quarter, end - quarter).min() < threshold)
            opened.append(read(start, end).mean())
    return Closures(
        len(sealed),
        int(np.sum(sealed)),
        len(opened),
        int(np.sum(false)),
        float(np.mean(pressed)) if pressed else float("nan"),
        float(np.mean(opened)) if opened else float("nan"),
    )


def closing_time(gap: np.ndarray, fps: float, silent_from: float, limit: float) -> float:
    """Return how long after ``silent_from`` (s) the gap falls below ``limit`` for good; inf if it never does."""
    above = np.flatnonzero(np.asarray(gap) >= limit)
    if len(above) == 0 or above[-1] / fps < silent_from:
        return 0.0
    if above[-1] == len(gap) - 1:
        return float("inf")
    return float((above[-1] + 1) / fps - silent_from)
