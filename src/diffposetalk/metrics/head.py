"""Head motion: speed, beats, and how beats agree with other beats."""

from __future__ import annotations

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.geometry.rotations import angles_between, matrices_of, nearest_rotation, vectors_of
from diffposetalk.metrics.curves import smoothed


def head_angular_speed(head_pose: np.ndarray, fps: float) -> np.ndarray:
    """Return the head's turning speed from frame to frame, ``(T - 1,)`` rad/s, from ``(T, 3)`` axis-angle."""
    return angles_between(head_pose[:-1], head_pose[1:]) * fps


def mean_head_step(head_pose: np.ndarray) -> float:
    """Return the mean angle between the head's rotations of neighbouring frames, degrees.

    At 25 fps people have .4 to .5 degrees; generated heads have less. It depends on the frame rate: compare at one rate.

    Args:
        head_pose: ``(T, 3)`` axis-angle, radians, at least 2 frames.

    Raises:
        InputError: there are fewer than 2 frames.
    """
    if len(head_pose) < 2:
        raise InputError("the angle between neighbouring frames needs at least 2 frames")
    return float(np.rad2deg(head_angular_speed(head_pose, 1.0)).mean())


def centred_head(head_pose: np.ndarray) -> np.ndarray:
    """Return rotations relative to their mean rotation: ``(T, 3)`` axis-angle, degrees.

    Where a head looks on average depends on the camera, so distances between heads leave it out.
    """
    matrices = matrices_of(head_pose)
    return np.rad2deg(vectors_of(nearest_rotation(matrices.mean(0)).T @ matrices))


def head_features(head_pose: np.ndarray, fps: float) -> np.ndarray:
    """Return features of head motion for `frechet_distance` and its like: ``(T - 1, 6)`` of ``(T, 3)`` axis-angle.

    Three columns are `centred_head`, in degrees. Three are the angular velocity in degrees per second, in axes of the head.
    """
    matrices = matrices_of(head_pose)
    turns = np.rad2deg(vectors_of(matrices[:-1].swapaxes(-1, -2) @ matrices[1:])) * fps
    return np.concatenate([centred_head(head_pose)[1:], turns], 1)


def head_beats(head_pose: np.ndarray, fps: float, sigma_frames: float = 5.0) -> np.ndarray:
    """Return the times (s) of the head's beats: local minima of its smoothed angular speed, ``(n,)``.

    The speed between frames i and i + 1 is placed at their middle. Without smoothing every tremble is a beat: tracked heads
    then have 5 to 8 beats a second, and random beats fit them.

    Args:
        head_pose: ``(T, 3)`` axis-angle, radians.
        fps: frames per second.
        sigma_frames: width of the Gaussian that smooths the speed; beyond its ends the speed is mirrored. 0: no smoothing.

    Source: scripts for beat alignment of dance (Bailando, arXiv:2203.13055) and of talking heads after it smooth by 5
        frames. DiffPoseTalk does not say whether it does.
    """
    speed = head_angular_speed(head_pose, fps)
    if len(speed) < 3:
        return np.zeros(0)
    speed = smoothed(speed, sigma_frames) if sigma_frames > 0 else speed
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


def beat_alignment_chance(reference: np.ndarray, fps: float, duration: float, sigma_frames: float = 3.0) -> float:
    """Return the beat alignment that beats at random times of the clip would have.

    Where beats are dense, chance is high: .9 for tracked heads whose speed is not smoothed, .1 to .3 with smoothing. A figure
    without it says little. See `beat_alignment_skill`.

    Args:
        reference: ``(m,)`` seconds, as for `beat_alignment`.
        fps: frames per second, for sigma.
        duration: seconds of the clip.
        sigma_frames: as for `beat_alignment`.
    """
    times = np.arange(0, duration, 0.25 / fps)
    return beat_alignment(times, reference, fps, sigma_frames)


def beat_alignment_skill(
    beats: np.ndarray, reference: np.ndarray, fps: float, duration: float, sigma_frames: float = 3.0
) -> float:
    """Return how far beat alignment lies above chance: ``(BA - chance) / (1 - chance)``; 0 chance, 1 perfect, below 0 worse.

    A head without beats has 0; so has every head if chance is 1.

    Args:
        beats, reference, fps, sigma_frames: as for `beat_alignment`.
        duration: seconds of the clip.

    Source: ours.
    """
    chance = beat_alignment_chance(reference, fps, duration, sigma_frames)
    if len(beats) == 0 or len(reference) == 0 or chance >= 1:
        return 0.0
    return (beat_alignment(beats, reference, fps, sigma_frames) - chance) / (1 - chance)
