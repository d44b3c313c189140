"""Rotations: axis-angle vectors, matrices and quaternions (x, y, z, w), and what lies between two of them.

All angles are radians. Matrices act on column vectors. `rotation_matrix` also takes torch tensors and is
differentiable; everything else is numpy in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from diffposetalk.geometry.curves import neighbours
from diffposetalk.geometry.skinning import Array, is_tensor


def rotation_matrix(axis_angle: Array) -> Array:
    """Turn rotation vectors into matrices by Rodrigues' formula.

    `R = I + a [r]x + b [r]x [r]x` with `a = sin t / t`, `b = (1 - cos t) / t^2`, `t = |r|`; below `t = 1e-2` both are
    replaced by their Taylor series, so that the derivative exists everywhere.

    Args:
        axis_angle: ``(..., 3)`` radians, numpy or torch.

    Returns:
        ``(..., 3, 3)`` of the same kind and type.
    """
    x, y, z = axis_angle[..., 0], axis_angle[..., 1], axis_angle[..., 2]
    squared = x * x + y * y + z * z
    small = squared < 1e-4
    lib: Any = np
    if is_tensor(axis_angle):
        import torch

        lib = torch
    safe = lib.where(small, lib.ones_like(squared), squared)
    angle = lib.sqrt(safe)
    a = lib.where(small, 1 - squared / 6 + squared * squared / 120, lib.sin(angle) / angle)
    b = lib.where(small, 0.5 - squared / 24 + squared * squared / 720, (1 - lib.cos(angle)) / safe)
    flat = [
        1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y,
        b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x,
        b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y),
    ]  # fmt: skip
    return lib.stack(flat, -1).reshape((*axis_angle.shape[:-1], 3, 3))


def matrices_of(axis_angle: np.ndarray) -> np.ndarray:
    """Return the float64 matrices ``(..., 3, 3)`` of rotation vectors ``(..., 3)`` of any type."""
    return np.asarray(rotation_matrix(np.asarray(axis_angle, np.float64)))


def vectors_of(matrices: np.ndarray) -> np.ndarray:
    """Return the float64 rotation vectors ``(..., 3)`` of matrices ``(..., 3, 3)``; at most half a turn."""
    m = np.asarray(matrices, np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    # Each row is the quaternion times four times its x, y, z or w. The row with the largest factor is the most exact.
    products = np.empty((*m.shape[:-2], 4, 4))
    for i in range(3):
        for j in range(3):
            products[..., i, j] = m[..., i, j] + m[..., j, i]
        products[..., i, i] = 1 - trace + 2 * m[..., i, i]
        after, last = (i + 1) % 3, (i + 2) % 3
        products[..., i, 3] = products[..., 3, i] = m[..., last, after] - m[..., after, last]
    products[..., 3, 3] = 1 + trace
    largest = np.diagonal(products, axis1=-2, axis2=-1).argmax(-1)
    return vectors_of_quaternions(np.take_along_axis(products, largest[..., None, None], -2)[..., 0, :])


def quaternions_of(axis_angle: np.ndarray) -> np.ndarray:
    """Return the float64 unit quaternions ``(..., 4)`` of rotation vectors ``(..., 3)``."""
    vectors = np.asarray(axis_angle, np.float64)
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    return np.concatenate([vectors / 2 * np.sinc(half / np.pi), np.cos(half)], -1)


def continuous_quaternions(axis_angle: np.ndarray) -> np.ndarray:
    """Return quaternions ``(T, ..., 4)`` of ``(T, ..., 3)``, of the two signs the one nearer the frame before."""
    quaternions = quaternions_of(axis_angle)
    cosine = (quaternions[1:] * quaternions[:-1]).sum(-1)
    quaternions[1:] *= np.cumprod(np.where(cosine < 0, -1.0, 1.0), axis=0)[..., None]
    return quaternions


def vectors_of_quaternions(quaternions: np.ndarray) -> np.ndarray:
    """Return the float64 rotation vectors ``(..., 3)``, at most half a turn, of quaternions ``(..., 4)``.

    Quaternions may have any length and sign. Zeros mean no rotation.
    """
    q = np.asarray(quaternions, np.float64)
    length = np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(length > 1e-9, q / np.maximum(length, 1e-9), [0.0, 0.0, 0.0, 1.0])
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    return q[..., :3] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def continuous_vectors(axis_angle: np.ndarray) -> np.ndarray:
    """Return rotation vectors ``(T, 3)`` of the same rotations, without jumps of a whole turn between frames."""
    vectors = np.array(axis_angle, np.float64)
    for frame in range(1, len(vectors)):
        angle = np.linalg.norm(vectors[frame])
        axis = (
            vectors[frame] / angle if angle > 1e-6 else vectors[frame - 1] / (np.linalg.norm(vectors[frame - 1]) or 1)
        )
        vectors[frame] += 2 * np.pi * np.rint((vectors[frame - 1] @ axis - angle) / (2 * np.pi)) * axis
    return vectors


def pitch_yaw_roll(matrices: np.ndarray) -> np.ndarray:
    """Return the angles ``(..., 3)`` of matrices ``Ry(yaw) @ Rx(pitch) @ Rz(roll)``, ``(..., 3, 3)``."""
    pitch = np.arcsin(np.clip(-matrices[..., 1, 2], -1, 1))
    yaw = np.arctan2(matrices[..., 0, 2], matrices[..., 2, 2])
    roll = np.arctan2(matrices[..., 1, 0], matrices[..., 1, 1])
    return np.stack([pitch, yaw, roll], -1)


def nearest_rotation(matrices: np.ndarray) -> np.ndarray:
    """Return the rotations ``(..., 3, 3)`` nearest to matrices: the rotation in a covariance, or the mean of rotations."""
    u, _, vt = np.linalg.svd(matrices)
    u[..., -1] *= np.sign(np.linalg.det(u @ vt))[..., None]  # a rotation, not a reflection
    return np.asarray(u @ vt)


def angles_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the angle ``(...)`` of the rotation from one rotation to another, both axis-angle ``(..., 3)``."""
    a, b = quaternions_of(one), quaternions_of(other)
    lengths = np.linalg.norm(b - a, axis=-1), np.linalg.norm(b + a, axis=-1)
    return 4 * np.arctan2(np.minimum(*lengths), np.maximum(*lengths))  # a and -a are the same rotation


def slerp(axis_angle: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate rotations along the shortest path at constant speed (spherical linear interpolation).

    Args:
        axis_angle: ``(T, 3)`` radians.
        position: ``(m,)`` fractional frame numbers.

    Returns:
        ``(m, 3)`` float32 rotation vectors. Interpolated ones are at most half a turn.
    """
    if len(position) == len(axis_angle) and (position == np.arange(len(position))).all():
        return np.asarray(axis_angle, np.float32)
    low, high, share = neighbours(len(axis_angle), position)
    quaternions = quaternions_of(axis_angle)
    start, end = quaternions[low], quaternions[high]
    end = np.where(
        (start * end).sum(1, keepdims=True) < 0, -end, end
    )  # q and -q are the same rotation; take the nearer
    angle = 2 * np.arctan2(np.linalg.norm(end - start, axis=1), np.linalg.norm(end + start, axis=1))[:, None]
    sine = np.sin(angle)
    near = sine < 1e-9
    safe = np.where(near, 1.0, sine)
    share = share[:, None]
    mixed = np.where(near, 1 - share, np.sin((1 - share) * angle) / safe) * start
    mixed = mixed + np.where(near, share, np.sin(share * angle) / safe) * end
    return vectors_of_quaternions(mixed).astype(np.float32)


def cross_matrices(vectors: np.ndarray) -> np.ndarray:
    """Return the matrices ``(..., 3, 3)`` of the cross product with vectors ``(..., 3)``: ``M @ x = v x x``."""
    matrices = np.zeros((*vectors.shape, 3))
    matrices[..., 0, 1], matrices[..., 0, 2], matrices[..., 1, 2] = -vectors[..., 2], vectors[..., 1], -vectors[..., 0]
    return matrices - matrices.swapaxes(-1, -2)
