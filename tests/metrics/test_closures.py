"""Closures of the lips, counted by hand."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError

FPS = 25.0


def test_closures_by_hand():
    gap = np.ones(50)
    gap[10] = 0.0  # sealed at 0.40 s
    phones = [("b", 0.36, 0.39), ("p", 0.80, 0.90), ("aa", 1.0, 1.2), ("ah", 0.36, 0.44), ("s", 0.4, 0.41)]
    found = metrics.closures(gap, FPS, phones)
    assert (found.n_pressed, found.n_sealed, found.n_open, found.n_open_sealed) == (2, 1, 2, 1)
    assert metrics.closures(gap, FPS, phones, tolerance=0.0).n_sealed == 0
    assert metrics.closures(gap, FPS, [("b", 0.36, 0.38)]).n_sealed == 1  # reached only by the tolerance
    assert found.share == 0.5 and found.gap_ratio == pytest.approx(found.pressed_gap / found.open_gap)
    later = metrics.closures(gap, FPS, [("p", 5.0, 5.1)])
    assert later.n_pressed == 0 and np.isnan(later.share)


def test_pooled_closures_weigh_intervals():
    a = metrics.Closures(3, 3, 1, 0, 0.1, 1.0)
    b = metrics.Closures(1, 0, 0, 0, 0.5, float("nan"))
    both = metrics.Closures.pooled([a, b])
    assert both.share == 0.75
    assert both.pressed_gap == pytest.approx(0.2) and both.open_gap == 1.0


def test_closing_time():
    gap = np.array([1, 1, 1, 0.5, 0.2, 0.05, 0.0, 0.0])
    assert metrics.closing_time(gap, FPS, silent_from=3 / FPS, limit=0.1) == pytest.approx(2 / FPS)
    assert metrics.closing_time(gap, FPS, 0.28, 0.1) == 0
    assert metrics.closing_time(np.ones(5), FPS, 0, 0.1) == float("inf")


def test_frames_of_p_b_m() -> None:
    """Frames are at 0, 40, 80 ms...; the end of an interval is not part of it."""
    phones = [("p", 0.04, 0.12), ("aa", 0.12, 0.2), ("m", 0.21, 0.22), ("b", 0.36, 9.0), ("p", -1.0, 0.01)]
    frames = metrics.bilabial_frames(phones, 11, FPS)
    assert np.flatnonzero(frames).tolist() == [0, 1, 2, 5, 9, 10]  # the m lies between frames and counts as the nearest


def test_the_limit_has_seventy_percent_of_the_captured_frames() -> None:
    gap = np.arange(10.0)[::-1]
    limit = metrics.closure_limit([gap, np.full(5, 99.0)], [np.ones(10, bool), np.zeros(5, bool)])
    assert limit == 6.0 and (gap <= limit).mean() == 0.7
    with pytest.raises(InputError, match="no frame of p, b or m"):
        metrics.closure_limit([gap], [np.zeros(10, bool)])
    with pytest.raises(InputError, match="does not fit"):
        metrics.closure_limit([gap], [np.zeros(9, bool)])


def test_bilabial_closures_by_hand() -> None:
    phones = [("s", 0.0, 0.4), ("p", 0.4, 0.56), ("aa", 0.56, 1.2), ("sil", 1.2, 1.6), ("aa", 1.6, 2.0)]
    gap = np.ones(60)
    gap[11:13] = 0.1  # two of the four frames of p (10 to 13)
    gap[15] = 0.1  # two frames after the p: near it
    gap[20:22] = 0.1  # a closure that is none
    gap[32:36] = 0.1  # in silence: does not count
    gap[55:] = 0.1  # after the last phone: does not count
    counts = metrics.bilabial_closures(gap, FPS, phones, 0.1)
    assert (counts.n_pressed, counts.n_pressed_closed) == (4, 2) and counts.score == 50
    assert (counts.n_closed, counts.n_closed_near) == (5, 3) and counts.precision == 60
    assert (counts.n_closures, counts.n_false_closures) == (3, 1)
    assert counts.false_closures == pytest.approx(100 / 3)
    both = metrics.BilabialClosures.pooled([counts, metrics.BilabialClosures(4, 4, 5, 5, 1, 0)])
    assert both.score == 75 and both.precision == 80 and both.false_closures == 25


def test_a_mouth_that_never_opens_has_the_best_score_and_a_poor_precision() -> None:
    phones = [("p", 0.4, 0.5), ("aa", 0.5, 4.0)]
    shut = metrics.bilabial_closures(np.zeros(100), FPS, phones, 0.1)
    assert shut.score == 100 and shut.precision < 10
    still_open = metrics.bilabial_closures(np.ones(100), FPS, phones, 0.1)
    assert still_open.score == 0 and np.isnan(still_open.precision) and np.isnan(still_open.false_closures)
    with pytest.raises(InputError, match="at least one frame"):
        metrics.bilabial_closures(np.zeros(0), FPS, phones, 0.1)


def test_a_short_clip_near_p_b_m() -> None:
    """A clip shorter than the reach of a closure."""
    counts = metrics.bilabial_closures(np.zeros(2), FPS, [("p", 0.0, 0.03), ("aa", 0.03, 1.0)], 0.1)
    assert (counts.n_closed, counts.n_closed_near) == (2, 2)
