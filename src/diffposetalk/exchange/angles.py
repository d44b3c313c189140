"""Rotation vectors to angles that other software keeps, and gaze channels to rotations of the eyes.

Angles here are always pitch, yaw, roll in our own signs: + nods down, + turns to the subject's left, + tilts toward the
subject's right shoulder. The rotation is yaw, then pitch in the turned frame, then roll: `Ry @ Rx @ Rz`, whose pitch and roll
do not change with where the head faces.
"""

from __future__ import annotations

import numpy as np

from diffposetalk.exchange.names import arkit_weights
from diffposetalk.geometry.skinning import rotation_matrix
from diffposetalk.motion import Motion

GAZE_RAD = {"In": 0.6, "Out": 0.6, "Up": 0.5, "Down": 0.5}
"""Radians that an eye turns at weight 1 of `eyeLook*`, where a file has the channels but no angles."""


def rotation_matrices(rotation_vectors: np.ndarray) -> np.ndarray:
    """Turn `(..., 3)` rotation vectors, radians, into `(..., 3, 3)` float64 matrices (Rodrigues)."""
    return rotation_matrix(np.asarray(rotation_vectors, np.float64))


def rotation_vectors_of(matrices: np.ndarray) -> np.ndarray:
    """Turn `(..., 3, 3)` rotation matrices into `(..., 3)` float32 rotation vectors, radians, of at most half a turn."""
    m = np.asarray(matrices, np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    # The four rows are one quaternion times four times its x, y, z, w: the one with the largest factor is the most exact.
    products = np.empty((*m.shape[:-2], 4, 4))
    for i in range(3):
        for j in range(3):
            products[..., i, j] = m[..., i, j] + m[..., j, i]
        products[..., i, i] = 1 - trace + 2 * m[..., i, i]
        after, last = (i + 1) % 3, (i + 2) % 3
        products[..., i, 3] = products[..., 3, i] = m[..., last, after] - m[..., after, last]
    products[..., 3, 3] = 1 + trace
    largest = np.diagonal(products, axis1=-2, axis2=-1).argmax(-1)
    return of_quaternions(np.take_along_axis(products, largest[..., None, None], -2)[..., 0, :])


def euler_of(rotation_vectors: np.ndarray) -> np.ndarray:
    """Turn `(T, 3)` rotation vectors into `(T, 3)` float64 pitch, yaw, roll in radians, without jumps of a whole turn."""
    return _euler(rotation_matrices(rotation_vectors))


def _euler(matrix: np.ndarray) -> np.ndarray:
    pitch = np.arcsin(np.clip(-matrix[..., 1, 2], -1, 1))
    yaw = np.arctan2(matrix[..., 0, 2], matrix[..., 2, 2])
    roll = np.arctan2(matrix[..., 1, 0], matrix[..., 1, 1])
    return np.unwrap(np.stack([pitch, yaw, roll], -1), axis=0)


def rotation_of(angles: np.ndarray) -> np.ndarray:
    """Turn `(T, 3)` pitch, yaw, roll, radians, into `(T, 3)` float32 rotation vectors."""
    pitch, yaw, roll = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    zero = np.zeros_like(pitch)
    about_x, about_y, about_z = (
        rotation_matrices(np.stack(parts, -1)) for parts in ((pitch, zero, zero), (zero, yaw, zero), (zero, zero, roll))
    )
    return rotation_vectors_of(about_y @ about_x @ about_z)


def gaze_of(motion: Motion) -> np.ndarray:
    """Return pitch, yaw, roll of both eyes relative to the head, `(T, 2, 3)` float64 radians, left eye first.

    From `eye_pose` where the motion has it, else from the `eyeLook*` channels by `GAZE_RAD`: as in recorded takes the eyes
    turn sideways first and then, about the head's own axis, up or down (`Rx @ Ry`), which gives our angles a little roll.
    """
    if motion.eye_pose is not None:
        return np.stack([euler_of(motion.eye_pose[:, :3]), euler_of(motion.eye_pose[:, 3:])], 1)
    eyes = []
    for name, toward_left, toward_right in (("Left", "Out", "In"), ("Right", "In", "Out")):
        looks = {way: GAZE_RAD[way] * arkit_weights(motion, (f"eyeLook{way}{name}",))[:, 0] for way in GAZE_RAD}
        zero = np.zeros(len(motion))
        up_or_down = rotation_matrices(np.stack([looks["Down"] - looks["Up"], zero, zero], 1))
        sideways = rotation_matrices(np.stack([zero, looks[toward_left] - looks[toward_right], zero], 1))
        eyes.append(_euler(up_or_down @ sideways))
    return np.stack(eyes, 1)


def quaternions(rotation_vectors: np.ndarray) -> np.ndarray:
    """Turn `(..., 3)` rotation vectors into `(..., 4)` float64 unit quaternions x, y, z, w."""
    vectors = np.asarray(rotation_vectors, np.float64)
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    return np.concatenate([vectors / 2 * np.sinc(half / np.pi), np.cos(half)], -1)


def of_quaternions(values: np.ndarray) -> np.ndarray:
    """Turn `(..., 4)` quaternions x, y, z, w of any length and sign into `(..., 3)` float32 rotation vectors; zeros rest."""
    q = np.asarray(values, np.float64)
    length = np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(length > 1e-9, q / np.maximum(length, 1e-9), [0.0, 0.0, 0.0, 1.0])
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    return (q[..., :3] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)).astype(np.float32)
