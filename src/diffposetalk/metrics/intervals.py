"""How certain a figure is: intervals over clips, speakers or runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError

LEVEL = 0.95
"""Level of the intervals."""
N_RESAMPLES = 2000
"""Number of resamples; the ends of an interval then vary by about 2 % of its width from seed to seed."""
T_QUANTILES = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314,
    2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
"""The 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    """Of all clips or runs."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    n: int
    """Number of clips, groups or runs behind it."""

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    statistic: Callable[[np.ndarray], float] | None = None,
    groups: Sequence[Hashable] | None = None,
    level: float = LEVEL,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a figure over clips with the interval in which it would fall for other clips of the kind.

    Clips are drawn with replacement, as many as there are, and the figure is computed of each draw; the interval is that of
    the percentiles. Frames are never drawn: frames of a clip resemble one another, and their interval would be far too
    narrow. Clips of one speaker resemble one another, too: give the speakers as ``groups`` and whole speakers are drawn.

    Args:
        values: ``(N,)`` one figure a clip, or ``(N, k)`` with what the statistic needs, such as counts.
        statistic: rows -> figure; None: the mean of ``(N,)`` values.
        groups: group of each clip; None: each clip by itself.
        level: of the interval.
        n_resamples: number of draws.
        seed: of the draws.

    Raises:
        InputError: there are no clips, the groups do not fit, or a value is not finite.
    """
    rows = _finite(values)
    labels: Sequence[Hashable] = range(len(rows)) if groups is None else groups
    if len(labels) != len(rows):
        raise InputError(f"{len(labels)} groups for {len(rows)} clips")
    members = [np.array([i for i, other in enumerate(labels) if other == one]) for one in dict.fromkeys(labels)]
    figure = statistic or (lambda part: float(part.mean()))
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(members), size=(n_resamples, len(members)))
    if groups is None:
        figures = [figure(rows[draw]) for draw in draws]
    else:
        figures = [figure(rows[np.concatenate([members[k] for k in draw])]) for draw in draws]
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(figures, [tail, 100 - tail])
    return Interval(float(figure(rows)), float(low), float(high), len(members))


def paired_interval(
    ours: Sequence[float] | np.ndarray,
    theirs: Sequence[float] | np.ndarray,
    groups: Sequence[Hashable] | None = None,
    level: float = LEVEL,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the mean difference ``ours - theirs`` of two systems on the same clips, with its interval.

    An interval without 0 shows a difference. It is much narrower than the intervals of the two systems suggest, since a
    hard clip is hard for both.

    Args:
        ours, theirs: ``(N,)`` one figure a clip, same order.
        groups, level, n_resamples, seed: as for `bootstrap_interval`.

    Raises:
        InputError: the lengths differ, or as for `bootstrap_interval`.
    """
    if np.shape(ours) != np.shape(theirs):
        raise InputError(f"figures of different clips: {np.shape(ours)} and {np.shape(theirs)}")
    return bootstrap_interval(np.subtract(ours, theirs), None, groups, level, n_resamples, seed)


def run_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Return the mean over runs (seeds) with its 95 % interval by Student's t, as tables over ten runs have it.

    It says how much another seed would change the figure, on the same clips; not what other clips would give.

    Args:
        values: ``(R,)`` the figure of each run, R of at least 2.

    Raises:
        InputError: fewer than 2 runs, or a value is not finite.
    """
    runs = _finite(values)
    if runs.ndim != 1 or len(runs) < 2:
        raise InputError("an interval over runs needs at least 2 runs")
    freedom = len(runs) - 1
    quantile = T_QUANTILES[freedom - 1] if freedom <= len(T_QUANTILES) else 1.96 + 2.4 / freedom
    half = quantile * runs.std(ddof=1) / np.sqrt(len(runs))
    return Interval(float(runs.mean()), float(runs.mean() - half), float(runs.mean() + half), len(runs))


def _finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    rows = np.asarray(values, np.float64)
    if rows.ndim == 0 or len(rows) == 0:
        raise InputError("no clips, so there is no interval")
    if not np.isfinite(rows).all():
        raise InputError("a figure is not finite; leave out the clips that have none, and say so")
    return rows
