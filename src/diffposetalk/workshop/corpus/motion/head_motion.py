"""Head rotation: sway, strokes on syllables, nods on accents, lowering at phrase ends, new postures in pauses.

Speed and timing are those of people who talk: a head of average liveliness turns at about 9 degrees a second, 95 % of
the time below about 23, and it moves before the loudness that it belongs to, by 0.1 to 0.3 s.
"""

from __future__ import annotations

import numpy as np

from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.prosody import Prosody, loudness_peaks
from diffposetalk.workshop.corpus.motion.upper_face import smooth_noise

NOD_RAD = 0.07
"""Size of a nod of strength 1 by a speaker whose `nod_on_accent` is 1."""
SMALL_MOVES_RAD = 0.03
"""Spread of posture at which small moves (strokes, quick sway) are not scaled; quieter heads make relatively larger ones."""


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
    small = spread * (SMALL_MOVES_RAD / spread) ** 0.45
    pose = 0.8 * _postures(prosody, manner, rng, time) * spread
    talking = _talking(prosody, time)
    for axis in range(3):
        slow = smooth_noise(rng, n_frames, fps, 1.6 / manner.head_speed)
        quick = smooth_noise(rng, n_frames, fps, 0.42 / manner.head_speed**0.7)
        pose[:, axis] += 0.36 * spread[axis] * slow + 0.56 * small[axis] * quick * (0.3 + 0.7 * talking)
    pose += 0.56 * small * _strokes(prosody, manner, rng, time)
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


def _strokes(prosody: Prosody, manner: Manner, rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Small quick moves that arrive a little before loud syllables, and others at any time: ``(T, 3)``, unit spread."""
    often = min(0.45 + 0.25 * manner.head_speed, 1.0)
    moves = [
        (peak - rng.uniform(-0.08, 0.18), 0.35 + 0.65 * height)
        for peak, height in loudness_peaks(prosody)
        if rng.random() < often
    ]
    clock = rng.exponential(0.8)
    while clock < prosody.duration:
        moves.append((clock, 0.5))
        clock += 0.2 + rng.exponential(1 / manner.head_speed)
    position, curve = np.zeros(3), np.zeros((len(time), 3))
    for arrival, size in sorted(moves):
        new = 0.2 * position + size * np.clip(rng.normal(0, 1, 3), -2.2, 2.2)
        length = rng.uniform(0.24, 0.4) / np.sqrt(manner.head_speed)
        curve += (new - position) * _ease((time - arrival + length) / length)[:, None]
        position = new
    return curve


def _nods(prosody: Prosody, manner: Manner, rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """A lift and a down-stroke that lead each accent, a slow return, and lowering at phrase ends: ``(T,)``."""
    curve = np.zeros(len(time))
    size = NOD_RAD * manner.nod_on_accent
    for accent in prosody.accents:
        if rng.random() < 0.85:
            depth = size * accent.strength * rng.uniform(0.45, 1.1)
            down, up = rng.uniform(0.16, 0.26), rng.uniform(0.4, 0.7)
            lowest = accent.time + rng.uniform(-0.08, 0.04)
            lift = 0.4 * depth * rng.random()
            curve -= lift * _ease((time - lowest + down + 0.2) / 0.2) * (1 - _ease((time - lowest + down) / down))
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
    """Small turns and tilts that lead some accents."""
    turns, tilts = np.zeros(len(time)), np.zeros(len(time))
    for accent in prosody.accents:
        if rng.random() < 0.5:
            rise, fall = rng.uniform(0.18, 0.3), rng.uniform(0.45, 0.8)
            arrival = accent.time - 0.04
            shape = _ease((time - arrival + rise) / rise) * (1 - _ease((time - arrival - 0.05) / fall))
            size = (0.3 + 0.5 * manner.nod_on_accent) * accent.strength
            turns += rng.normal(0, 0.7) * manner.head_yaw * size * shape
            tilts += rng.normal(0, 0.7) * manner.head_roll * size * shape
    return turns, tilts


def _talking(prosody: Prosody, time: np.ndarray) -> np.ndarray:
    """1 while a phrase lasts, rising over half a second before it and fading with its end: ``(T,)``."""
    talking = np.zeros(len(time))
    for phrase in prosody.phrases:
        inside = _ease((time - phrase.start + 0.45) / 0.45) * (1 - _ease((time - phrase.end + 0.1) / 0.4))
        np.maximum(talking, inside, out=talking)
    return talking


def _ease(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)
