"""Raters who fail the checks against the hidden reference and the hidden anchor are dropped, by one stated rule."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median_low

from diffposetalk.workshop.study.answers import Answer
from diffposetalk.workshop.study.plan import ANCHOR, FEWEST_CHECKS, FIVE, PAIRS, REFERENCE, Study


@dataclass(frozen=True)
class Verdict:
    """Whether the answers of a rater count."""

    rater: int
    checks: int
    failed: int
    kept: bool
    reason: str
    """Why the rater was dropped; empty if kept."""


def rule(study: Study, most_failed: float) -> str:
    """Return the rule as a sentence."""
    if study.scale == PAIRS:
        check = (
            "A check is a pair of the hidden reference and the hidden anchor; it fails unless the reference is chosen."
        )
    else:
        check = (
            "A check is a rating of the hidden anchor; it fails unless the hidden reference of the same clip and question "
            "got more (where the rater did not see that one: the mean of the rater's hidden references)."
        )
    return (
        f"{check} A rater with fewer than {FEWEST_CHECKS} checks, or who fails more than {most_failed:.0%} of them, is "
        "dropped with all answers."
    )


def judge(study: Study, answers: Sequence[Answer], most_failed: float) -> list[Verdict]:
    """Return the verdict on every rater who gave an answer.

    Args:
        study: the study.
        answers: of all raters.
        most_failed: largest share of failed checks of a rater who is kept.
    """
    by_rater: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_rater[answer.rater].append(answer)
    return [_verdict(rater, _passed(study, own), most_failed) for rater, own in sorted(by_rater.items())]


def _verdict(rater: int, passed: list[bool], most_failed: float) -> Verdict:
    n_failed = passed.count(False)
    reason = ""
    if len(passed) < FEWEST_CHECKS:
        reason = f"saw {len(passed)} checks, needs {FEWEST_CHECKS}"
    elif n_failed > most_failed * len(passed):
        reason = f"failed {n_failed} of {len(passed)} checks"
    return Verdict(rater, len(passed), n_failed, not reason, reason)


def _passed(study: Study, answers: list[Answer]) -> list[bool]:
    """Return whether each check of one rater was passed."""
    anchors = [answer for answer in answers if answer.system == ANCHOR and study.checks(answer.question)]
    if study.scale == PAIRS:
        return [answer.value == 0 for answer in anchors]
    references: dict[tuple[str, bool], dict[str, float]] = defaultdict(dict)
    for answer in answers:
        if answer.system == REFERENCE:
            references[answer.question, answer.sound][answer.clip] = answer.value
    passed = []
    for answer in anchors:
        rated = references[answer.question, answer.sound]
        if rated:
            passed.append(answer.value < rated.get(answer.clip, mean(rated.values())))
    return passed


def chance(study: Study, verdicts: Sequence[Verdict], most_failed: float) -> float:
    """Return the probability that a rater who answers at random, with the median number of checks, is kept."""
    n = median_low([verdict.checks for verdict in verdicts]) if verdicts else 0
    if n < FEWEST_CHECKS:
        return 0.0
    if study.scale == PAIRS:
        passes = 1 / 3 if study.ties else 1 / 2
    else:
        n_values = 5 if study.scale == FIVE else 101
        passes = (n_values - 1) / (2 * n_values)
    allowed = math.floor(most_failed * n + 1e-9)
    return sum(math.comb(n, k) * (1 - passes) ** k * passes ** (n - k) for k in range(allowed + 1))
