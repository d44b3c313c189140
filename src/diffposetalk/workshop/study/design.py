"""Who sees what, in which order and on which side. Everything follows from the study and the rater's number.

Orders are balanced Latin squares (E. J. Williams, 1949): over the raters every condition of a clip comes equally often at
every place. Sides change with the rater, the clip and the pair.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from statistics import median
from typing import Any, TypeVar

from diffposetalk.workshop.study.plan import ANCHOR, FEWEST_CHECKS, HUNDRED, PAIRS, REFERENCE, Aspect, Study

FIRST_RATERS = 6
"""Raters whose pages tell how long a study takes."""
CHECK_EVERY = 8
"""In pairs, about one page in so many compares the reference with the anchor."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Page:
    """One page for one rater."""

    clip: str
    questions: tuple[str, ...]
    sound: bool
    systems: tuple[str, ...]
    """The systems of the videos, from left to right."""

    def to_dict(self) -> dict[str, Any]:
        """Return the page for JSON; `page_from` reads it."""
        return asdict(self)


def page_from(values: dict[str, Any]) -> Page:
    """Return a page from what `Page.to_dict` gave, after JSON."""
    return Page(values["clip"], tuple(values["questions"]), values["sound"], tuple(values["systems"]))


@cache
def williams(n: int) -> tuple[tuple[int, ...], ...]:
    """Return a balanced Latin square of the numbers below ``n``.

    Every number is once in each place, and follows every other number equally often.

    Returns:
        ``n`` rows if ``n`` is even, ``2 n`` if it is odd (the second half are the first rows reversed).
    """
    first = [0]
    for step in range(1, n):
        first.append((first[-1] + (step if step % 2 else -step)) % n)
    rows = [tuple((number + shift) % n for number in first) for shift in range(n)]
    return tuple(rows + [row[::-1] for row in rows] if n % 2 and n > 1 else rows)


def pages_for(study: Study, rater: int) -> tuple[Page, ...]:
    """Return the pages of one rater, in order.

    The pages of one `Aspect` come together, so that the question does not change with every page. In a block every clip
    is shown once before one is shown again. In pairs, the raters ``2 k`` and ``2 k + 1`` see the same pages with the sides
    exchanged, and some pages compare the reference with the anchor.

    Args:
        study: the study.
        rater: number of the rater, from 0.
    """
    number = rater // 2 if study.scale == PAIRS else rater
    blocks = study.aspects()
    order = _row(len(blocks), number)
    pages: list[Page] = []
    for place, block in enumerate(order):
        quota = None if study.pages is None else study.pages // len(blocks) + (place < study.pages % len(blocks))
        pages += _block(study, blocks[block], number, block, quota)
    if study.scale != PAIRS:
        return tuple(pages)
    return tuple(_with_sides(pages, random.Random(f"{study.seed} {number} sides"), exchanged=rater % 2 == 1))


def _block(study: Study, aspect: Aspect, number: int, block: int, quota: int | None) -> list[Page]:
    """Return the pages of one block, at most ``quota``."""
    clips = _shuffled(study.clips, f"{study.seed} clips")
    conditions = _shuffled(study.conditions(aspect), f"{study.seed} {aspect}")
    checked = study.scale == PAIRS and study.anchored(aspect)
    pages: list[Page] = []
    for turn in range(len(conditions)):
        row = _row(len(clips), number + turn + block)
        if pages and len(row) > 1 and clips[row[0]] == pages[-1].clip:
            row = (*row[1:], row[0])
        for clip in row:
            systems = conditions[_row(len(conditions), number + clip)[turn]]
            if study.scale == HUNDRED:
                systems = tuple(systems[slot] for slot in _row(len(systems), number + clip + block))
            pages.append(Page(clips[clip], aspect.questions, aspect.sound, systems))
    return _with_checks(pages, clips, number, quota) if checked else pages[:quota]


def _with_checks(pages: list[Page], clips: list[str], number: int, quota: int | None) -> list[Page]:
    """Spread pages over a block of pairs that compare the reference with the anchor."""
    length = len(pages) if quota is None else min(quota, len(pages))
    n_checks = max(FEWEST_CHECKS, round(length / CHECK_EVERY))
    pages = pages if quota is None else pages[: max(0, quota - n_checks)]
    for check in range(n_checks):
        place = round((check + 0.5) * len(pages) / n_checks)
        beside = {page.clip for page in pages[max(0, place - 1) : place + 1]}
        turned = [clips[(number + check + step) % len(clips)] for step in range(len(clips))]
        clip = next((name for name in turned if name not in beside), turned[0])
        pages = [*pages[:place], replace(pages[0], clip=clip, systems=(REFERENCE, ANCHOR)), *pages[place:]]
    return pages


def _with_sides(pages: list[Page], chance: random.Random, exchanged: bool) -> Iterator[Page]:
    """Choose the sides of pairs: a system that was more often on the left goes to the right; else chance decides."""
    lean: Counter[str] = Counter()
    for page in pages:
        one, other = page.systems
        turned = lean[one] > lean[other] or (lean[one] == lean[other] and chance.random() < 0.5)
        left, right = (other, one) if turned else (one, other)
        lean[left] += 1
        lean[right] -= 1
        yield replace(page, systems=(right, left) if exchanged else (left, right))


def _row(n: int, number: int) -> tuple[int, ...]:
    rows = williams(n)
    return rows[number % len(rows)]


def _shuffled(items: Sequence[Item], seed: str) -> list[Item]:
    """Return the items in an order that the seed decides."""
    return random.Random(seed).sample(list(items), len(items))


def fewest_checks(study: Study) -> int:
    """Return how many checks a planned rater sees at least; see `tally.checks`."""
    return min(sum(_n_checks(study, page) for page in pages_for(study, rater)) for rater in range(study.raters))


def _n_checks(study: Study, page: Page) -> int:
    if ANCHOR not in page.systems:
        return 0
    return sum(study.checks(question) for question in page.questions)


def enough_checks(study: Study) -> bool:
    """Return whether every planned rater is checked often enough, and sees the reference."""
    all_see_reference = all(
        any(REFERENCE in page.systems for page in pages_for(study, rater)) for rater in range(study.raters)
    )
    return all_see_reference and fewest_checks(study) >= FEWEST_CHECKS


@dataclass(frozen=True)
class Balance:
    """How evenly the planned raters' pages are spread."""

    pages: int
    """Most pages of one rater."""
    minutes: float
    """Median time of one rater; see `_seconds`."""
    fewest: int
    """Judgements of the system (or pair), clip and question with the fewest."""
    most: int
    """Judgements of the one with the most."""
    left: tuple[float, float]
    """Smallest and largest share of a system's appearances on the left (pairs; else the first place)."""
    place: tuple[float, float]
    """Smallest and largest mean place of a system in the order of the pages: 0 first, 1 last."""


def length(study: Study) -> tuple[int, float]:
    """Return the most pages and the median minutes of the first raters; see `Balance`."""
    first = [pages_for(study, rater) for rater in range(min(study.raters, FIRST_RATERS))]
    return max(map(len, first)), _minutes(study, first)


def balance(study: Study) -> Balance:
    """Measure the order of all planned raters. The anchor is left out of sides and places."""
    judged: Counter[tuple[tuple[str, ...], str, str, bool]] = Counter()
    shown: Counter[str] = Counter()
    first: Counter[str] = Counter()
    places: dict[str, list[float]] = {}
    everything = [pages_for(study, rater) for rater in range(study.raters)]
    for pages in everything:
        for number, page in enumerate(pages):
            if ANCHOR in page.systems and study.scale != HUNDRED:
                continue
            for question in page.questions:
                judged[tuple(sorted(page.systems)), page.clip, question, page.sound] += 1
            for slot, system in enumerate(page.systems):
                shown[system] += 1
                first[system] += slot == 0
                places.setdefault(system, []).append(number / max(1, len(pages) - 1))
    counts = list(judged.values())
    means = [sum(row) / len(row) for row in places.values()]
    shares = [first[system] / shown[system] for system in shown]
    n_pages, minutes = max(map(len, everything)), _minutes(study, everything)
    return Balance(n_pages, minutes, min(counts), max(counts), (min(shares), max(shares)), (min(means), max(means)))


def _minutes(study: Study, raters: Sequence[Sequence[Page]]) -> float:
    """Return the median time of raters, minutes."""
    return median(sum(_seconds(study, page) for page in pages) / 60 for pages in raters)


def _seconds(study: Study, page: Page) -> float:
    """Return how long a page takes: every video twice, and five seconds for each question and video."""
    return sum(2 * study.videos[page.clip][system].seconds + 5 * len(page.questions) for system in page.systems)
