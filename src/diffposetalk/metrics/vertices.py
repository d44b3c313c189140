"""Generated meshes against captured ones: lip vertex error, upper-face dynamics, mouth opening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError


def lip_vertex_error_max(predicted: np.ndarray, truth: np.ndarray, lips: Sequence[int] | np.ndarray) -> float:
    """Measure LVE, variant a: per frame the farthest lip vertex, averaged over frames.

    Args:
        predicted: ``(T, V, 3)`` vertices, metres, without head rotation.
        truth: ``(T', V, 3)``; the shorter of the two sets the number of frames compared.
        lips: indices of the lip vertices.

    Returns:
        Millimetres.

    Raises:
        InputError: shapes differ in V, or an index lies outside the mesh.

    Source: MeshTalk (Richard et al. 2021); the variant that DiffPoseTalk (arXiv:2310.00434) reports.
    """
    return float(np.sqrt(_lip_squares(predicted, truth, lips)).mean() * 1e3)


def lip_vertex_error_squared(predicted: np.ndarray, truth: np.ndarray, lips: Sequence[int] | np.ndarray) -> float:
    """Measure LVE, variant b: as `lip_vertex_error_max` with squared distances.

    Returns:
        Square metres.

    Source: CodeTalker's evaluation script; ``torchmetrics`` ``lip_vertex_error`` is this variant.
    """
    return float(_lip_squares(predicted, truth, lips).mean())


def lip_vertex_error_root(predicted: np.ndarray, truth: np.ndarray, lips: Sequence[int] | np.ndarray) -> float:
    """Measure LVE, variant c: the square root of `lip_vertex_error_squared`.

    Returns:
        Millimetres; never below variant a, because the root of a mean square is never below the mean.

    Source: the form in which ARTalk and its neighbours report LVE.
    """
    return float(np.sqrt(lip_vertex_error_squared(predicted, truth, lips)) * 1e3)


@dataclass(frozen=True)
class UpperFaceDeviation:
    """FDD: how much less than the captured one a generated upper face moves; square metres, or metres."""

    signed: float
    """Mean over vertices, as published: above 0 if the generated face moves too little. Too much motion at one vertex
    cancels too little at another."""
    absolute: float
    """Mean of the absolute difference at each vertex: nothing cancels."""


def upper_face_deviation(
    predicted: np.ndarray,
    truth: np.ndarray,
    rest: np.ndarray,
    upper_face: Sequence[int] | np.ndarray,
    squared: bool = True,
) -> UpperFaceDeviation:
    """Measure FDD: how much more the captured upper face varies over time than the generated one.

    At each vertex: ``std_t(m(truth)) - std_t(m(predicted))`` with ``m`` the (squared) distance from rest.

    Args:
        predicted, truth: as for `lip_vertex_error_max`.
        rest: ``(V, 3)`` the face at rest, metres.
        upper_face: indices of the upper-face vertices.
        squared: ``m`` is the squared distance (square metres), as published scripts have it; False: the
            distance (metres).

    Source: CodeTalker (Xing et al. 2023), evaluation script: population standard deviation, truth minus
        prediction.
    """
    predicted, truth, region = _same_frames(predicted, truth, upper_face, "upper-face")
    rest = np.asarray(rest, np.float64)
    if rest.shape != truth.shape[1:]:
        raise InputError(f"the rest shape must be {truth.shape[1:]}, got {rest.shape}")

    def spread(vertices: np.ndarray) -> np.ndarray:
        motion = ((vertices[:, region] - rest[region]) ** 2).sum(-1)
        return (motion if squared else np.sqrt(motion)).std(0)

    differences = spread(truth) - spread(predicted)
    return UpperFaceDeviation(float(differences.mean()), float(np.abs(differences).mean()))


def mean_gap(points: np.ndarray, upper: Sequence[int] | np.ndarray, lower: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the mean distance between pairs of points, per frame.

    Args:
        points: ``(..., N, 2 or 3)`` vertices or landmarks.
        upper: ``(P,)`` index of the upper point of each pair.
        lower: ``(P,)`` index of the lower one.

    Returns:
        ``(...)`` in the unit of the points.
    """
    points = np.asarray(points)
    return np.linalg.norm(points[..., list(upper), :] - points[..., list(lower), :], axis=-1).mean(-1)


def mouth_opening_difference(predicted_gap: np.ndarray, truth_gap: np.ndarray) -> float:
    """Measure MOD: mean over frames of the absolute difference of the inner-lip gap.

    Args:
        predicted_gap: ``(T,)`` metres, e.g. of `mean_gap` over the inner-lip pairs.
        truth_gap: ``(T',)`` metres; the shorter sets the number of frames compared.

    Returns:
        Millimetres. The paper gives no formula; this is ours, so name the lip pairs beside the number.
    """
    n_frames = min(len(predicted_gap), len(truth_gap))
    return float(np.abs(np.subtract(predicted_gap[:n_frames], truth_gap[:n_frames])).mean() * 1e3)


def mouth_opening_difference_rms(predicted_gap: np.ndarray, truth_gap: np.ndarray) -> float:
    """Measure MOD as a root mean square, millimetres; see `mouth_opening_difference`."""
    n_frames = min(len(predicted_gap), len(truth_gap))
    difference = np.subtract(predicted_gap[:n_frames], truth_gap[:n_frames])
    return float(np.sqrt((difference**2).mean()) * 1e3)


def _lip_squares(predicted: np.ndarray, truth: np.ndarray, lips: Sequence[int] | np.ndarray) -> np.ndarray:
    predicted, truth, region = _same_frames(predicted, truth, lips, "lip")
    return ((predicted[:, region] - truth[:, region]) ** 2).sum(-1).max(-1)


def _same_frames(
    predicted: np.ndarray, truth: np.ndarray, region: Sequence[int] | np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.ndim != 3 or truth.ndim != 3 or predicted.shape[1:] != truth.shape[1:] or predicted.shape[2] != 3:
        raise InputError(f"vertices must both be (T, V, 3) of one mesh, got {predicted.shape} and {truth.shape}")
    indices = np.asarray(region, int)
    if indices.size == 0 or indices.min() < 0 or indices.max() >= predicted.shape[1]:
        raise InputError(f"{name} vertices must be at least one index within 0..{predicted.shape[1] - 1}")
    n_frames = min(len(predicted), len(truth))
    if n_frames == 0:
        raise InputError("no frames to compare: one of the two sequences is empty")
    return predicted[:n_frames], truth[:n_frames], indices
