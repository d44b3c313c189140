"""Stretches of speech: joined, grown and divided without losing or doubling time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffposetalk.workshop.footage.stretches import between, divided, grown, joined, within

times = st.lists(st.floats(0, 60), min_size=2, max_size=24, unique=True).map(sorted)
spans = times.map(lambda edges: [(a, b) for a, b in zip(edges[::2], edges[1::2])])


def total(parts: list[tuple[float, float]]) -> float:
    return sum(b - a for a, b in parts)


def test_within() -> None:
    assert within([(0, 1), (2, 5), (6, 7)], 0.5, 3) == [(0.5, 1), (2, 3)]


@given(spans)
def test_spans_and_gaps_fill_the_time(found: list[tuple[float, float]]) -> None:
    assert total(found) + total(between(found, 0, 60)) == pytest.approx(60)


@given(spans, st.floats(0, 3), st.floats(0, 1))
def test_joined_keep_order_and_what_was_there(found: list[tuple[float, float]], pause: float, keep: float) -> None:
    whole = joined(found, pause, keep, 0, 60)
    for a, b in found:
        assert any(low <= a and b <= high for low, high in whole)
    assert all(before[1] <= after[0] + 1e-9 for before, after in itertools.pairwise(whole))
    assert all(0 <= a < b <= 60 for a, b in whole)


def test_joined() -> None:
    assert joined([(1, 2), (2.5, 3), (6, 7)], 1, 0.5, 0, 7.2) == [(0.5, 3.5), (5.5, 7.2)]
    assert joined([(1, 2), (2.5, 3)], 0.2, 0.5, 0, 9) == [(0.5, 2.25), (2.25, 3.5)]


@given(spans, st.floats(0.1, 5), st.floats(0.1, 5))
def test_grown_do_not_overlap(found: list[tuple[float, float]], wanted: float, least: float) -> None:
    larger = grown(found, wanted, least, 0, 60)
    assert all(before[1] <= after[0] + 1e-9 for before, after in itertools.pairwise(larger))
    for (a, b), (low, high) in zip(found, larger):
        assert low <= a + 1e-9 and high >= b - 1e-9
        assert high - low == pytest.approx(b - a) or high - low == pytest.approx(wanted)


def test_grown() -> None:
    assert grown([(1.0, 2.0)], 2, 1, 0, 9) == [(0.5, 2.5)]
    assert grown([(0.1, 1.1)], 2, 1, 0, 9) == [(0.0, 2.0)]
    assert grown([(8.0, 9.0)], 2, 1, 0, 9) == [(7.0, 9.0)]
    assert grown([(1.0, 1.9)], 2, 1, 0, 9) == [(1.0, 1.9)], "too little speech"
    assert grown([(1.0, 2.0), (2.5, 6)], 2, 1, 0.8, 9) == [(1.0, 2.0), (2.5, 6)], "no room"


@given(st.floats(2, 200), spans)
def test_divided_into_parts_of_proper_length(length: float, gaps: list[tuple[float, float]]) -> None:
    parts = divided((0.0, length), gaps, 2, 20)
    assert total(parts) == pytest.approx(length)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    assert all(2 - 1e-9 <= b - a <= 20 + 1e-9 for a, b in parts)


def test_divided_in_the_widest_pause() -> None:
    assert divided((0, 30), [(12, 12.2), (15, 16), (18, 18.4), (25, 29)], 2, 20) == [(0, 15.5), (15.5, 30)]
    assert divided((0, 21), [], 2, 20) == [(0, 19), (19, 21)]
