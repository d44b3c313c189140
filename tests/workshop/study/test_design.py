"""Who sees what: balanced orders and sides, checks, and what a page shows."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from tests.workshop.study.examples import plan

from diffposetalk.workshop.study.design import balance, enough_checks, pages_for, williams
from diffposetalk.workshop.study.plan import ANCHOR, FIVE, HUNDRED, PAIRS, QUESTIONS, REFERENCE, Study, read_study


@pytest.mark.parametrize("n", range(1, 9))
def test_williams_squares(n: int) -> None:
    """Every number once in each place, and after every other number equally often."""
    rows = williams(n)
    assert all(sorted(row) == list(range(n)) for row in rows)
    for place in range(n):
        assert set(Counter(row[place] for row in rows).values()) == {len(rows) // n}
    follows = Counter((one, other) for row in rows for one, other in itertools.pairwise(row))
    assert len(follows) == n * (n - 1) and len(set(follows.values())) <= 1


@pytest.mark.parametrize("scale", [PAIRS, HUNDRED, FIVE])
@pytest.mark.parametrize(("n_systems", "n_clips"), [(1, 3), (2, 4), (3, 5), (4, 10)])
def test_every_rater_judges_everything_once(scale: str, n_systems: int, n_clips: int) -> None:
    study = plan(scale, n_systems, n_clips, questions=QUESTIONS)
    for rater in range(5):
        judged = Counter(
            (tuple(sorted(page.systems)), page.clip, question)
            for page in pages_for(study, rater)
            for question in page.questions
            if scale != PAIRS or ANCHOR not in page.systems
        )
        groups = {PAIRS: n_systems * (n_systems + 1) // 2, HUNDRED: 1, FIVE: n_systems + 2}[scale]
        assert len(judged) == groups * n_clips * 3 and set(judged.values()) == {1}


@pytest.mark.parametrize("pages", [None, 12])
def test_sides_are_balanced(pages: int | None) -> None:
    """Over an even number of raters exactly; for each rater within one page for every system."""
    study = plan(PAIRS, 3, 6, raters=24, pages=pages)
    left: Counter[tuple[str, ...]] = Counter()
    for rater in range(24):
        lean: Counter[str] = Counter()
        for page in pages_for(study, rater):
            left[page.clip, *page.systems] += 1
            lean[page.systems[0]] += 1
            lean[page.systems[1]] -= 1
        assert max(abs(lean[system]) for system in (*study.systems, REFERENCE)) <= 2
    for clip, one, other in left:
        assert left[clip, one, other] == left[clip, other, one]


@pytest.mark.parametrize("scale", [PAIRS, HUNDRED, FIVE])
def test_order_is_balanced(scale: str) -> None:
    spread = balance(plan(scale, 3, 6, raters=24, questions=QUESTIONS))
    assert spread.fewest == spread.most == 24
    assert 0.47 < spread.place[0] <= spread.place[1] < 0.53
    if scale == HUNDRED:
        assert 0.15 < spread.left[0] <= spread.left[1] < 0.25  # each of five systems leads on a fifth of the pages
    if scale == PAIRS:
        assert spread.left == (0.5, 0.5)


def test_fewer_pages_are_spread_over_the_raters() -> None:
    spread = balance(plan(FIVE, 3, 10, raters=25, pages=20))
    assert spread.pages == 20
    assert spread.most - spread.fewest <= 5 and spread.fewest >= 8


def test_a_clip_is_not_shown_twice_in_a_row() -> None:
    study = plan(PAIRS, 3, 5)
    for rater in range(12):
        clips = [page.clip for page in pages_for(study, rater)]
        assert all(one != other for one, other in itertools.pairwise(clips))


def test_questions_come_in_blocks_whose_order_turns() -> None:
    study = plan(PAIRS, 2, 3, questions=QUESTIONS)
    orders = set()
    for rater in range(12):
        questions = [page.questions[0] for page in pages_for(study, rater)]
        blocks = [one for one, before in zip(questions, [None, *questions]) if one != before]
        assert sorted(blocks) == sorted(QUESTIONS)
        orders.add(tuple(blocks))
    assert len(orders) == 6


def test_with_and_without_sound() -> None:
    """Lip sync is never asked without sound; everything else is asked both ways."""
    pages = pages_for(plan(FIVE, 2, 3, questions=QUESTIONS, sound="both"), 0)
    assert {page.questions for page in pages if page.sound} == {QUESTIONS}
    assert {page.questions for page in pages if not page.sound} == {("style", "natural")}


def test_an_anchor_of_wrong_sound_is_not_shown_without_sound() -> None:
    study = plan(FIVE, 2, 3, questions=QUESTIONS, sound="both", anchor="other-sound")
    assert not any(ANCHOR in page.systems for page in pages_for(study, 1) if not page.sound)
    assert any(ANCHOR in page.systems for page in pages_for(study, 1) if page.sound)
    assert study.checks("lips") and not study.checks("natural")


def test_against_one_system() -> None:
    study = plan(PAIRS, 3, 4, against="s1")
    assert all("s1" in page.systems or ANCHOR in page.systems for page in pages_for(study, 0))


def test_too_few_checks_are_noticed() -> None:
    assert enough_checks(plan(PAIRS, 4, 6, pages=8))
    assert not enough_checks(plan(FIVE, 6, 4, pages=3))
    assert not enough_checks(plan(HUNDRED, 2, 1))


def test_a_study_goes_through_json() -> None:
    study = plan(PAIRS, ties=False, against="s0", strings={"start.begin": "Los"}, sound="both")
    again = read_study(study.to_json())
    assert again == study and isinstance(again, Study) and again.identity() == study.identity()
    assert plan(PAIRS, seed=1).identity() != plan(PAIRS).identity()
