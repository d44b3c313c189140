"""Audio-video offset, estimated by comparing tracked lip motion with lip motion predicted from the sound.

The talking model predicts how far the lips open. The mean of a few of its samples is correlated with the tracked lips at
lags of up to 0.6 s in both directions. Slow changes are removed first, because a smile or a raised voice would correlate
over many lags.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import standardised
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.speech import SAMPLE_RATE, Speech

if TYPE_CHECKING:
    from diffposetalk.generate.talker import Talker
    from diffposetalk.motion import Motion

FPS = 25.0
"""Frames per second at which lips are compared."""
MAX_LAG = 16
"""Largest lag that is tried, in frames. A peak must lie inside, so lags of up to 0.6 s can be measured."""
FEWEST = 50
"""Smallest number of frames for a measurement."""
SLOW = 21
"""Width in frames of the running mean that is subtracted from both curves."""
PEAK = 4
"""Frames on either side that belong to a peak of the correlation."""
N_SAMPLES = 4
"""Number of model samples that are averaged into the prediction; with two, twice as many lags are wrong."""
LEAST_PEAK = 0.9
"""Smallest peak of a known lag: correlation times the square root of the compared seconds, because chance peaks become
smaller with length. On real clips (docs/datasets.md) 97 of 100 known lags are right."""
LEAST_LEAD = 0.45
"""Smallest lead of that peak over any other, times the square root of the seconds compared."""
WORTH_CORRECTING = 0.06
"""Seconds; smaller lags are within the error of the measurement."""


@dataclass(frozen=True)
class Lag:
    """Audio-video offset of a video."""

    seconds: float
    """Offset in seconds; above 0 the sound is late; 0 if it is not known."""
    confidence: float
    """Clearness of the correlation's one peak, as a multiple of the limit; the lag is known from 1 on."""
    known: bool
    """Whether the confidence is at least 1."""
    n_frames: int = 0
    """Number of frames compared, at `FPS`."""
    curve: tuple[float, ...] = field(default=(), repr=False)
    """Correlation at lags of ``-MAX_LAG`` to ``MAX_LAG`` frames, above 0 the sound is late; empty if nothing was compared."""


def measure_lag(motion: Motion, speech: Speech, talker: Talker | None = None, n_samples: int = N_SAMPLES) -> Lag:
    """Measure the audio-video offset.

    Costs 0.2 s of one core per second of video with four samples.

    Args:
        motion: tracked motion of the face; frame 0 is at the beginning of the sound.
        speech: sound at the same times.
        talker: model that predicts the lips; None for the bundled one.
        n_samples: number of its samples that are averaged.

    Returns:
        The lag. It is not known if lips or sound hardly change, or if there are too few frames.

    Raises:
        ModelError: a head has neither a jaw nor a lip gap.
    """
    tracked = _opening(motion.resampled(FPS))
    if len(tracked) < FEWEST:
        return lag_of_curves(tracked, tracked)
    samples = (talker or _bundled()).generate_many(speech.resampled(SAMPLE_RATE), n_samples)
    predicted = np.mean([_opening(sample.resampled(FPS)) for sample in samples], axis=0)
    return lag_of_curves(tracked, predicted)


def lag_of_curves(tracked: np.ndarray, predicted: np.ndarray) -> Lag:
    """Return the audio-video offset from tracked and predicted lip gaps, both ``(T,)`` at `FPS`.

    Slow changes are removed from both curves, and both are standardised. The correlation at lag k is the mean of
    ``tracked[t] * predicted[t + k]``; outside the clip the curves count as 0. So large lags, which have fewer common
    frames, do not reach a high correlation by chance.
    """
    n_frames = min(len(tracked), len(predicted))
    if n_frames < FEWEST:
        return Lag(0.0, 0.0, False, n_frames)
    tracked, predicted = (standardised(_without_slow(curve[:n_frames])) for curve in (tracked, predicted))
    around = np.pad(predicted, MAX_LAG)
    curve = np.array([tracked @ around[lag : lag + n_frames] for lag in range(2 * MAX_LAG + 1)]) / n_frames
    return _peak_of(curve, n_frames)


def combine(lags: Iterable[Lag]) -> Lag:
    """Combine the lags of several takes into one lag of the video: correlations are averaged, weighted by length.

    Raises:
        InputError: the list is empty.
    """
    lags = list(lags)
    if not lags:
        raise InputError("no lags to combine")
    compared = [lag for lag in lags if lag.curve]
    if not compared:
        return lags[0]
    n_frames = sum(lag.n_frames for lag in compared)
    return _peak_of(np.sum([np.array(lag.curve) * lag.n_frames for lag in compared], axis=0) / n_frames, n_frames)


def _opening(motion: Motion) -> np.ndarray:
    """Return the mouth opening, ``(T,)`` in any unit: the jaw's angle if the head has a jaw, else the lip gap."""
    return mouth_gap(motion, shared_head(motion.head)) if motion.jaw_pose is None else motion.jaw_pose[:, 0]


def _without_slow(curve: np.ndarray) -> np.ndarray:
    """Subtract the running mean over `SLOW` frames; the ends are repeated."""
    padded = np.pad(np.asarray(curve, np.float64), SLOW // 2, mode="edge")
    return curve - np.convolve(padded, np.ones(SLOW) / SLOW, mode="valid")


def _peak_of(curve: np.ndarray, n_frames: int) -> Lag:
    """Find the peak of a correlation curve, between lags by a parabola, and its confidence."""
    best = int(np.argmax(curve))
    others = np.delete(curve, np.arange(max(0, best - PEAK), min(len(curve), best + PEAK + 1)))
    lead = float(curve[best]) - max(0.0, float(others.max()))
    root = float(np.sqrt(n_frames / FPS))
    confidence = max(0.0, min(curve[best] * root / LEAST_PEAK, lead * root / LEAST_LEAD))
    values = tuple(float(value) for value in curve)
    if confidence < 1 or not 0 < best < len(curve) - 1:
        return Lag(0.0, float(confidence), False, n_frames, values)
    left, top, right = curve[best - 1 : best + 2]
    between = 0.5 * (left - right) / (left - 2 * top + right)
    return Lag(float(best - MAX_LAG + between) / FPS, float(confidence), True, n_frames, values)


@cache
def _bundled() -> Talker:
    from diffposetalk.generate.talker import Talker

    return Talker.from_pretrained()
