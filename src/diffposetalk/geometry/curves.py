"""Interpolation of values over time."""

from __future__ import annotations

import numpy as np


def neighbours(n_frames: int, position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frame before each fractional frame number ``(m,)``, the frame after it, and the share of the latter."""
    low = np.floor(position).astype(int)
    return low, np.minimum(low + 1, n_frames - 1), position - low


def lerp(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate the rows of ``(T, ...)`` at fractional frame numbers ``(m,)``.

    Returns:
        ``(m, ...)`` of the dtype of ``values``; whole frame numbers give the rows exactly.
    """
    if len(position) == len(values) and (position == np.arange(len(values))).all():
        return values
    low, high, share = neighbours(len(values), position)
    share = share.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
    return values[low] * (1 - share) + values[high] * share


def at_times(times: np.ndarray, values: np.ndarray, new_times: np.ndarray) -> np.ndarray:
    """Interpolate values ``(T, ...)`` of rising times ``(T,)`` at other times ``(m,)``.

    Returns:
        ``(m, ...)`` float64; the first and the last values are held outside the times.
    """
    position = np.interp(new_times, times, np.arange(len(times)))
    return lerp(np.asarray(values, np.float64), position)
