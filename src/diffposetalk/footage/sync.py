"""How far a video's sound is late: the lips seen against the lips that the sound lets expect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics import standardised
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.speech import SAMPLE_RATE, Speech

if TYPE_CHECKING:
    from diffposetalk.generate import Talker
    from diffposetalk.motion import Motion

MAX_LAG = 15
"""Frames looked at on either side: 0.6 s."""
FPS = 25.0
"""Frames per second at which lips are compared."""
N_SAMPLES = 4
"""Takes of the model whose mean is what the sound lets expect."""
LEAST_CONFIDENCE = 0.25
"""From which the lag counts as known."""
WORTH_CORRECTING = 0.06
"""Seconds; smaller lags are within the measurement's error."""
MODEL_LAG = 0.0
"""Seconds by which the model's lips come later than real ones."""


@dataclass(frozen=True)
class Lag:
    """How far the sound of a video is late against its picture."""

    seconds: float
    """Above 0: the sound comes late; 0 where not known."""
    confidence: float
    """Height of the best correlation above any other, 0 to 1."""
    known: bool
    """Whether the lips follow the sound clearly enough to tell."""
    n_frames: int = 0
    """Frames compared."""
    curve: tuple[float, ...] = field(default=(), repr=False)
    """Correlation at lags of ``-MAX_LAG`` to ``MAX_LAG`` frames, above 0 = sound late; empty where nothing was compared."""


def measure_lag(motion: Motion, speech: Speech, talker: Talker | None = None, n_samples: int = N_SAMPLES) -> Lag:
    """Measure how far the sound is late against the picture.

    Args:
        motion: of the face as tracked; frame 0 is at the sound's beginning.
        speech: the sound at the same times.
        talker: model that says what lips the sound lets expect; the bundled one by default.
        n_samples: of its takes that are averaged.

    Returns:
        The lag; not known where lips or sound hardly move, or where there is too little of them.
    """
    talker = talker or _bundled()
    seen = mouth_gap(motion.resampled(FPS))
    takes = talker.generate_many(speech.resampled(SAMPLE_RATE), n_samples)
    expected = np.mean([mouth_gap(take.resampled(FPS)) for take in takes], axis=0)
    return lag_of_curves(seen, expected)


def lag_of_curves(seen: np.ndarray, expected: np.ndarray) -> Lag:
    """Compare lip gaps seen with those expected from the sound, both ``(T,)`` at `FPS`."""
    n_frames = min(len(seen), len(expected))
    if n_frames < 2 * MAX_LAG:
        return Lag(0.0, 0.0, False)
    seen, expected = standardised(seen[:n_frames]), standardised(expected[:n_frames])
    curve = [float(_at_lag(seen, expected, lag)) for lag in range(-MAX_LAG, MAX_LAG + 1)]
    return _judged(np.array(curve), n_frames)


def combine(lags: Iterable[Lag]) -> Lag:
    """Return the one lag of several takes of one video, their correlations added by length.

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
    curve = np.sum([np.array(lag.curve) * lag.n_frames for lag in compared], axis=0) / n_frames
    return _judged(curve, n_frames)


def _at_lag(seen: np.ndarray, expected: np.ndarray, lag: int) -> float:
    """Correlate where the sound is ``lag`` frames late: expected lips then come so much later than those seen."""
    late, early = max(lag, 0), max(-lag, 0)
    a, b = seen[early : len(seen) - late], expected[late : len(expected) - early]
    return float((standardised(a) * standardised(b)).mean())


def _judged(curve: np.ndarray, n_frames: int) -> Lag:
    """Find the peak of a correlation curve, between lags too, and how far it stands out."""
    best = int(np.argmax(curve))
    if not 0 < best < len(curve) - 1 or curve[best] <= 0:
        return Lag(0.0, 0.0, False, n_frames, tuple(curve))
    left, top, right = curve[best - 1 : best + 2]
    bend = left - 2 * top + right
    peak = best - MAX_LAG + (0.5 * (left - right) / bend if bend < 0 else 0.0)
    others = np.delete(curve, np.arange(max(0, best - 4), min(len(curve), best + 5)))
    confidence = float(np.clip(top - max(0.0, float(others.max(initial=0.0))), 0, 1))
    known = confidence >= LEAST_CONFIDENCE
    return Lag(float(peak / FPS - MODEL_LAG) if known else 0.0, confidence, known, n_frames, tuple(curve))


@cache
def _bundled() -> Talker:
    from diffposetalk.generate import Talker

    return Talker.from_pretrained()
