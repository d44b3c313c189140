"""Statistics of the manner of speaking, and recognition of a style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.head import centred_head, head_angular_speed
from diffposetalk.motion import Motion


def blink_frames(lid: np.ndarray, closed: float = 0.5, reopened: float = 0.25) -> np.ndarray:
    """Find blinks in an eyelid curve.

    Args:
        lid: ``(T,)`` lid closure, 0 open to 1 shut (mean of the two ``eyeBlink`` channels).
        closed: a blink begins when the curve rises to this.
        reopened: the next one can begin only after the curve has fallen below this.

    Returns:
        Frame of the deepest closure of each blink.
    """
    blinks: list[int] = []
    peak = -1
    for frame, value in enumerate(np.asarray(lid)):
        if peak < 0 and value >= closed:
            peak = frame
        elif peak >= 0:
            if value > lid[peak]:
                peak = frame
            if value < reopened:
                blinks.append(peak)
                peak = -1
    if peak >= 0:
        blinks.append(peak)
    return np.array(blinks, int)


def manner_statistics(motion: Motion) -> dict[str, float]:
    """Describe how somebody speaks, from ARKit channels and head pose.

    Returns:
        ``mouth_open_mean``, ``mouth_open_p95`` (jawOpen), ``mouth_open_std``, ``smile_mean``, ``pucker_p95``,
        ``brow_raise_mean``, ``brow_raise_std``, ``brow_down_mean`` (weights in 0..1), ``blinks_per_minute``,
        ``asymmetry`` (mean absolute left-right difference of smile and brow weights), ``pitch_std_deg``,
        ``yaw_std_deg``, ``roll_std_deg`` (spread of the three axis-angle components) and ``head_speed_deg``
        (mean, degrees per second).

    Raises:
        InputError: fewer than two frames.
        UsageError: the motion has no ARKit channels.
    """
    if len(motion) < 2:
        raise InputError("manner statistics need at least two frames of motion")

    def both(stem: str) -> np.ndarray:
        return (motion.channel(stem + "Left") + motion.channel(stem + "Right")) / 2

    def uneven(stem: str) -> float:
        return float(np.abs(motion.channel(stem + "Left") - motion.channel(stem + "Right")).mean())

    jaw, smile = motion.channel("jawOpen"), both("mouthSmile")
    brow = (motion.channel("browInnerUp") + both("browOuterUp")) / 2
    spread = np.rad2deg(motion.head_pose.std(0))
    return {
        "mouth_open_mean": float(jaw.mean()),
        "mouth_open_p95": float(np.percentile(jaw, 95)),
        "mouth_open_std": float(jaw.std()),
        "smile_mean": float(smile.mean()),
        "pucker_p95": float(np.percentile(motion.channel("mouthPucker"), 95)),
        "brow_raise_mean": float(brow.mean()),
        "brow_raise_std": float(brow.std()),
        "brow_down_mean": float(both("browDown").mean()),
        "blinks_per_minute": len(blink_frames(both("eyeBlink"))) / motion.duration * 60,
        "asymmetry": (uneven("mouthSmile") + uneven("browOuterUp") + uneven("browDown")) / 3,
        "pitch_std_deg": float(spread[0]),
        "yaw_std_deg": float(spread[1]),
        "roll_std_deg": float(spread[2]),
        "head_speed_deg": float(np.rad2deg(head_angular_speed(motion.head_pose, motion.fps)).mean()),
    }


def curve_statistics(curves: Curves) -> dict[str, float]:
    """Describe how somebody moves, from whatever curves are known; the same for every kind of face.

    Returns:
        Mean, 95th percentile and spread of the gap; mean and spread of the width; spread of the brow (all in the unit of
        the curves); ``blinks_per_minute``; ``pitch_std_deg``, ``yaw_std_deg``, ``roll_std_deg`` and ``head_speed_deg``
        (mean, degrees per second). Names of curves that are not known are left out.

    Raises:
        InputError: fewer than two frames.
    """
    if len(curves) < 2:
        raise InputError("statistics need at least two frames")
    rows: dict[str, float] = {}
    if curves.gap is not None:
        rows |= {"gap_mean": curves.gap.mean(), "gap_p95": np.percentile(curves.gap, 95), "gap_std": curves.gap.std()}
    if curves.width is not None:
        rows |= {"width_mean": curves.width.mean(), "width_std": curves.width.std()}
    if curves.brow is not None:
        rows["brow_std"] = curves.brow.std(0).mean()
    if curves.lids is not None:
        rows["blinks_per_minute"] = len(blink_frames(curves.lids.mean(1))) / curves.duration * 60
    if curves.head is not None:
        pitch, yaw, roll = centred_head(curves.head).std(0)
        speed = np.rad2deg(head_angular_speed(curves.head, curves.fps)).mean()
        rows |= {"pitch_std_deg": pitch, "yaw_std_deg": yaw, "roll_std_deg": roll, "head_speed_deg": speed}
    return {name: float(value) for name, value in rows.items()}


def statistics_retrieval(
    generated: Sequence[Mapping[str, float]], labels: Sequence[int], references: Sequence[Mapping[str, float]]
) -> float:
    """Return the share of generated clips whose nearest reference, by statistics, is their own: no network is needed.

    Each statistic is divided by its spread over the references, and distances are Euclidean. Statistics that do not vary
    over the references are left out. Chance is 1 over the number of references.

    Args:
        generated: `curve_statistics` (or `manner_statistics`) of each generated clip.
        labels: which reference each belongs to.
        references: statistics of each reference.

    Raises:
        InputError: fewer than two references, differing lengths, or statistics that some clips lack.
    """
    if len(references) < 2 or len(generated) != len(labels) or not len(generated):
        raise InputError(
            f"needs at least 2 references ({len(references)}), and {len(generated)} labels ({len(labels)})"
        )
    names = _shared_names([*references, *generated])
    ours, theirs = (np.array([[row[name] for name in names] for row in rows]) for rows in (generated, references))
    spread = theirs.std(0)
    varied = spread > 1e-9
    ours, theirs = ours[:, varied] / spread[varied], theirs[:, varied] / spread[varied]
    nearest = ((ours[:, None] - theirs) ** 2).sum(-1).argmin(1)
    return float((nearest == np.asarray(labels)).mean())


def statistics_correlation(
    reference: Sequence[Mapping[str, float]], generated: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Correlate statistics over clips: does a livelier reference give livelier motion?

    Args:
        reference: `manner_statistics` of each reference motion.
        generated: of the motion generated in that manner, same order.

    Returns:
        Pearson correlation for each name; nan where either side does not vary.

    Raises:
        InputError: fewer than three clips, lists of differing lengths, or statistics that some clips lack.
    """
    if len(reference) != len(generated) or len(reference) < 3:
        raise InputError(f"needs equally many clips, at least 3; got {len(reference)} and {len(generated)}")
    correlations = {}
    for name in _shared_names([*reference, *generated]):
        a = np.array([row[name] for row in reference], np.float64)
        b = np.array([row[name] for row in generated], np.float64)
        if a.std() < 1e-9 or b.std() < 1e-9:
            correlations[name] = float("nan")
        else:
            correlations[name] = float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))
    return correlations


def nearest_centroid(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return for each of ``(N, S)`` style vectors the nearest of ``(K, S)`` centroids by cosine: ``(N,)`` indices."""
    vectors, centroids = np.asarray(vectors, np.float64), np.asarray(centroids, np.float64)
    if vectors.ndim != 2 or centroids.ndim != 2 or vectors.shape[1] != centroids.shape[1]:
        raise InputError(f"style vectors {vectors.shape} and centroids {centroids.shape} must be of one width")
    unit = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (vectors, centroids)]
    return np.argmax(unit[0] @ unit[1].T, axis=1)


def retrieval_accuracy(vectors: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> float:
    """Return the share of style vectors whose nearest centroid is that of their label.

    Args:
        vectors: ``(N, S)`` of generated motion, read by an encoder that the generator was not trained with.
        labels: ``(N,)`` indices into the centroids.
        centroids: ``(K, S)`` mean vector of each style's reference motions.
    """
    return float((nearest_centroid(vectors, centroids) == np.asarray(labels)).mean())


def _shared_names(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the names of the statistics, which all clips must have."""
    names = list(rows[0])
    if any(row.keys() != rows[0].keys() for row in rows):
        raise InputError("the clips have different statistics: some lack a curve that others have")
    return names
