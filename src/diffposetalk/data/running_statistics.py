"""Mean, standard deviation and range of rows that come in pieces."""

from __future__ import annotations

import numpy as np


class RunningStatistics:
    """Statistics of the columns of all rows added so far, in float64."""

    def __init__(self) -> None:
        self.n_rows = 0
        """Rows so far."""
        self._origin = self._total = self._squares = np.zeros(0)
        self.low = self.high = np.zeros(0)
        """``(D,)`` smallest and largest value of each column."""

    def add(self, rows: np.ndarray) -> None:
        """Add rows ``(n, D)``; all pieces have the same ``D``."""
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
        """``(D,)`` mean of each column; at least one row must have been added."""
        return self._origin + self._total / self.n_rows

    @property
    def std(self) -> np.ndarray:
        """``(D,)`` standard deviation of the population; 0 for a column that never changes."""
        std = np.sqrt(np.maximum(self._squares / self.n_rows - (self._total / self.n_rows) ** 2, 0))
        return np.where(self.high > self.low, std, 0.0)
