"""A metric of a comparison: what it reads of each clip, and how clips become one figure with an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from diffposetalk.metrics.intervals import Interval, bootstrap_interval
from diffposetalk.metrics.scores.data_set import Take, score_set
from diffposetalk.workshop.evaluate.comparison.looks import Look, only, shared_names

Row = Sequence[float] | float | None
"""What a metric reads of one clip; None or nan where it is not defined there."""
Better = Literal["higher", "lower", "truth", "open"]
"""Which figure is better; "truth": the nearer to that of the true motion; "open": neither."""


@dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    """Key in files and on the command line."""
    title: str
    """Head of its column."""
    unit: str
    better: Better
    about: str
    """What it is, one sentence. docs/metrics.md has the formulas."""
    read: Callable[[Look], Row]
    """Reads one clip."""
    statistic: Callable[[np.ndarray], float] | None = None
    """Rows of all clips ``(N, k)`` -> figure; None means the mean over clips."""
    digits: int = 2
    """Digits after the point in tables."""
    pooled: bool = False
    """Whether it is a measure of `score_set`, over all clips together; such a figure has no interval."""


ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "truth": "◎", "open": ""}
"""Sign of the better direction in tables."""


def set_scores(looks: Sequence[Look]) -> dict[str, float]:
    """Return the measures of all clips together, of the first samples."""
    names = shared_names([curves for look in looks for curves in (look.truth, look.first)])
    if not names:
        return {}
    return score_set(
        [
            Take(only(look.truth, names), only(look.first, names), look.speaker, look.phones or None, look.speech)
            for look in looks
        ]
    ).values


def figure_of(metric: Metric, looks: Sequence[Look], together: Mapping[str, float]) -> Interval | None:
    """Return the figure of a system with its 95 % interval over clips; clips of one speaker are drawn together.

    Args:
        metric: the metric.
        looks: all clips of the system.
        together: `set_scores` of the clips.

    Returns:
        None where the metric is defined for no clip.
    """
    if metric.pooled:
        value = together.get(metric.name)
        return None if value is None else Interval(value, float("nan"), float("nan"), len(looks))
    rows = [metric.read(look) for look in looks]
    known = [(row, look.speaker) for row, look in zip(rows, looks) if row is not None and np.isfinite(row).all()]
    if not known:
        return None
    values = np.array([row for row, _ in known], np.float64)
    speakers = [speaker for _, speaker in known]
    with np.errstate(invalid="ignore", divide="ignore"):
        groups = speakers if len(set(speakers)) < len(speakers) else None
        interval = bootstrap_interval(values, metric.statistic, groups)
    return interval if np.isfinite(interval.value) else None


def clip_values(metric: Metric, looks: Sequence[Look]) -> list[float | None]:
    """Return the figure of each clip by itself, where one clip has one."""
    values: list[float | None] = []
    for look in looks:
        row = metric.read(look)
        if row is None or not np.isfinite(row).all():
            values.append(None)
            continue
        array = np.array([row], np.float64)
        if metric.statistic is None:
            values.append(float(array[0]))
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                value = metric.statistic(array)
            values.append(float(value) if np.isfinite(value) else None)
    return values


def share_of_sums(rows: np.ndarray) -> float:
    """Return 100 times the sum of the first column over that of the second, percent."""
    return float(100 * rows[:, 0].sum() / rows[:, 1].sum()) if rows[:, 1].sum() > 0 else float("nan")


def correlation(rows: np.ndarray) -> float:
    """Return Pearson's correlation over clips of two columns; nan with fewer than 3 clips or without variation."""
    if len(rows) < 3 or (rows.std(0) < 1e-12).any():
        return float("nan")
    return float(np.corrcoef(rows.T)[0, 1])
