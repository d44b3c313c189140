"""Several samples for one input, by hand; the energy score also by its property."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError, UsageError


def test_diversity() -> None:
    samples = np.zeros((3, 10, 2))
    samples[1, :, 0], samples[2, :, 1] = 3, 4
    assert metrics.diversity(samples) == pytest.approx((3 + 4 + 5) / 3)
    for measure in (metrics.diversity, metrics.head_diversity, lambda x: metrics.energy_score_fair(x, x[0])):
        with pytest.raises(InputError, match="S of at least 2"):
            measure(samples[:1])


def test_diversity_of_heads_is_the_angle_between_them() -> None:
    samples = np.zeros((3, 10, 3))
    samples[1, :, 1], samples[2, :, 1] = np.deg2rad(2), np.deg2rad(362)  # a whole turn further is the same
    assert metrics.head_diversity(samples) == pytest.approx((2 + 2 + 0) / 3)


def test_columns_in_millimetres() -> None:
    curves = metrics.Curves(25.0, gap=np.full(2, 0.01), lids=np.full((2, 2), 0.5), brow=np.full((2, 2), 0.02))
    assert metrics.lips_mm(curves).tolist() == [[10], [10]]
    assert metrics.upper_face_mm(curves)[0] == pytest.approx([20, 20, 5, 5])
    with pytest.raises(UsageError, match="not in metres"):
        metrics.lips_mm(curves.share_of_opening())
    with pytest.raises(UsageError, match="neither brow nor lids"):
        metrics.upper_face_mm(metrics.Curves(25.0, gap=np.zeros(2)))
    with pytest.raises(UsageError, match="gap is not known"):
        metrics.lips_mm(metrics.Curves(25.0, lids=np.zeros((2, 2))))


def test_figures_of_samples() -> None:
    figures = metrics.SampleFigures.of([3.0, 1, 2])
    assert (figures.one, figures.mean, figures.best) == (3, 2, 1)
    assert metrics.SampleFigures.of([0.3, 0.1, 0.2], higher_is_better=True).best == 0.3
    assert metrics.SampleFigures.of([1.0, float("nan"), 3]).mean == 2
    assert np.isnan(metrics.SampleFigures.of([float("nan")]).best)
    with pytest.raises(InputError):
        metrics.SampleFigures.of([])


def test_energy_score_by_hand() -> None:
    """Samples 1 and 3, truth 0: mean distance 2; half the mean over all four pairs is 1/2, over different ones 1."""
    samples, truth = np.array([[[1.0]], [[3.0]]]), np.zeros((1, 1))
    assert metrics.energy_score(samples, truth) == pytest.approx(2 - 0.5)
    assert metrics.energy_score_fair(samples, truth) == pytest.approx(2 - 1)
    assert metrics.energy_score(samples[1:], truth) == 3  # one sample: its error
    assert metrics.energy_score(np.zeros((4, 1, 1)), truth) == 0
    with pytest.raises(InputError):
        metrics.energy_score(samples, np.zeros((2, 1)))


@pytest.mark.parametrize("spread", [0.0, 0.4, 2.5])
def test_the_true_distribution_has_the_best_energy_score(spread: float) -> None:
    """Neither a single guess nor too much variety wins."""
    rng = np.random.default_rng(0)
    truths = rng.normal(size=(150, 20, 2))

    def mean_score(scale: float) -> float:
        return float(np.mean([metrics.energy_score_fair(scale * rng.normal(size=(8, 20, 2)), y) for y in truths]))

    assert mean_score(1.0) < mean_score(spread)
