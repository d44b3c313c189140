"""Conversions between rotation vectors, matrices, quaternions and Euler angles; eye rotations from gaze channels.

Angles are always pitch, yaw, roll in our own signs: positive pitch nods down, positive yaw turns to the subject's left,
positive roll tilts toward the subject's right shoulder. The rotation is yaw, then pitch in the turned frame, then roll:
`Ry @ Rx @ Rz`, whose pitch and roll do not depend on the direction in which the head faces.
"""

from __future__ import annotations

import numpy as np

from diffposetalk.exchange.names import arkit_weights
from diffposetalk.geometry.rotations import matrices_of, pitch_yaw_roll, vectors_of
from diffposetalk.motion import Motion

GAZE_RAD = {"In": 0.6, "Out": 0.6, "Up": 0.5, "Down": 0.5}
"""Rotation of an eye at weight 1 of `eyeLook*`, radians, used where a motion has these channels but no angles."""


def euler_of(rotation_vectors: np.ndarray) -> np.ndarray:
    """Turn ``(T, 3)`` rotation vectors into ``(T, 3)`` float64 pitch, yaw, roll in radians, without jumps by a whole turn."""
    return np.unwrap(pitch_yaw_roll(matrices_of(rotation_vectors)), axis=0)


def rotation_of(angles: np.ndarray) -> np.ndarray:
    """Turn ``(T, 3)`` pitch, yaw, roll, radians, into ``(T, 3)`` float32 rotation vectors."""
    pitch, yaw, roll = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    zero = np.zeros_like(pitch)
    about_x, about_y, about_z = (
        matrices_of(np.stack(parts, -1)) for parts in ((pitch, zero, zero), (zero, yaw, zero), (zero, zero, roll))
    )
    return vectors_of(about_y @ about_x @ about_z).astype(np.float32)


def gaze_of(motion: Motion) -> np.ndarray:
    """Return pitch, yaw, roll of both eyes relative to the head, ``(T, 2, 3)`` float64 radians, left eye first.

    The angles come from `eye_pose` if the motion has it, else from the `eyeLook*` channels by `GAZE_RAD`. As in recorded
    takes the eyes turn sideways first and then up or down about the head's own axis (`Rx @ Ry`), so our angles have a little
    roll.
    """
    if motion.eye_pose is not None:
        return np.stack([euler_of(motion.eye_pose[:, :3]), euler_of(motion.eye_pose[:, 3:])], 1)
    eyes = []
    for name, toward_left, toward_right in (("Left", "Out", "In"), ("Right", "In", "Out")):
        looks = {way: GAZE_RAD[way] * arkit_weights(motion, (f"eyeLook{way}{name}",))[:, 0] for way in GAZE_RAD}
        zero = np.zeros(len(motion))
        up_or_down = matrices_of(np.stack([looks["Down"] - looks["Up"], zero, zero], 1))
        sideways = matrices_of(np.stack([zero, looks[toward_left] - looks[toward_right], zero], 1))
        eyes.append(np.unwrap(pitch_yaw_roll(up_or_down @ sideways), axis=0))
    return np.stack(eyes, 1)
