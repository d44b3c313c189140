"""Pairs: how often one system is preferred to another, and strengths of Bradley and Terry (1952)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from diffposetalk.workshop.study.answers import Answer
from diffposetalk.workshop.study.tally.resample import Interval, interval, rater_weights, wider, wilson

REGULARISATION = 0.01
"""Of the strengths: keeps them finite where a system wins always (`choix`: ``alpha``)."""
N_FITS = 400
"""Resamples of which strengths are fitted."""


@dataclass(frozen=True)
class Preference:
    """How often one system was preferred to another."""

    question: str
    sound: bool
    system: str
    other: str
    wins: int
    ties: int
    losses: int
    share: float
    """Of the wins; a tie is half a win."""
    interval: Interval
    """95 %: the wider of Wilson's over answers and the bootstrap over raters."""


@dataclass(frozen=True)
class Strength:
    """Strength of one system by the model of Bradley and Terry."""

    question: str
    sound: bool
    system: str
    strength: float
    """Logarithm; the mean of all systems is 0. A difference d means that the one wins with 1 / (1 + exp(-d))."""
    interval: Interval
    """95 %, bootstrap over raters."""


def won(answers: Sequence[Answer], systems: Sequence[str]) -> np.ndarray:
    """Return ``(R, S, S)``: how often each rater chose one system (second axis) over another; a tie is 0.5 for both.

    Pages with a system that is not in ``systems`` are left out.
    """
    raters = {rater: row for row, rater in enumerate(sorted({answer.rater for answer in answers}))}
    index = {system: column for column, system in enumerate(systems)}
    wins = np.zeros((len(raters), len(systems), len(systems)))
    for left, right in _pairs(answers):
        if left.system in index and right.system in index:
            one, other = index[left.system], index[right.system]
            wins[raters[left.rater], one, other] += left.value
            wins[raters[left.rater], other, one] += right.value
    return wins


def _pairs(answers: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
    """Return the two judgements of each page and question."""
    pages: dict[tuple[int, int, str], list[Answer]] = {}
    for answer in answers:
        pages.setdefault((answer.rater, answer.page, answer.question), []).append(answer)
    return [(left, right) for left, right in pages.values()]


def preferences(answers: Sequence[Answer], systems: Sequence[str], seed: int) -> list[Preference]:
    """Return the preferences between all systems that were compared, for the answers to one question."""
    wins = won(answers, systems)
    question, sound = answers[0].question, answers[0].sound
    ties = dict.fromkeys(combinations(systems, 2), 0)
    for left, right in _pairs(answers):
        pair = next((pair for pair in ties if set(pair) == {left.system, right.system}), None)
        if pair is not None and left.value == right.value:
            ties[pair] += 1
    weights = rater_weights(len(wins), seed)
    result = []
    for one, other in combinations(range(len(systems)), 2):
        for_one, for_other = wins[:, one, other], wins[:, other, one]
        n = float(for_one.sum() + for_other.sum())
        if n == 0:
            continue
        share = float(for_one.sum() / n)
        with np.errstate(invalid="ignore"):
            resampled = weights @ for_one / (weights @ (for_one + for_other))
        n_ties = ties[systems[one], systems[other]]
        counts = round(float(for_one.sum()) - n_ties / 2), n_ties, round(float(for_other.sum()) - n_ties / 2)
        ends = wider(wilson(share, n), interval(resampled))
        result.append(Preference(question, sound, systems[one], systems[other], *counts, share, ends))
    return result


def strengths(answers: Sequence[Answer], systems: Sequence[str], seed: int) -> list[Strength]:
    """Return the strengths of the systems, strongest first, for the answers to one question."""
    wins = won(answers, systems)
    question, sound = answers[0].question, answers[0].sound
    compared = [column for column in range(len(systems)) if wins[:, column].sum() + wins[:, :, column].sum() > 0]
    if len(compared) < 2:
        return []
    wins = wins[:, compared][:, :, compared]
    values = fit(wins.sum(0))
    weights = rater_weights(len(wins), seed, N_FITS)
    resampled = np.array([fit(np.tensordot(row, wins, 1)) for row in weights]) if len(wins) > 1 else None
    ends = [(math.nan, math.nan) if resampled is None else interval(resampled[:, i]) for i in range(len(compared))]
    rows = [Strength(question, sound, systems[column], float(values[i]), ends[i]) for i, column in enumerate(compared)]
    return sorted(rows, key=lambda row: -row.strength)


def fit(wins: np.ndarray) -> np.ndarray:
    """Return the strengths ``(S,)`` for counts of wins ``(S, S)``, with mean 0."""
    import choix

    values = choix.ilsr_pairwise_dense(wins, alpha=REGULARISATION, max_iter=500, tol=1e-6)
    return np.asarray(values) - np.mean(values)
