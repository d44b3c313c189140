"""Head motion: speed, beats, and how beats agree with other beats."""

from __future__ import annotations

import numpy as np

from diffposetalk.geometry.rotations import angles_between


def head_angular_speed(head_pose: np.ndarray, fps: float) -> np.ndarray:
    """Return the head's turning speed from frame to frame, ``(T - 1,)`` rad/s, from ``(T, 3)`` axis-angle."""
    return angles_between(head_pose[:-1], head_pose[1:]) * fps


def head_beats(head_pose: np.ndarray, fps: float) -> np.ndarray:
    """Return the times (s) of the head's beats: local minima of its angular speed, ``(n,)``.

    The speed between frames i and i + 1 is placed at their middle.
    """
    speed = head_angular_speed(head_pose, fps)
    if len(speed) < 3:
        return np.zeros(0)
    low = (speed[1:-1] < speed[:-2]) & (speed[1:-1] <= speed[2:])
    return (np.flatnonzero(low) + 1.5) / fps


def speech_beats(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the times (s) of the speech's beats, ``(n,)``: where loudness rises fastest, about once a syllable.

    The rise is that of the log energy of 25 ms frames every 10 ms, smoothed over 50 ms; a peak counts if it
    lies above the mean rise by one standard deviation and is the highest within 100 ms.
    """
    hop, width = sample_rate // 100, sample_rate // 40
    n_frames = max(0, (len(samples) - width) // hop + 1)
    if n_frames < 21:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float64), width)[::hop][:n_frames]
    loudness = np.log((frames**2).mean(-1) + 1e-6)
    rise = np.maximum(np.diff(np.convolve(loudness, np.ones(5) / 5, "same"), prepend=loudness[0]), 0)
    rise[:3] = rise[-3:] = 0
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rise, 10), 21).max(-1)
    peaks = np.flatnonzero((rise >= around) & (rise > rise.mean() + rise.std()))
    return (peaks * hop + width / 2) / sample_rate


def beat_alignment(beats: np.ndarray, reference: np.ndarray, fps: float, sigma_frames: float = 3.0) -> float:
    """Measure beat alignment: ``(1/n) sum_i exp(-min_j (t_i - t_j)^2 / (2 sigma^2))``, i over ``beats``.

    Args:
        beats: ``(n,)`` seconds, of the generated head (`head_beats`).
        reference: ``(m,)`` seconds, of the captured head (the paper's form) or of the speech
            (`speech_beats`); say which.
        fps: frames per second, for sigma.
        sigma_frames: width of the tolerance, frames.

    Returns:
        In [0, 1]; 0 if either has no beats.

    Source: DiffPoseTalk (arXiv:2310.00434), after Bailando and AIST++.
    """
    if len(beats) == 0 or len(reference) == 0:
        return 0.0
    nearest = np.abs(np.subtract.outer(beats, reference)).min(1)
    return float(np.exp(-(nearest**2) / (2 * (sigma_frames / fps) ** 2)).mean())
