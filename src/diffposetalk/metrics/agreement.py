"""Agreement of a generated curve with the captured one: errors, correlations, and lip intensity against speech intensity."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.metrics.curves import Curves

MOUTH_CHANNELS = tuple(name for name in CHANNELS if name.startswith(("jaw", "mouth", "cheek", "nose", "tongue")))
"""The 33 ARKit channels of the lower face. Published tables use "33 mouth channels" without a list; the count agrees."""
STILL = 1e-12
"""Spread below which a curve counts as still."""


def mean_squared_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean squared error over frames and columns, in the square of the unit of the values.

    Args:
        predicted: ``(T, ...)`` generated values.
        truth: ``(T', ...)`` captured ones; the shorter of the two sets the number of frames compared.
    """
    predicted, truth = _same_frames(predicted, truth)
    return float(((predicted - truth) ** 2).mean())


def channel_error(predicted: Curves, truth: Curves, channels: Sequence[str] = MOUTH_CHANNELS) -> float:
    """Return the mean squared error of ARKit channels (weights from 0 to 1), over frames and channels.

    Published for BEAT and VOCASET: LAM .022, Audio2Face-3D .019, SAiD .020, AudioFace .010. Their channels and data
    differ from these, so those figures give the order of magnitude only.

    Args:
        predicted: generated curves with these channels.
        truth: captured curves with these channels, at the same frame rate.
        channels: names of the channels.

    Raises:
        InputError: frame rates differ.
        UsageError: one of the two lacks a channel.
    """
    same_rate(predicted, truth)
    values = [np.stack([curves.channel(name) for name in channels], 1) for curves in (predicted, truth)]
    return mean_squared_error(*values)


def pearson_correlation(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return Pearson's correlation of two curves; for the lip gap this is L-PCC.

    Level and amplitude do not count: a mouth that opens half as far has the same correlation. Published on TFHP, for a lip
    coordinate: DiffPoseTalk .541, THUNDER .55. The mean over clips is the mean of the clips' correlations.

    Args:
        predicted: ``(T,)`` generated curve.
        truth: ``(T',)`` captured one; the shorter of the two sets the number of frames compared.

    Returns:
        In [-1, 1]; 0 if the generated curve is still, nan if the captured one is.

    Source: L-PCC is that of THUNDER (arXiv:2504.13386).
    """
    predicted, truth = _same_frames(predicted, truth, 1)
    if truth.std() < STILL:
        return float("nan")
    if predicted.std() < STILL:
        return 0.0
    covariance = ((predicted - predicted.mean()) * (truth - truth.mean())).mean()
    return float(np.clip(covariance / (predicted.std() * truth.std()), -1, 1))


def concordance_correlation(predicted: np.ndarray, truth: np.ndarray, ddof: int = 0) -> float:
    """Return Lin's concordance correlation of two curves; for the lip gap this is L-CCC.

    ``2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)``: unlike Pearson's it falls when level or amplitude differ.
    Published on TFHP, for a lip coordinate: DiffPoseTalk .414, THUNDER .422.

    Args:
        predicted: ``(T,)`` generated curve.
        truth: ``(T',)`` captured one in the same unit; the shorter of the two sets the number of frames compared.
        ddof: 0 divides variances by T, as Lin does; 1 by T - 1, as ``torchmetrics`` does.

    Returns:
        In [-1, 1], at most the size of Pearson's; 0 if the generated curve is still, nan if the captured one is.

    Source: Lin 1989; L-CCC is that of THUNDER (arXiv:2504.13386).
    """
    predicted, truth = _same_frames(predicted, truth, 1)
    if truth.std() < STILL:
        return float("nan")
    if predicted.std() < STILL:
        return 0.0
    n_frames = len(truth)
    scale = n_frames / (n_frames - ddof)
    covariance = ((predicted - predicted.mean()) * (truth - truth.mean())).mean() * scale
    spread = (predicted.var() + truth.var()) * scale
    return float(2 * covariance / (spread + (predicted.mean() - truth.mean()) ** 2))


def lip_intensity(curves: Curves) -> float:
    """Return the lip intensity of a clip: root mean square over time of the speed of the lips, in the unit per second.

    The speed is the norm of the speeds of gap and width (of the gap alone where the width is not known).

    Raises:
        UsageError: the gap is not known.
        InputError: there are fewer than 2 frames.

    Source: arXiv:2503.20308, whose script takes the mean speed of lip vertices; see `lip_intensity_of_vertices`.
    """
    rows = [curves.curve("gap"), *([] if curves.width is None else [curves.width])]
    steps = np.diff(np.stack(rows, 1), axis=0)
    return _root_mean_square(np.linalg.norm(steps, axis=1)) * curves.fps


def lip_intensity_of_vertices(lips: np.ndarray, fps: float) -> float:
    """Return the lip intensity of a clip: root mean square over time of the mean speed of lip vertices.

    Args:
        lips: ``(T, n, 3)`` lip vertices, without head rotation.
        fps: frames per second. The authors' script gives the distance per frame instead, which correlates alike.

    Returns:
        In the unit of the vertices per second.

    Raises:
        InputError: there are fewer than 2 frames.

    Source: arXiv:2503.20308 and its authors' script.
    """
    return _root_mean_square(np.linalg.norm(np.diff(lips, axis=0), axis=-1).mean(1)) * fps


def speech_intensity(samples: np.ndarray) -> float:
    """Return the root mean square of a clip's samples ``(n,)``, silence included, in the unit of the samples.

    It depends on the gain of the recording: compare clips of one recording session, or group them by session in
    `speech_lip_correlation`.

    Raises:
        InputError: there are no samples.

    Source: arXiv:2503.20308 and its authors' script.
    """
    return _root_mean_square(np.asarray(samples))


def speech_lip_correlation(
    lips: Sequence[float], speech: Sequence[float], groups: Sequence[Hashable] | None = None
) -> float:
    """Correlate lip intensity with speech intensity over clips: SLCC. Do lips move more in louder speech?

    In each group both intensities are standardised first, so that neither the gain of a microphone nor a speaker's habit
    counts. Groups of one clip, and groups whose speech does not vary, are left out. Lips that do not vary count as 0. Clips
    whose loudness was normalised one by one have no intensity to compare. The truth does not reach 1: .34 on VOCASET, .42 on
    MEAD.

    Args:
        lips: `lip_intensity` of each clip.
        speech: `speech_intensity` of each clip, same order.
        groups: what each clip's level belongs to, such as speaker or session; None: one group.

    Returns:
        Pearson's correlation; nan with fewer than 3 clips left.

    Raises:
        InputError: the lengths differ.

    Source: arXiv:2503.20308 and its authors' script (standard deviation with n - 1, groups are identities).
    """
    labels = [None] * len(lips) if groups is None else list(groups)
    if not len(lips) == len(speech) == len(labels):
        raise InputError(f"{len(lips)} lip intensities, {len(speech)} speech intensities and {len(labels)} groups")
    pairs = np.stack([np.asarray(lips, np.float64), np.asarray(speech, np.float64)], 1)
    parts = []
    for label in dict.fromkeys(labels):
        part = pairs[[other == label for other in labels]]
        varies = part.std(0) > 1e-9 * np.abs(part).max(0)
        if len(part) > 1 and varies[1]:
            spread = np.where(varies, part.std(0, ddof=1), np.inf)
            parts.append((part - part.mean(0)) / spread)
    if sum(map(len, parts)) < 3:
        return float("nan")
    joined = np.concatenate(parts)
    return pearson_correlation(joined[:, 0], joined[:, 1])


def same_rate(predicted: Curves, truth: Curves) -> None:
    """Refuse curves of different frame rates.

    Raises:
        InputError: they differ.
    """
    if not np.isclose(predicted.fps, truth.fps):
        raise InputError(f"curves at {predicted.fps:g} fps cannot be compared with curves at {truth.fps:g} fps")


def _root_mean_square(values: np.ndarray) -> float:
    if len(values) == 0:
        raise InputError("too short to measure an intensity")
    return float(np.sqrt((np.asarray(values, np.float64) ** 2).mean()))


def _same_frames(predicted: np.ndarray, truth: np.ndarray, n_dims: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.shape[1:] != truth.shape[1:] or predicted.ndim == 0 or n_dims not in (None, predicted.ndim):
        raise InputError(f"values of {predicted.shape} cannot be compared with values of {truth.shape}")
    n_frames = min(len(predicted), len(truth))
    if n_frames == 0:
        raise InputError("no frames to compare: one of the two is empty")
    return predicted[:n_frames], truth[:n_frames]
