"""Several samples for one input: their diversity, and their scores against one captured motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.geometry.rotations import angles_between
from diffposetalk.metrics.curves import Curves

LID_TRAVEL_M = 0.010
"""How far the upper lid of an adult's eye moves when it shuts, metres; turns lid closure into a length."""


def diversity(samples: np.ndarray) -> float:
    """Return the mean distance between samples made for one input.

    Args:
        samples: ``(S, T, D)`` with S of at least 2: channels, vertices flattened, or head angles of one
            group.

    Returns:
        Mean over pairs of samples and over frames of the Euclidean distance, in the unit of the values.

    Raises:
        InputError: fewer than two samples.
    """
    samples = _at_least_two(samples)
    return float(np.mean([np.linalg.norm(samples[i] - samples[j], axis=-1).mean() for i, j in _pairs(samples)]))


def head_diversity(samples: np.ndarray) -> float:
    """Return the mean angle between the heads of samples made for one input, degrees.

    Args:
        samples: ``(S, T, 3)`` axis-angle, radians, S of at least 2.

    Raises:
        InputError: fewer than two samples.
    """
    samples = _at_least_two(samples)
    return float(np.mean([np.rad2deg(angles_between(samples[i], samples[j])).mean() for i, j in _pairs(samples)]))


def lips_mm(curves: Curves) -> np.ndarray:
    """Return gap and width, ``(T, 2)``, or the gap alone where the width is not known, ``(T, 1)``; millimetres.

    Raises:
        UsageError: the gap is not known, or lengths are not in metres.
    """
    _check_metres(curves)
    return 1e3 * np.stack([curves.curve("gap"), *([] if curves.width is None else [curves.width])], 1)


def upper_face_mm(curves: Curves) -> np.ndarray:
    """Return brow heights and lid positions, ``(T, 2 or 4)``, millimetres.

    The position of a lid is its closure times `LID_TRAVEL_M`.

    Raises:
        UsageError: neither brow nor lids are known, or lengths are not in metres.
    """
    _check_metres(curves)
    columns = [curves.brow] if curves.brow is not None else []
    columns += [curves.lids * LID_TRAVEL_M] if curves.lids is not None else []
    if not columns:
        raise UsageError("neither brow nor lids are known")
    return 1e3 * np.concatenate(columns, 1)


@dataclass(frozen=True)
class SampleFigures:
    """One measure of several samples for one input."""

    one: float
    """Figure of the first sample, which is what a user gets."""
    mean: float
    """Mean over the samples, which depends less on chance."""
    best: float
    """Figure of the best sample: how near the model can come. It improves with more samples, so state their number."""

    @staticmethod
    def of(values: Sequence[float], higher_is_better: bool = False) -> SampleFigures:
        """Sum up the values of samples in the order they were drawn. Samples whose value is nan do not count.

        Raises:
            InputError: there are no samples.
        """
        if not len(values):
            raise InputError("no samples to sum up")
        known = [float(value) for value in values if np.isfinite(value)]
        if not known:
            return SampleFigures(float("nan"), float("nan"), float("nan"))
        return SampleFigures(float(values[0]), float(np.mean(known)), max(known) if higher_is_better else min(known))


def energy_score(samples: np.ndarray, truth: np.ndarray) -> float:
    """Score a distribution by its samples: near the truth, and as varied as the truth is uncertain.

    ``mean_i |x_i - y| - 1/2 mean_ij |x_i - x_j|``, i and j over all samples. The norm is the root mean square over frames and
    columns of a whole sequence, so that the unit is that of the values. Lower is better, and in expectation lowest for the
    true distribution: neither a single guess nor needless variety wins. With one sample it is the root mean square error.

    Args:
        samples: ``(S, T, D)``.
        truth: ``(T, D)``.

    Raises:
        InputError: shapes do not fit.

    Source: Gneiting and Raftery 2007.
    """
    to_truth, between = _distances(samples, truth)
    n_samples = len(to_truth)
    return float(to_truth.mean() - between.sum() / n_samples**2)


def energy_score_fair(samples: np.ndarray, truth: np.ndarray) -> float:
    """Return the energy score whose second mean leaves out i = j, so that its expectation does not depend on S.

    Compare models with different numbers of samples by this one. At least two samples; see `energy_score`.

    Raises:
        InputError: shapes do not fit, or there are fewer than two samples.

    Source: Ferro 2014 (fair scores).
    """
    to_truth, between = _distances(_at_least_two(samples), truth)
    n_samples = len(to_truth)
    return float(to_truth.mean() - between.sum() / (n_samples * (n_samples - 1)))


def _distances(samples: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of each sample to the truth and of each pair of samples."""
    samples, truth = np.asarray(samples, np.float64), np.asarray(truth, np.float64)
    if samples.ndim != 3 or samples.shape[1:] != truth.shape or samples.size == 0:
        raise InputError(f"samples must be (S, T, D) and the truth (T, D), got {samples.shape} and {truth.shape}")
    flat, target = samples.reshape(len(samples), -1), truth.reshape(-1)
    to_truth = np.sqrt(((flat - target) ** 2).mean(1))
    return to_truth, np.array([np.sqrt(((flat[i] - flat[j]) ** 2).mean()) for i, j in _pairs(flat)])


def _pairs(samples: np.ndarray) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(samples)) for j in range(i + 1, len(samples))]


def _at_least_two(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 3 or len(samples) < 2:
        raise InputError(f"several samples are needed: (S, T, D) with S of at least 2, got {samples.shape}")
    return samples


def _check_metres(curves: Curves) -> None:
    if curves.unit != "m":
        raise UsageError("the lengths are not in metres")
