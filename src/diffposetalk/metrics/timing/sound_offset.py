"""Offset between the sound and the picture of a file, from curves of the lips.

Two ways: the lag at which tracked lips fit lips that were predicted from the sound, and the offset at which tracked lips
are closest on p, b and m.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics.closures import PRESSED, Phone
from diffposetalk.metrics.curves import standardised

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
LEAST_PEAK = 0.9
"""Smallest peak of a known lag: correlation times the square root of the compared seconds, because chance peaks become
smaller with length. On real clips (docs/datasets.md) 97 of 100 known lags are right."""
LEAST_LEAD = 0.45
"""Smallest lead of that peak over any other, times the square root of the seconds compared."""
FEWEST_CLOSURES = 4
"""Number of p, b and m intervals that an offset needs."""
STEP_S = 0.01
"""Step of the offsets of closures that are tried."""
SAMPLES_PER_PHONE = 20
"""Number of times at which the lips are read in each closure."""


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


def combined_lag(lags: Iterable[Lag]) -> Lag:
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


@dataclass(frozen=True)
class ClosureOffset:
    """Offset at which lips are closest on p, b and m."""

    seconds: float
    """Time of a lip movement minus the time of its sound; below 0 the lips come first."""
    error_s: float
    """Standard error, by leaving out one closure at a time."""
    n_closures: int
    """Number of p, b and m intervals."""


def offset_of_closures(
    clips: Iterable[tuple[np.ndarray, Sequence[Phone]]], fps: float, earliest_s: float = -0.2, latest_s: float = 0.08
) -> ClosureOffset | None:
    """Return the offset at which the lips of one or more clips are closest on p, b and m.

    Each gap is divided by its 95th percentile. Closures of which the search leaves the clip do not count.

    Args:
        clips: lip gap ``(T,)`` in any unit, and phones ``(symbol, start, end)`` in seconds; frame i is at ``i / fps``.
        fps: frames per second.
        earliest_s: first offset that is tried.
        latest_s: last offset that is tried.

    Returns:
        The offset; None with fewer than `FEWEST_CLOSURES` closures, if a mouth never opens, or if the lips are closest at
        an end of the search.
    """
    offsets = np.arange(earliest_s, latest_s + STEP_S / 2, STEP_S)
    gaps = []
    for gap, phones in clips:
        times, scale = np.arange(len(gap)) / fps, float(np.percentile(gap, 95))
        if scale <= 0:
            return None
        for symbol, start, end in phones:
            if symbol in PRESSED and start + earliest_s >= 0 and end + latest_s <= times[-1]:
                inside = np.linspace(start, end, SAMPLES_PER_PHONE)
                gaps.append(np.interp(inside + offsets[:, None], times, gap).mean(1) / scale)
    if len(gaps) < FEWEST_CLOSURES:
        return None
    total, n = np.sum(gaps, axis=0), len(gaps)
    if not 0 < int(np.argmin(total)) < len(total) - 1:
        return None
    without_one = np.array([peak(gap - total)[0] for gap in gaps])  # the jackknife's estimates
    error = float(np.sqrt((n - 1) * without_one.var())) * STEP_S
    return ClosureOffset(earliest_s + peak(-total)[0] * STEP_S, error, n)


def peak(curve: np.ndarray) -> tuple[float, float]:
    """Return place (in samples, between them by a parabola) and height of the highest point of a curve."""
    best = int(np.argmax(curve))
    if not 0 < best < len(curve) - 1:
        return float(best), float(curve[best])
    left, top, right = curve[best - 1 : best + 2]
    bend = left - 2 * top + right
    if bend >= 0:
        return float(best), float(top)
    between = 0.5 * (left - right) / bend
    return best + between, float(top - 0.25 * (left - right) * between)


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
    return Lag((peak(curve)[0] - MAX_LAG) / FPS, float(confidence), True, n_frames, values)
