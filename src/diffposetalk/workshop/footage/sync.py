"""How far a video's sound is late: the lips seen against the lips that the sound lets expect.

The talking model says how far lips will open for a sound; the mean of a few of its samples is compared with the lips
tracked in the picture, at lags of up to 0.6 s either way. Slow changes are left out, since a smile or a raised voice
would correlate over many lags.
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
"""Frames looked at on either side; a peak lies inside, so that lags of up to 0.6 s are found."""
FEWEST = 50
"""Frames below which nothing is compared."""
SLOW = 21
"""Frames of the running mean that is taken away from both curves."""
PEAK = 4
"""Frames on either side that belong to a peak of the correlation."""
N_SAMPLES = 4
"""Samples of the model whose mean is what the sound lets expect; with two, wrong lags are twice as many."""
LEAST_PEAK, LEAST_LEAD = 0.9, 0.45
"""From which a lag counts as known: the correlation's peak, and how far it stands above any other, times the square root of
the seconds compared, since chance makes smaller peaks the longer one looks. On real clips (docs/datasets.md) 97 of 100 lags
found so are right."""
WORTH_CORRECTING = 0.06
"""Seconds; smaller lags are within the error of the measurement."""


@dataclass(frozen=True)
class Lag:
    """How far the sound of a video is late against its picture."""

    seconds: float
    """Above 0: the sound comes late; 0 where not known."""
    confidence: float
    """How clearly the correlation has one peak, as a multiple of what is asked; from 1 on the lag is known."""
    known: bool
    """Whether the lips follow the sound clearly enough to tell."""
    n_frames: int = 0
    """Frames compared, at `FPS`."""
    curve: tuple[float, ...] = field(default=(), repr=False)
    """Correlation at lags of ``-MAX_LAG`` to ``MAX_LAG`` frames, above 0 = sound late; empty if nothing was compared."""


def measure_lag(motion: Motion, speech: Speech, talker: Talker | None = None, n_samples: int = N_SAMPLES) -> Lag:
    """Measure how far the sound is late against the picture.

    Costs 0.2 s of one core for each second with four samples.

    Args:
        motion: of the face as tracked; frame 0 is at the sound's beginning.
        speech: the sound at the same times.
        talker: model that says what lips the sound lets expect; the bundled one by default.
        n_samples: of its samples that are averaged.

    Returns:
        The lag; not known where lips or sound hardly move, or where there is too little of them.

    Raises:
        ModelError: a head has neither a jaw nor lips of which it tells how far they are apart.
    """
    seen = _opening(motion.resampled(FPS))
    if len(seen) < FEWEST:
        return lag_of_curves(seen, seen)
    takes = (talker or _bundled()).generate_many(speech.resampled(SAMPLE_RATE), n_samples)
    expected = np.mean([_opening(take.resampled(FPS)) for take in takes], axis=0)
    return lag_of_curves(seen, expected)


def lag_of_curves(seen: np.ndarray, expected: np.ndarray) -> Lag:
    """Compare lip gaps seen with those that the sound lets expect, both ``(T,)`` at `FPS`.

    The correlation at lag k is the mean of ``seen[t] * expected[t + k]``, both without slow changes and standardised,
    0 outside the clip: far lags, which rest on fewer frames, do not stand out by chance.
    """
    n_frames = min(len(seen), len(expected))
    if n_frames < FEWEST:
        return Lag(0.0, 0.0, False, n_frames)
    seen, expected = (standardised(_without_slow(curve[:n_frames])) for curve in (seen, expected))
    around = np.pad(expected, MAX_LAG)
    curve = np.array([seen @ around[lag : lag + n_frames] for lag in range(2 * MAX_LAG + 1)]) / n_frames
    return _judged(curve, n_frames)


def combine(lags: Iterable[Lag]) -> Lag:
    """Return the one lag of several takes of one video, their correlations averaged by length.

    Raises:
        InputError: there are none.
    """
    lags = list(lags)
    if not lags:
        raise InputError("no lags to combine")
    compared = [lag for lag in lags if lag.curve]
    if not compared:
        return lags[0]
    n_frames = sum(lag.n_frames for lag in compared)
    return _judged(np.sum([np.array(lag.curve) * lag.n_frames for lag in compared], axis=0) / n_frames, n_frames)


def _opening(motion: Motion) -> np.ndarray:
    """Return how far the mouth is open, ``(T,)`` in any unit: the jaw's angle where there is a jaw, else the lips' gap."""
    return mouth_gap(motion, shared_head(motion.head)) if motion.jaw_pose is None else motion.jaw_pose[:, 0]


def _without_slow(curve: np.ndarray) -> np.ndarray:
    """Take away the running mean over `SLOW` frames, ends repeated."""
    padded = np.pad(np.asarray(curve, np.float64), SLOW // 2, mode="edge")
    return curve - np.convolve(padded, np.ones(SLOW) / SLOW, mode="valid")


def _judged(curve: np.ndarray, n_frames: int) -> Lag:
    """Find the peak of a correlation curve, between lags by a parabola, and how far it stands out."""
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
