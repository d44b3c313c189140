"""Similarity of two sets: frames or clips of generated motion and of captured motion, without pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError

N_NEIGHBOURS = 5
"""Neighbours of `coverage`."""
N_CLUSTERS = 20
"""Clusters of `cluster_entropy`."""
N_FITTED = 20_000
"""Largest number of frames that clusters are fitted to; from more frames, this many are drawn."""
ROUNDS = 50
"""Largest number of rounds of the fit."""


def motion_features(values: np.ndarray, fps: float) -> np.ndarray:
    """Return each frame's values and their speed per second: ``(T - 1, 2 D)`` of ``(T, D)``.

    A distance over these sees motion that is frozen or shuffled in time, which a distance over values alone does not.
    """
    values = _rows(values)
    return np.concatenate([values[1:], np.diff(values, axis=0) * fps], 1)


def clip_features(values: np.ndarray, fps: float) -> np.ndarray:
    """Describe a clip ``(T, D)`` by mean, spread and mean absolute speed (per second) of each column: ``(3 D,)``.

    Raises:
        InputError: there are fewer than 2 frames.
    """
    values = _rows(values)
    if len(values) < 2:
        raise InputError("a clip needs at least 2 frames")
    return np.concatenate([values.mean(0), values.std(0), np.abs(np.diff(values, axis=0)).mean(0) * fps])


def frechet_distance(generated: np.ndarray, truth: np.ndarray) -> float:
    """Return the squared Frechet distance of two normal distributions that are fitted to the rows.

    ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`` with means m and covariances S (divided by n - 1), as FID has it.

    Published for ARKit channels are 58.4 (SAiD), 38.4 (LAM), 25.2 (Audio2Face-3D) and 21.5 (AudioFace). Those are
    distances in the space of a network that is not published with them, so they do not compare with these.

    Args:
        generated: ``(N, D)`` values of all frames of all clips, or features of them; the unit of the result is its square.
        truth: ``(M, D)`` of the captured motion.

    Raises:
        InputError: fewer than 2 rows, or different widths.

    Source: Heusel et al. 2017 (FID).
    """
    generated, truth = _two_sets(generated, truth, 2)
    difference = generated.mean(0) - truth.mean(0)
    one, other = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (generated, truth))
    # The trace of the root of a product of covariances is that of the symmetric matrix below.
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return max(0.0, float(difference @ difference + np.trace(one) + np.trace(other) - 2 * shared))


def wasserstein_distance(generated: np.ndarray, truth: np.ndarray) -> float:
    """Return the Wasserstein-1 distance of each column's distribution, averaged over columns, in the unit of the values.

    In one dimension it is the area between the two cumulative distributions: how far the mean value has to be moved.
    Relations between columns and the order in time do not count.

    Args:
        generated: ``(N, D)`` rows.
        truth: ``(M, D)`` rows.

    Raises:
        InputError: no rows, or different widths.
    """
    generated, truth = _two_sets(generated, truth, 1)
    return float(np.mean([_wasserstein(a, b) for a, b in zip(generated.T, truth.T)]))


def coverage(generated: np.ndarray, truth: np.ndarray, n_neighbours: int = N_NEIGHBOURS) -> float:
    """Return the share of the captured rows with a generated row nearby: how much of what people do the model reaches.

    Nearby: not farther than the row's own ``n_neighbours``-th nearest captured row. Columns are divided by their spread
    over the captured rows first.

    Args:
        generated: ``(N, D)`` rows, such as `clip_features` of each clip.
        truth: ``(M, D)`` rows, M above ``n_neighbours``.
        n_neighbours: k.

    Returns:
        In [0, 1]. A model that draws from the distribution of the truth itself has about ``1 - 2^-k`` with N = M.

    Raises:
        InputError: too few rows, or different widths.

    Source: Naeem et al. 2020 (density and coverage); the division by the spread is ours.
    """
    generated, truth = _two_sets(generated, truth, 1)
    if len(truth) <= n_neighbours:
        raise InputError(f"coverage with {n_neighbours} neighbours needs more captured rows than {len(truth)}")
    scale = np.where(truth.std(0) > 0, truth.std(0), 1.0)
    generated, truth = generated / scale, truth / scale
    covered = 0
    for row in truth:
        radius = np.sort(((truth - row) ** 2).sum(1))[n_neighbours]  # its own distance, 0, comes first
        covered += bool(((generated - row) ** 2).sum(1).min() <= radius)
    return covered / len(truth)


@dataclass(frozen=True)
class ClusterEntropy:
    """Entropy of the clusters of motion that frames fall in, bits."""

    generated: float
    """Entropy of the generated frames."""
    truth: float
    """Entropy of the captured frames, to which the clusters were fitted."""

    @property
    def deficit(self) -> float:
        """Entropy that the generated motion lacks, bits; above 0, it is less varied than the captured motion."""
        return self.truth - self.generated


def cluster_entropy(
    generated: np.ndarray, truth: np.ndarray, n_clusters: int = N_CLUSTERS, seed: int = 0
) -> ClusterEntropy:
    """Measure how evenly motion uses the kinds of motion that people have: entropy of clusters (SID).

    k-means clusters are fitted to the captured rows, each row falls into the nearest, and the entropy of the shares is
    ``-sum p log2 p``. The captured entropy is the aim: noise may have more.

    Args:
        generated: ``(N, D)`` values of all frames of all clips, or features of them.
        truth: ``(M, D)`` captured rows, at least ``n_clusters``.
        n_clusters: published texts use 15 to 40.
        seed: of the first cluster centres.

    Raises:
        InputError: too few rows, or different widths.

    Source: Shannon index of Learning to Listen (Ng et al. 2022) and its successors.
    """
    generated, truth = _two_sets(generated, truth, 1)
    if len(truth) < n_clusters:
        raise InputError(f"{n_clusters} clusters need at least as many captured rows, got {len(truth)}")
    centres = _cluster_centres(truth, n_clusters, seed)
    shares = [np.bincount(_nearest(rows, centres), minlength=n_clusters) / len(rows) for rows in (generated, truth)]
    return ClusterEntropy(*(float(-(p[p > 0] * np.log2(p[p > 0])).sum()) + 0.0 for p in shares))


def _wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    places = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(np.sort(values), places[:-1], side="right") / len(values) for values in (one, other)]
    return float((np.abs(below[0] - below[1]) * np.diff(places)).sum())


def _cluster_centres(rows: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Fit k-means: first centres far apart (k-means++), then means of the nearest rows until nothing changes."""
    rng = np.random.default_rng(seed)
    if len(rows) > N_FITTED:
        rows = rows[np.sort(rng.choice(len(rows), N_FITTED, replace=False))]
    centres = rows[rng.integers(len(rows)), None]
    away = ((rows - centres[0]) ** 2).sum(1)
    for _ in range(n_clusters - 1):
        total = away.sum()
        place = int(rng.choice(len(rows), p=away / total) if total > 0 else rng.integers(len(rows)))
        centres = np.concatenate([centres, rows[place, None]])
        away = np.minimum(away, ((rows - rows[place]) ** 2).sum(1))
    labels = np.full(len(rows), -1)
    for _ in range(ROUNDS):
        nearest = _nearest(rows, centres)
        if (nearest == labels).all():
            break
        labels = nearest
        for k in range(n_clusters):
            if (labels == k).any():
                centres[k] = rows[labels == k].mean(0)
    return centres


def _nearest(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin((centres**2).sum(1) - 2 * rows @ centres.T, axis=1)


def _rows(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return values[:, None] if values.ndim == 1 else values.reshape(len(values), -1)


def _two_sets(generated: np.ndarray, truth: np.ndarray, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    generated, truth = _rows(generated), _rows(truth)
    if generated.shape[1] != truth.shape[1] or min(len(generated), len(truth)) < fewest:
        raise InputError(
            f"two sets of rows of one width are needed, at least {fewest} each; got {generated.shape} and {truth.shape}"
        )
    return generated, truth
