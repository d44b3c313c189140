"""Head rotation: sway, nods on accents, lowering at phrase ends, new postures in pauses."""

from __future__ import annotations

import numpy as np

from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.prosody import Prosody
from diffposetalk.workshop.corpus.motion.upper_face import smooth_noise

NOD_RAD = 0.07
"""Size of a nod of strength 1 by a speaker whose `nod_on_accent` is 1."""


def head_motion(prosody: Prosody, manner: Manner, rng: np.random.Generator, n_frames: int, fps: float) -> np.ndarray:
    """Move the head in time with the prosody.

    Rotations stay small (well under half a radian), so that the three angles are written as one rotation vector.

    The arguments are those of `upper_face`.

    Returns:
        ``(n_frames, 3)`` axis-angle, radians: +x nods down, +y turns to the subject's left, +z tilts to the right
        shoulder.
    """
    time = np.arange(n_frames) / fps
    spread = np.array([manner.head_pitch, manner.head_yaw, manner.head_roll])
    pose = _postures(prosody, manner, rng, time) * spread
    talking = _talking(prosody, time, fps)
    for axis in range(3):
        slow = smooth_noise(rng, n_frames, fps, 1.6 / manner.head_speed)
        quick = smooth_noise(rng, n_frames, fps, 0.45 / manner.head_speed)
        pose[:, axis] += spread[axis] * (0.45 * slow + 0.28 * quick * (0.35 + 0.65 * talking))
    pose[:, 2] += manner.head_tilt
    pose[:, 0] += _nods(prosody, manner, rng, time)
    turns, tilts = _beats(prosody, manner, rng, time)
    pose[:, 1] += turns
    pose[:, 2] += tilts
    breath = 0.0025 * np.sin(2 * np.pi * (0.25 * time + rng.random()))
    pose[:, 0] += breath
    return np.clip(pose, -0.45, 0.45).astype(np.float32)


def _postures(prosody: Prosody, manner: Manner, rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Piecewise postures with minimum-jerk moves between them, mostly in pauses: ``(T, 3)``, unit spread."""
    duration = len(time) and time[-1] + 0.04
    changes = [phrase.start - 0.15 for phrase in prosody.phrases if phrase.start > 0.3]
    clock = rng.uniform(0.5, 2.5) / manner.head_speed
    while clock < duration:
        changes.append(clock)
        clock += rng.lognormal(np.log(2.2 / manner.head_speed), 0.5)
    posture = rng.normal(0, 0.6, 3)
    curve = np.tile(posture, (len(time), 1))
    for change in sorted(changes):
        new = np.clip(0.35 * posture + rng.normal(0, 0.8, 3), -2, 2)
        length = rng.uniform(0.45, 0.95) / np.sqrt(manner.head_speed)
        curve += (new - posture) * _ease((time - change) / length)[:, None]
        posture = new
    return curve


def _nods(prosody: Prosody, manner: Manner, rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Down-strokes whose lowest point meets the accent, and lowering at phrase ends."""
    curve = np.zeros(len(time))
    size = NOD_RAD * manner.nod_on_accent
    for accent in prosody.accents:
        if rng.random() < 0.8:
            depth = size * accent.strength * rng.uniform(0.45, 1.1)
            down, up = rng.uniform(0.16, 0.26), rng.uniform(0.25, 0.45)
            lowest = accent.time + rng.uniform(-0.02, 0.08)
            lift = 0.35 * depth * rng.random()
            curve -= lift * _ease((time - lowest + down + 0.18) / 0.18) * (1 - _ease((time - lowest + down) / down))
            curve += depth * _ease((time - lowest + down) / down) * (1 - _ease((time - lowest) / up))
    for phrase in prosody.phrases:
        if phrase.end - phrase.start > 0.4:
            amount = size * (-0.4 if phrase.rising else 0.45) * rng.uniform(0.3, 1.2)
            back = phrase.end + rng.uniform(0.35, 0.8)
            curve += amount * _ease((time - phrase.end + 0.45) / 0.5) * (1 - _ease((time - back) / 0.6))
    return curve


def _beats(
    prosody: Prosody, manner: Manner, rng: np.random.Generator, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Small turns and tilts that accompany some accents."""
    turns, tilts = np.zeros(len(time)), np.zeros(len(time))
    for accent in prosody.accents:
        if rng.random() < 0.5:
            rise, fall = rng.uniform(0.18, 0.3), rng.uniform(0.35, 0.7)
            shape = _ease((time - accent.time + rise) / rise) * (1 - _ease((time - accent.time - 0.05) / fall))
            turns += rng.normal(0, 0.7) * manner.head_yaw * (0.3 + 0.5 * manner.nod_on_accent) * accent.strength * shape
            tilts += (
                rng.normal(0, 0.7) * manner.head_roll * (0.3 + 0.5 * manner.nod_on_accent) * accent.strength * shape
            )
    return turns, tilts


def _talking(prosody: Prosody, time: np.ndarray, fps: float) -> np.ndarray:
    """1 while a phrase lasts, fading over a third of a second: ``(T,)``."""
    talking = np.zeros(len(time))
    for phrase in prosody.phrases:
        inside = _ease((time - phrase.start + 0.3) / 0.3) * (1 - _ease((time - phrase.end) / 0.4))
        np.maximum(talking, inside, out=talking)
    return talking


def _ease(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)
