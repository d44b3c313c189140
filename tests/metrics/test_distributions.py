"""Distances between sets of frames or clips: against torchmetrics and scipy, and by hand."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    return rng.normal(size=(300, 4)) @ mixing + 0.3, rng.normal(size=(400, 4))


def test_frechet_agrees_with_torchmetrics(sets: tuple[np.ndarray, np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    fid = pytest.importorskip("torchmetrics.image.fid")
    moments = []
    for rows in sets:
        moments += [torch.tensor(rows.mean(0)), torch.tensor(np.cov(rows, rowvar=False))]
    theirs = float(fid._compute_fid(*moments))
    assert metrics.frechet_distance(*sets) == pytest.approx(theirs, rel=1e-6)
    assert metrics.frechet_distance(*sets[::-1]) == pytest.approx(theirs, rel=1e-6)


def test_frechet_by_hand() -> None:
    """In one dimension: (difference of means)^2 + (difference of spreads)^2."""
    truth = np.array([-1.0, 0, 1])
    assert metrics.frechet_distance(3 * truth + 2, truth) == pytest.approx(2**2 + (3 - 1) ** 2)
    assert metrics.frechet_distance(truth, truth) == pytest.approx(0, abs=1e-12)
    still = np.zeros((5, 2))
    assert metrics.frechet_distance(still, still + 1) == pytest.approx(2)  # covariances of nothing
    with pytest.raises(InputError):
        metrics.frechet_distance(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(InputError):
        metrics.frechet_distance(np.zeros((1, 2)), np.zeros((5, 2)))


def test_wasserstein_agrees_with_scipy(sets: tuple[np.ndarray, np.ndarray]) -> None:
    stats = pytest.importorskip("scipy.stats")
    theirs = np.mean([stats.wasserstein_distance(a, b) for a, b in zip(sets[0].T, sets[1].T)])
    assert metrics.wasserstein_distance(*sets) == pytest.approx(theirs)


def test_wasserstein_by_hand() -> None:
    assert metrics.wasserstein_distance(np.array([0.0, 1, 2]), np.array([5.0, 6, 7])) == pytest.approx(5)
    assert metrics.wasserstein_distance(np.array([0.0, 0]), np.array([0.0, 1])) == pytest.approx(0.5)
    assert metrics.wasserstein_distance(np.zeros((2, 2)), np.array([[0.0, 4]])) == pytest.approx(2)


def test_features() -> None:
    values = np.array([[0.0], [1], [3]])
    assert metrics.motion_features(values, 10.0).tolist() == [[1, 10], [3, 20]]
    assert metrics.clip_features(values, 10.0) == pytest.approx([4 / 3, values.std(), 15])
    with pytest.raises(InputError):
        metrics.clip_features(values[:1], 10.0)


def test_coverage_by_hand() -> None:
    """Captured rows in two groups; the generated ones reach one of them."""
    truth = np.concatenate([np.arange(6.0), 100 + np.arange(6.0)])[:, None]
    assert metrics.coverage(truth[:6], truth, 3) == 0.5
    assert metrics.coverage(truth, truth, 3) == 1
    assert metrics.coverage(truth + 500, truth, 3) == 0
    with pytest.raises(InputError, match="more captured rows"):
        metrics.coverage(truth[:3], truth[:3], 3)


def test_coverage_of_the_same_distribution_is_near_one() -> None:
    rng = np.random.default_rng(1)
    covered = [metrics.coverage(rng.normal(size=(200, 3)), rng.normal(size=(200, 3))) for _ in range(5)]
    assert np.mean(covered) == pytest.approx(1 - 2**-5, abs=0.02)
    assert metrics.coverage(np.zeros((200, 3)), rng.normal(size=(200, 3))) < 0.2  # one mode


def test_entropy_of_clusters_by_hand() -> None:
    """Four places, visited equally: two bits. Generated motion knows two of them: one bit."""
    truth = np.repeat(np.array([[0.0, 0], [0, 9], [9, 0], [9, 9]]), 25, axis=0)
    found = metrics.cluster_entropy(truth[:50], truth, 4)
    assert (found.truth, found.generated, found.deficit) == (2.0, 1.0, 1.0)
    assert metrics.cluster_entropy(np.zeros((7, 2)), truth, 4).generated == 0
    with pytest.raises(InputError, match="4 clusters"):
        metrics.cluster_entropy(truth, truth[:3], 4)


def test_clusters_are_the_same_each_time_and_may_outnumber_places(sets: tuple[np.ndarray, np.ndarray]) -> None:
    assert metrics.cluster_entropy(*sets) == metrics.cluster_entropy(*sets)
    assert metrics.cluster_entropy(*sets).truth > 3.5
    assert metrics.cluster_entropy(np.zeros((9, 1)), np.zeros((9, 1)), 5).deficit == 0


def test_clusters_are_as_good_as_those_of_scipy(sets: tuple[np.ndarray, np.ndarray]) -> None:
    """Mean squared distance to the nearest centre, with scipy's best of ten starts as the mark."""
    vq = pytest.importorskip("scipy.cluster.vq")
    from diffposetalk.metrics.distributions import _cluster_centres

    truth = sets[1]

    def loss(centres: np.ndarray) -> float:
        return float((vq.vq(truth, centres)[1] ** 2).mean())

    theirs = min(loss(vq.kmeans2(truth, 8, minit="++", rng=seed)[0]) for seed in range(10))
    assert loss(_cluster_centres(truth, 8, 0)) < 1.1 * theirs
