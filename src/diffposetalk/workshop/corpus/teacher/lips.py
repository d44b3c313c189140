"""The lip gap of filmed people from the teacher's features: a linear map, fitted on people with their sound.

The gap has no unit: each person's is standardised, since people and trackers differ in size. `LipMap.gap` returns it on
the scale of the articulation model (1 as in a loud "father"), so that both can be mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.workshop.corpus.teacher.phones import in_context

CONTEXT = (-4, -2, 0, 2, 4)
"""Steps of 20 ms around a feature that the map sees."""
DAMPING = 3e-4
"""Ridge penalty as a share of the summed squares of the features."""


@dataclass(frozen=True)
class LipMap:
    """Linear map from features to the lip gap."""

    weights: np.ndarray
    """``(5 D,)`` float32."""
    mean: float
    """Mean of the gap on the scale of the articulation model."""
    spread: float
    """Its standard deviation on the same scale."""

    def gap(self, features: np.ndarray) -> np.ndarray:
        """Return the gap ``(N,)`` for standardised features ``(N, D)``."""
        return (self.mean + self.spread * (in_context(features, CONTEXT) @ self.weights)).astype(np.float32)


def fit_lips(people: Sequence[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]) -> np.ndarray:
    """Fit the weights of a `LipMap` by ridge regression.

    Args:
        people: of each person, the standardised features ``(N, D)`` and the lip gaps ``(N,)`` of some clips; NaN where
            no face was found.

    Returns:
        ``(5 D,)`` float32; what they predict has a standard deviation of 1 on the clips they were fitted on.
    """
    inputs, gaps = [], []
    for features, curves in people:
        own_gaps = np.concatenate(curves)
        mean, spread = np.nanmean(own_gaps), np.nanstd(own_gaps) + 1e-9
        for feature, curve in zip(features, curves):
            there = np.isfinite(curve)
            inputs.append(in_context(feature, CONTEXT)[there].astype(np.float32))
            gaps.append(((curve - mean) / spread)[there].astype(np.float32))
    matrix, target = np.concatenate(inputs), np.concatenate(gaps)
    target = target - target.mean()
    squares = matrix.T @ matrix
    squares[np.diag_indices(len(squares))] += DAMPING * np.trace(squares)
    weights = np.linalg.solve(squares.astype(np.float64), (matrix.T @ target).astype(np.float64))
    return (weights / (matrix @ weights).std()).astype(np.float32)
