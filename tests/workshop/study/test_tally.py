"""Counting: known preferences are recovered, careless raters are dropped, and the reports say so."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.workshop.study.examples import plan, simulate

from diffposetalk.workshop.study.answers import Answer
from diffposetalk.workshop.study.plan import ANCHOR, FIVE, HUNDRED, PAIRS, QUESTIONS, REFERENCE
from diffposetalk.workshop.study.tally.preferences import fit
from diffposetalk.workshop.study.tally.resample import wilson
from diffposetalk.workshop.study.tally.tally import Tally, count
from diffposetalk.workshop.study.tally.write import COLUMNS, as_text, to_dict, write

pytest.importorskip("choix", reason="needs choix (the extra `study`)")
TRUTH = {REFERENCE: 1.2, "s0": 0.6, "s1": -0.3, "s2": -1.5, ANCHOR: -6.0}
"""Log strengths of the simulated raters; the anchor's is far below."""


def by_strength(system: str, question: str, rng: np.random.Generator) -> float:
    """Return an opinion whose comparisons follow the model of Bradley and Terry (Gumbel noise)."""
    return TRUTH[system] + rng.gumbel()


def careless(system: str, question: str, rng: np.random.Generator) -> float:
    return float(rng.uniform(0, 100))


def counted(scale: str, answers: list[Answer], n_raters: int, **changes: object) -> Tally:
    return count(plan(scale, 3, 6, raters=24, **changes), answers, n_raters, n_raters)


@pytest.fixture(scope="module")
def pairs() -> Tally:
    study = plan(PAIRS, 3, 6, raters=24, ties=False)
    return count(study, simulate(study, 24, by_strength), 24, 24)


def test_known_strengths_are_recovered(pairs: Tally) -> None:
    mean = np.mean([TRUTH[name] for name in ("s0", "s1", "s2", REFERENCE)])
    assert [row.system for row in pairs.strengths] == [REFERENCE, "s0", "s1", "s2"]
    for row in pairs.strengths:
        truth = TRUTH[row.system] - mean
        assert abs(row.strength - truth) < 0.35, row
        assert row.interval[0] < row.strength < row.interval[1] and row.interval[1] - row.interval[0] < 1.2


def test_known_preferences_are_recovered(pairs: Tally) -> None:
    assert len(pairs.preferences) == 6
    for row in pairs.preferences:
        truth = 1 / (1 + math.exp(TRUTH[row.other] - TRUTH[row.system]))
        assert row.wins + row.losses == 24 * 6 and row.ties == 0
        assert abs(row.share - truth) < 0.13, row
    inside = sum(
        row.interval[0] <= 1 / (1 + math.exp(TRUTH[row.other] - TRUTH[row.system])) <= row.interval[1]
        for row in pairs.preferences
    )
    assert inside >= 5


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 95 % intervals over many simulated studies, about 95 % hold the true share."""
    study = plan(PAIRS, 1, 4, ties=False)
    inside = []
    truth = 1 / (1 + math.exp(TRUTH["s0"] - TRUTH[REFERENCE]))
    for seed in range(60):
        result = count(study, simulate(study, 10, by_strength, seed), 10, 10)
        row = next(row for row in result.preferences if row.system == "s0")
        inside.append(row.interval[0] <= 1 - truth <= row.interval[1])
    assert np.mean(inside) >= 0.9


def test_fit_agrees_with_the_logit_of_two_systems() -> None:
    low, high = fit(np.array([[0.0, 30.0], [90.0, 0.0]]))
    assert high - low == pytest.approx(math.log(3), abs=0.01)


def test_a_system_that_always_wins_has_a_finite_strength() -> None:
    values = fit(np.array([[0.0, 50.0], [0.0, 0.0]]))
    assert np.isfinite(values).all() and values[0] > values[1] + 2


def test_wilson_by_hand() -> None:
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(1.0, 10)[0] == pytest.approx(0.7225, abs=1e-4)
    assert math.isnan(wilson(0.5, 0)[0])


def test_ties_are_half_a_win() -> None:
    result = counted(PAIRS, simulate(plan(PAIRS, 3, 6, raters=24), 4, lambda system, *_: float(system != ANCHOR)), 4)
    assert {row.share for row in result.preferences} == {0.5}
    assert all(row.ties == 24 and row.wins == row.losses == 0 for row in result.preferences)
    assert result.kept == 4


@pytest.mark.parametrize(("scale", "values"), [(FIVE, (4.2, 3.5, 2.5, 1.8)), (HUNDRED, (80, 65, 45, 20))])
def test_known_ratings_are_recovered(scale: str, values: tuple[float, ...]) -> None:
    truth = dict(zip((REFERENCE, "s0", "s1", ANCHOR), values))
    width = 0.4 if scale == FIVE else 8.0
    study = plan(scale, 2, 6, raters=24, questions=QUESTIONS)
    opinion = lambda system, question, rng: truth[system] + rng.normal(0, width)  # noqa: E731
    result = count(study, simulate(study, 24, opinion), 24, 24)
    assert result.kept == 24
    assert len(result.ratings) == 4 * 3 and {row.n for row in result.ratings} == {24 * 6}
    for row in result.ratings:
        assert abs(row.mean - truth[row.system]) < 0.35 * width
        assert row.interval[0] <= row.mean <= row.interval[1]
    for gap in result.differences:
        assert abs(gap.difference - (truth[gap.system] - truth[gap.other])) < 0.45 * width
        assert gap.interval[0] < gap.difference < gap.interval[1] and (gap.interval[0] > 0) == (gap.difference > 0)


@pytest.mark.parametrize("scale", [PAIRS, FIVE, HUNDRED])
def test_careless_raters_are_dropped(scale: str) -> None:
    """Raters who answer at random go, careful ones stay, and the figures are those of the careful ones."""
    study = plan(scale, 3, 8, raters=24, questions=("lips", "natural"))
    careful = {REFERENCE: 90, "s0": 70, "s1": 50, "s2": 30, ANCHOR: 5}
    scaled = lambda system: careful[system] if scale == HUNDRED else 1 + careful[system] / 25  # noqa: E731
    good = simulate(study, 12, lambda system, question, rng: scaled(system) + rng.normal(0, 0.05))
    random = lambda system, question, rng: float(rng.uniform(0, 100) if scale == HUNDRED else rng.integers(1, 6))  # noqa: E731
    bad = simulate(study, 12, random, seed=3, first=12)
    result = count(study, good + bad, 24, 24)
    kept = {verdict.rater for verdict in result.verdicts if verdict.kept}
    assert kept >= set(range(1, 13)) and len(kept) <= 14
    assert result.chance < 0.2
    alone = count(study, good, 12, 12)
    if len(kept) == 12:
        assert result.ratings == alone.ratings and result.preferences == alone.preferences
    assert all(re.match(r"failed \d+ of \d+ checks", verdict.reason) for verdict in result.verdicts if not verdict.kept)


def test_a_habit_of_choosing_the_left_is_told() -> None:
    study = plan(PAIRS, 2, 6)
    answers = simulate(study, 4, by_strength)
    assert 0.35 < count(study, answers, 4, 4).left_share < 0.65
    left = [replace(row, value=1.0 - row.slot) if ANCHOR not in row.system else row for row in answers]
    assert count(study, left, 4, 4, most_failed=1.0).left_share > 0.85


def test_a_rater_who_left_before_two_checks_is_dropped_with_the_reason() -> None:
    study = plan(PAIRS, 3, 6, raters=24)
    full = simulate(study, 2, by_strength)
    left = [answer for answer in simulate(study, 1, by_strength, first=2) if answer.page < 2]
    result = count(study, full + left, 3, 2)
    assert [verdict.kept for verdict in result.verdicts] == [True, True, False]
    assert "needs 2" in result.verdicts[2].reason


def test_a_rater_who_left_later_counts() -> None:
    study = plan(FIVE, 2, 6)
    opinion = lambda system, *_: {REFERENCE: 5.0, ANCHOR: 1.0}.get(system, 3.0)  # noqa: E731
    half = [answer for answer in simulate(study, 1, opinion) if answer.page < 14]
    result = count(study, half, 1, 0)
    assert result.kept == 1 and result.finished == 0 and sum(row.n for row in result.ratings) == 14


def test_an_anchor_of_wrong_sound_is_checked_on_lip_sync_only() -> None:
    study = plan(FIVE, 2, 6, questions=QUESTIONS, anchor="other-sound")
    opinion = lambda system, question, _: 1.0 if (system, question) == (ANCHOR, "lips") else 4.0  # noqa: E731
    result = count(study, simulate(study, 3, opinion), 3, 3)
    assert result.kept == 3 and {verdict.checks for verdict in result.verdicts} == {6}


def test_the_same_answers_give_the_same_figures(pairs: Tally) -> None:
    again = count(pairs.study, list(pairs.answers), 24, 24)
    assert again == pairs


@pytest.mark.parametrize("scale", [PAIRS, FIVE, HUNDRED])
def test_reports(scale: str, tmp_path: Path) -> None:
    study = plan(scale, 2, 4, title="Faces | <b>", questions=("lips", "natural"), sound="both")
    opinion = lambda system, question, rng: {REFERENCE: 5.0, ANCHOR: 1.0}.get(system, 3.0) + rng.normal(0, 0.3)  # noqa: E731
    result = count(study, simulate(study, 5, opinion), 6, 5)
    paths = [tmp_path / f"report{ending}" for ending in (".html", ".md", ".svg", ".csv")]
    for path in paths:
        write(result, path, paths)
    page = paths[0].read_text()
    assert "<b>" not in re.sub(r"<div><b>\d+%?</b>", "", page) and "Faces | &lt;b&gt;" in page and "<svg" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    text = paths[1].read_text()
    assert "report.svg" in text and result.rule in text and "naturalness, without sound" in text
    assert text.startswith(as_text(result).splitlines()[0]) and "Faces / <b>" in text
    rows = list(csv.DictReader(paths[3].read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(result.answers)
    assert json.loads(json.dumps(to_dict(result), allow_nan=False))["counted"] == 5


def test_one_rater_has_no_interval_over_raters() -> None:
    study = plan(FIVE, 2, 4)
    opinion = lambda system, *_: {REFERENCE: 5.0, ANCHOR: 1.0}.get(system, 3.0)  # noqa: E731
    result = count(study, simulate(study, 1, opinion), 1, 1)
    assert all(math.isnan(row.interval[0]) for row in result.ratings)
    assert to_dict(result)["ratings"][0]["interval"] is None and "nan" not in as_text(result)
