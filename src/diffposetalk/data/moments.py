"""Mean, spread and range of many numbers, piece by piece, in float64."""

from __future__ import annotations

import numpy as np


class Moments:
    """Sums over rows that are met one piece after another."""

    def __init__(self) -> None:
        self.n_rows = 0
        """Rows so far."""
        self._origin = self._total = self._squares = np.zeros(0)
        self.low = self.high = np.zeros(0)
        """``(D,)`` the smallest and the largest value of each column."""

    def add(self, rows: np.ndarray) -> None:
        """Take rows ``(n, D)`` into account; ``D`` is that of the first piece."""
        rows = np.asarray(rows, np.float64)
        if len(rows) == 0:
            return
        if self.n_rows == 0:
            self._origin = rows[0].copy()  # near the mean, so that the squares keep their digits
            self._total, self._squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
            self.low, self.high = rows[0].copy(), rows[0].copy()
        off = rows - self._origin
        self.n_rows += len(rows)
        self._total += off.sum(0)
        self._squares += (off**2).sum(0)
        self.low, self.high = np.minimum(self.low, rows.min(0)), np.maximum(self.high, rows.max(0))

    @property
    def mean(self) -> np.ndarray:
        """``(D,)``; at least one row must have been met."""
        return self._origin + self._total / self.n_rows

    @property
    def std(self) -> np.ndarray:
        """``(D,)`` spread of the population, 0 for a column that never changes."""
        spread = np.sqrt(np.maximum(self._squares / self.n_rows - (self._total / self.n_rows) ** 2, 0))
        return np.where(self.high > self.low, spread, 0.0)
