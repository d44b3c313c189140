"""Ratings from 1 to 5 and from 0 to 100: means, quartiles, and differences between systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from diffposetalk.workshop.study.answers import Answer
from diffposetalk.workshop.study.tally.resample import Interval, interval, rater_weights


@dataclass(frozen=True)
class Rating:
    """Ratings of one system."""

    question: str
    sound: bool
    system: str
    n: int
    mean: float
    interval: Interval
    """95 % of the mean, bootstrap over raters; NaN with one rater."""
    quartiles: tuple[float, float, float]
    """25th, 50th and 75th percentile."""
    values: tuple[float, ...]
    """All ratings."""


@dataclass(frozen=True)
class Difference:
    """Difference between the mean ratings of two systems."""

    question: str
    sound: bool
    system: str
    other: str
    difference: float
    interval: Interval
    """95 %, bootstrap over raters; not corrected for the number of comparisons."""


def ratings(answers: Sequence[Answer], systems: Sequence[str], seed: int) -> list[Rating]:
    """Return the ratings of the systems that were rated, for the answers to one question."""
    sums, counts = _by_rater(answers, systems)
    resampled = _means(sums, counts, seed)
    rows = []
    for column, system in enumerate(systems):
        values = np.array([answer.value for answer in answers if answer.system == system])
        if len(values):
            ends = (math.nan, math.nan) if resampled is None else interval(resampled[:, column])
            low, middle, high = (float(value) for value in np.percentile(values, [25, 50, 75]))
            mean, spread = float(values.mean()), (low, middle, high)
            question, sound = answers[0].question, answers[0].sound
            rows.append(Rating(question, sound, system, len(values), mean, ends, spread, tuple(values.tolist())))
    return rows


def differences(answers: Sequence[Answer], systems: Sequence[str], seed: int) -> list[Difference]:
    """Return the differences between all pairs of systems, for the answers to one question."""
    sums, counts = _by_rater(answers, systems)
    resampled = _means(sums, counts, seed)
    with np.errstate(invalid="ignore"):
        means = sums.sum(0) / counts.sum(0)
    rows = []
    for one, other in combinations(range(len(systems)), 2):
        if counts[:, one].sum() and counts[:, other].sum():
            gap = float(means[one] - means[other])
            ends = (math.nan, math.nan) if resampled is None else interval(resampled[:, one] - resampled[:, other])
            rows.append(Difference(answers[0].question, answers[0].sound, systems[one], systems[other], gap, ends))
    return rows


def _by_rater(answers: Sequence[Answer], systems: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and numbers of the ratings, ``(R, S)`` each."""
    raters = {rater: row for row, rater in enumerate(sorted({answer.rater for answer in answers}))}
    index = {system: column for column, system in enumerate(systems)}
    sums, counts = np.zeros((2, len(raters), len(systems)))
    for answer in answers:
        if answer.system in index:
            sums[raters[answer.rater], index[answer.system]] += answer.value
            counts[raters[answer.rater], index[answer.system]] += 1
    return sums, counts


def _means(sums: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray | None:
    """Return the resampled means ``(n_resamples, S)``; None with one rater."""
    if len(sums) < 2:
        return None
    weights = rater_weights(len(sums), seed)
    with np.errstate(invalid="ignore"):
        means: np.ndarray = weights @ sums / (weights @ counts)
    return means
