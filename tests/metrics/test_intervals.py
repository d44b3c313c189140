"""Intervals: what they hold, how often, and over what they are drawn."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError
from diffposetalk.metrics.intervals import T_QUANTILES


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for k in range(200):
        interval = metrics.bootstrap_interval(rng.normal(3, 2, 40), n_resamples=400, seed=k)
        held += interval.low <= 3 <= interval.high
    assert 0.89 <= held / 200 <= 0.98


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(size=100)
    interval = metrics.bootstrap_interval(values)
    assert interval.value == pytest.approx(values.mean()) and interval.n == 100
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.1)
    assert metrics.bootstrap_interval(values) == interval
    assert str(metrics.Interval(0.5, 0.25, 0.75, 3)) == "0.5 [0.25, 0.75]"


def test_clips_of_one_speaker_are_drawn_together() -> None:
    """Ten speakers with ten equal clips each: only ten numbers are known, so the interval is wide."""
    values = np.repeat(np.random.default_rng(2).normal(size=10), 10)
    alone = metrics.bootstrap_interval(values)
    together = metrics.bootstrap_interval(values, groups=np.repeat(range(10), 10).tolist())
    assert together.n == 10 and together.value == pytest.approx(alone.value)
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_a_statistic_of_counts() -> None:
    """Closed and all frames of each clip: the share over all frames, not the mean of shares."""
    counts = np.array([[1, 2], [30, 40], [5, 10]])
    share = metrics.bootstrap_interval(counts, lambda rows: rows[:, 0].sum() / rows[:, 1].sum())
    assert share.value == pytest.approx(36 / 52) and 0.5 <= share.low < share.value < share.high <= 0.75


def test_paired_differences_are_surer_than_the_figures() -> None:
    rng = np.random.default_rng(3)
    hardness = rng.normal(size=50) * 5
    ours, theirs = hardness + rng.normal(size=50) * 0.1, hardness + 0.2 + rng.normal(size=50) * 0.1
    difference = metrics.paired_interval(ours, theirs)
    assert difference.high < 0 and difference.value == pytest.approx(-0.2, abs=0.06)
    assert metrics.bootstrap_interval(ours).high > metrics.bootstrap_interval(theirs).low
    with pytest.raises(InputError, match="different clips"):
        metrics.paired_interval(ours, theirs[:-1])


def test_runs() -> None:
    interval = metrics.run_interval([1.0, 2, 3])
    assert interval.value == 2 and interval.high - 2 == pytest.approx(4.3027 * 1 / np.sqrt(3))
    stats = pytest.importorskip("scipy.stats")
    assert pytest.approx([stats.t.ppf(0.975, k) for k in range(1, 31)], abs=6e-5) == T_QUANTILES
    many = metrics.run_interval(np.tile([0.0, 1], 30))
    assert many.high - many.value == pytest.approx(stats.t.ppf(0.975, 59) * 0.5042 / np.sqrt(60), rel=0.01)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_refuses_what_has_no_interval(values: list[float]) -> None:
    with pytest.raises(InputError):
        metrics.bootstrap_interval(values)
    with pytest.raises(InputError):
        metrics.run_interval(values)


def test_refuses_groups_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="2 groups for 3 clips"):
        metrics.bootstrap_interval([1.0, 2, 3], groups=["a", "b"])
    with pytest.raises(InputError, match="at least 2 runs"):
        metrics.run_interval([1.0])
