"""Correlation of generated with captured curves at each shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics.curves import standardised


@dataclass(frozen=True)
class LagCorrelation:
    """Pearson correlation of generated with captured curves at each shift."""

    lags: tuple[int, ...]
    """Frames. Lag k pairs ``predicted[t + k]`` with ``reference[t]``: above 0, the generated curve comes later."""
    r: tuple[float, ...]
    """One correlation per lag, over all clips together."""

    @property
    def r0(self) -> float:
        """Correlation without a shift."""
        return self.r[self.lags.index(0)]

    @property
    def best_lag(self) -> int:
        """The lag with the highest correlation."""
        return self.lags[int(np.argmax(self.r))]

    @property
    def best_r(self) -> float:
        """Correlation at the best lag."""
        return max(self.r)


def lag_correlation(
    predicted: Sequence[np.ndarray], reference: Sequence[np.ndarray], max_lag: int = 8
) -> LagCorrelation:
    """Correlate generated with captured curves, pooled over clips, at lags ``-max_lag..max_lag``.

    Each clip is cut to its shorter curve and standardised by itself; then the clips are joined end to end, so
    that a long clip counts by its length and no clip's level or scale matters. A curve that does not move
    counts as zeros.

    Args:
        predicted: one ``(T,)`` curve per clip.
        reference: the captured curves, same order, same frame rate.
        max_lag: frames.

    Returns:
        The correlation at each lag; positive lag = generated later than captured (real lips lead).

    Raises:
        InputError: no clips, differing numbers of clips, or a clip shorter than ``max_lag + 2`` frames.
    """
    if not predicted or len(predicted) != len(reference):
        raise InputError(f"{len(predicted)} generated curves for {len(reference)} captured ones")
    pairs = []
    for number, (ours, theirs) in enumerate(zip(predicted, reference)):
        n_frames = min(len(ours), len(theirs))
        if n_frames < max_lag + 2:
            raise InputError(f"clip {number} has {n_frames} frames, too few for lags up to {max_lag}")
        pairs.append((standardised(ours[:n_frames]), standardised(theirs[:n_frames])))
    lags = tuple(range(-max_lag, max_lag + 1))
    correlations = []
    for lag in lags:
        ours = np.concatenate([p[max(lag, 0) : len(p) + min(lag, 0)] for p, _ in pairs])
        theirs = np.concatenate([t[max(-lag, 0) : len(t) - max(lag, 0)] for _, t in pairs])
        correlations.append(float((standardised(ours) * standardised(theirs)).mean()))
    return LagCorrelation(lags, tuple(correlations))
