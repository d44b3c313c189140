"""Frame rate and frame numbers from times; frames that are missing filled in."""

from __future__ import annotations

import numpy as np

from diffposetalk.errors import InputError

USUAL_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 90.0, 100.0, 120.0)
"""Frame rates that a measured one is taken for when it is within 0.02 %."""


def frames_of(times: np.ndarray, where: object, lone: float = 30.0, tolerance: float = 0.0) -> tuple[float, np.ndarray]:
    """Find the frame rate of times, and the frame number of each.

    Args:
        times: ``(n,)`` seconds.
        where: the file, for messages.
        lone: frame rate to take when there is one frame only.
        tolerance: seconds by which times are rounded; a rate this close to a usual one is that one.

    Returns:
        Frames per second, and ``(n,)`` whole frame numbers from 0, with holes where frames are missing.

    Raises:
        InputError: there are none, time stands still or goes back, or holes are beyond reason.
    """
    if not len(times):
        raise InputError(f"{where}: has no frames")
    if len(times) == 1:
        return lone, np.zeros(1, int)
    steps = np.diff(times)
    if steps.min() <= 0:
        raise InputError(f"{where}: time does not go on at frame {int(np.argmin(steps)) + 1}")
    usual = steps[np.abs(steps / np.median(steps) - 1) < 0.25]  # holes left out; the mean is finer than the median
    number = np.concatenate([[0], np.cumsum(np.maximum(np.rint(steps / usual.mean()), 1))])
    number -= number.mean()
    fps = float((number * number).sum() / (number * (times - times.mean())).sum())  # least squares: finer again
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
    """Return for each frame of `0 .. index[-1]` its fractional position among the frames that there are."""
    return np.interp(np.arange(index[-1] + 1), index, np.arange(len(index)))
