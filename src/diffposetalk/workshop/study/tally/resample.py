"""Intervals of 95 %: bootstrap over raters, whose answers depend on one another, and Wilson's for shares."""

from __future__ import annotations

import math

import numpy as np

LEVEL_Z = 1.959963984540054
"""Standard deviations of a 95 % interval."""
N_RESAMPLES = 2000
"""Resamples of the raters."""

Interval = tuple[float, float]
"""Lower and upper end; NaN where there is none."""


def rater_weights(n_raters: int, seed: int, n_resamples: int = N_RESAMPLES) -> np.ndarray:
    """Return how often each resample takes each rater: ``(n_resamples, n_raters)`` float."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_raters, np.full(n_raters, 1 / n_raters), n_resamples).astype(float)


def interval(resampled: np.ndarray) -> Interval:
    """Return the 2.5th and 97.5th percentile of ``(n_resamples,)`` values; NaN values are left out."""
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return math.nan, math.nan
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def wilson(share: float, n: float) -> Interval:
    """Return Wilson's interval of a share of ``n`` answers."""
    if n <= 0:
        return math.nan, math.nan
    z = LEVEL_Z
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def wider(one: Interval, other: Interval) -> Interval:
    """Return the interval that covers both; an interval of NaN is left out."""
    ends = [end for end in (one, other) if not math.isnan(end[0])]
    return (min(end[0] for end in ends), max(end[1] for end in ends)) if ends else (math.nan, math.nan)
