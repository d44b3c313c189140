"""Smoothing of motion over time as in the paper: Savitzky-Golay filters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.motion import Motion

FACE_WINDOW, HEAD_WINDOW, ORDER = 5, 7, 2
"""Windows in frames at 25 fps, and degree of the polynomials."""


def smoothed(motion: Motion) -> Motion:
    """Smooth expression and jaw over 5 frames and the head's rotation over 7, by polynomials of degree 2.

    ARKit weights stay in [0, 1].

    Raises:
        DiffPoseTalkError: scipy is not installed.

    Source: Savitzky-Golay filters as DiffPoseTalk (arXiv:2310.00434) applied them to its data.
    """
    from diffposetalk.arkit import INDEX

    expression = savgol(motion.expression, FACE_WINDOW)
    if set(motion.expression_names) <= set(INDEX):
        expression = np.clip(expression, 0, 1)
    jaw = None if motion.jaw_pose is None else savgol(motion.jaw_pose, FACE_WINDOW)
    return replace(motion, expression=expression, head_pose=savgol(motion.head_pose, HEAD_WINDOW), jaw_pose=jaw)


def savgol(values: np.ndarray, window: int) -> np.ndarray:
    """Return ``(T, ...)`` values smoothed over `window` frames; unchanged if there are fewer frames.

    Raises:
        DiffPoseTalkError: scipy is not installed.
    """
    try:
        from scipy.signal import savgol_filter
    except ImportError:
        raise DiffPoseTalkError("smoothing by savgol needs scipy: pip install 'diffposetalk[footage]'") from None
    return savgol_filter(values, window, ORDER, axis=0).astype(np.float32) if len(values) >= window else values
