"""When lips move: lags, misalignment of extrema, and sound offsets with known answers."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError

FPS = 25.0


def smooth(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.convolve(rng.normal(size=n + 10), np.hanning(9), "same")[5:-5]


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_a_later_generated_curve_has_a_positive_lag(shift):
    rng = np.random.default_rng(0)
    predicted, reference = [], []
    for n in (90, 140):
        base = smooth(rng, n + 20)
        reference.append(base[10 : 10 + n] * rng.uniform(0.1, 9) + rng.normal())
        predicted.append(base[10 - shift : 10 - shift + n + 3])
    found = metrics.lag_correlation(predicted, reference)
    assert found.best_lag == shift
    assert found.best_r == pytest.approx(1, abs=0.03)
    assert found.lags == tuple(range(-8, 9))


def test_lag_zero_is_pearson():
    rng = np.random.default_rng(1)
    a, b = smooth(rng, 100), smooth(rng, 100)
    assert metrics.lag_correlation([a], [b]).r0 == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_a_still_curve_correlates_with_nothing():
    found = metrics.lag_correlation([np.full(50, 0.3)], [np.sin(np.arange(50))])
    assert found.r == (0.0,) * 17


def test_lag_correlation_refuses_short_and_missing():
    for predicted, reference in (([], []), ([np.zeros(9)], [np.zeros(9)]), ([np.zeros(30)], [])):
        with pytest.raises(InputError):
            metrics.lag_correlation(predicted, reference)


def slow_misalignment(predicted: np.ndarray, truth: np.ndarray, sigma: float) -> list[int]:
    """Compute the offsets in frames with scipy and plain loops: a second way to write the definition."""
    ndimage, signal = pytest.importorskip("scipy.ndimage"), pytest.importorskip("scipy.signal")
    real, ours = ndimage.gaussian_filter1d(truth, sigma), ndimage.gaussian_filter1d(predicted, sigma)
    steps = [np.concatenate([[0.0], np.diff(curve)]) for curve in (real, ours)]
    total = np.full((len(real) + 1, len(ours) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(real)):
        for j in range(len(ours)):
            cheapest = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = abs(steps[0][i] - steps[1][j]) + cheapest
    kinds = [
        {**dict.fromkeys(signal.find_peaks(c)[0], 1), **dict.fromkeys(signal.find_peaks(-c)[0], -1)}
        for c in (real, ours)
    ]
    ordered = sorted(kinds[0])
    offsets = []
    i, j = len(real), len(ours)
    while i and j:
        a, b = i - 1, j - 1
        if a in kinds[0] and kinds[0][a] == kinds[1].get(b):
            k = ordered.index(a)
            first = ordered[k - 1] if k else 0
            last = ordered[k + 1] if k + 1 < len(ordered) else len(real) - 1
            if first <= b <= last:
                offsets.append(b - a)
        options = [total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]]
        step = options.index(min(options))
        i, j = i - (step != 2), j - (step != 1)
    return offsets[::-1]


@pytest.mark.parametrize("seed", range(4))
def test_misalignment_agrees_with_a_second_way_to_write_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, other = smooth(rng, 80 + seed), smooth(rng, 83)
    predicted = other if seed == 0 else truth[:-2] * 0.7 + 0.4 * other[: len(truth) - 2]
    found = metrics.temporal_misalignment(predicted, truth, FPS)
    assert list(found.offsets_ms) == [40.0 * offset for offset in slow_misalignment(predicted, truth, 2.0)]
    assert len(found.offsets_ms) >= 3 and 0 < found.joined <= 1


def test_misalignment_of_the_truth_is_nothing_and_all_extrema_are_joined() -> None:
    truth = smooth(np.random.default_rng(7), 200)
    found = metrics.temporal_misalignment(truth, truth, FPS)
    assert found.mean_ms == found.signed_ms == 0 and found.joined == 1


@pytest.mark.parametrize("late", [-3, 2, 4])
def test_a_gap_that_comes_later_is_misaligned_by_as_much(late: int) -> None:
    times = np.arange(300)
    gap = 2 + np.sin(2 * np.pi * times / 30) + 0.3 * np.sin(2 * np.pi * times / 77)
    shifted = np.interp(times - late, times, gap)
    found = metrics.temporal_misalignment(shifted, gap, FPS)
    assert found.signed_ms == pytest.approx(40 * late, abs=15)
    assert found.mean_ms == pytest.approx(40 * abs(late), abs=15)
    assert metrics.temporal_misalignment(shifted, gap, 2 * FPS).mean_ms == pytest.approx(found.mean_ms / 2)


def test_a_still_gap_joins_nothing() -> None:
    truth = smooth(np.random.default_rng(7), 100)
    found = metrics.temporal_misalignment(np.full(100, 0.2), truth, FPS)
    assert found.joined == 0 and np.isnan(found.mean_ms)
    with pytest.raises(InputError, match="at least 2 frames"):
        metrics.temporal_misalignment(truth[:1], truth, FPS)


def test_the_offset_of_closures() -> None:
    """Lips close 60 ms before each p."""
    rng = np.random.default_rng(0)
    phones = [("p", start, start + 0.08) for start in np.arange(0.5, 7.5, 0.7) + rng.uniform(0, 0.2, 10)]
    times = np.arange(200) / FPS
    gap = 1 - np.max([np.exp(-(((times - (a + b) / 2 + 0.06) / 0.06) ** 2)) for _, a, b in phones], axis=0)
    found = metrics.offset_of_closures([(gap, phones)], FPS)
    assert found is not None and found.n_closures == 10
    assert found.seconds == pytest.approx(-0.06, abs=0.006) and 0 < found.error_s < 0.01
    assert metrics.offset_of_closures([(gap, phones[:3])], FPS) is None  # too few
    assert metrics.offset_of_closures([(np.zeros(200), phones)], FPS) is None  # never opens
