"""Frame rate and frame numbers from times, and positions for filling in missing frames."""

from __future__ import annotations

import numpy as np

from diffposetalk.errors import InputError

USUAL_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 90.0, 100.0, 120.0)
"""Standard frame rates; a measured rate within 0.02 % of one is set to it."""


def frames_of(times: np.ndarray, where: object, lone: float = 30.0, tolerance: float = 0.0) -> tuple[float, np.ndarray]:
    """Find the frame rate and the frame numbers of times.

    Args:
        times: ``(n,)`` seconds.
        where: the file, for messages.
        lone: frame rate of a file with a single frame.
        tolerance: rounding error of the times, seconds; a rate this close to a standard one is set to it.

    Returns:
        Frames per second, and ``(n,)`` whole frame numbers from 0, with holes where frames are missing.

    Raises:
        InputError: there are no times, time does not increase, or too many frames are missing.
    """
    if not len(times):
        raise InputError(f"{where}: has no frames")
    if len(times) == 1:
        return lone, np.zeros(1, int)
    steps = np.diff(times)
    if steps.min() <= 0:
        raise InputError(f"{where}: time does not increase at frame {int(np.argmin(steps)) + 1}")
    usual = steps[np.abs(steps / np.median(steps) - 1) < 0.25]  # without holes; the mean is more exact than the median
    number = np.concatenate([[0], np.cumsum(np.maximum(np.rint(steps / usual.mean()), 1))])
    number -= number.mean()
    fps = float((number * number).sum() / (number * (times - times.mean())).sum())  # least squares: still more exact
    near = max(2e-4, tolerance / float(times[-1] - times[0]))
    usual_rate = min(USUAL_RATES, key=lambda rate: abs(fps / rate - 1))
    fps = usual_rate if abs(fps / usual_rate - 1) < near else fps
    index = np.rint((times - times[0]) * fps).astype(int)
    if np.diff(index).min() <= 0 or index[-1] > 20 * len(index) + 1000:
        raise InputError(
            f"{where}: its times are too uneven for a frame rate ({fps:.3g} frames a second by most of them)"
        )
    return fps, index


def filled(index: np.ndarray) -> np.ndarray:
    """Return positions for interpolation that fills in missing frames.

    Args:
        index: ``(T,)`` frame numbers of the rows, increasing from 0.

    Returns:
        ``(index[-1] + 1,)`` fractional row number of every frame.
    """
    return np.interp(np.arange(index[-1] + 1), index, np.arange(len(index)))
