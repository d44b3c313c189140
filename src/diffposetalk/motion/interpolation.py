"""Interpolation of values and rotations between frames, in numpy, so that resampling does not load torch."""

from __future__ import annotations

import numpy as np


def lerp(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate the rows of ``(T, n)`` at fractional frame numbers ``(m,)``.

    Returns:
        ``(m, n)`` of the dtype of ``values``; whole frame numbers give the rows exactly.
    """
    if len(position) == len(values) and (position == np.arange(len(values))).all():
        return values
    low, high, share = _between(len(values), position)
    share = share[:, None].astype(values.dtype)
    return values[low] * (1 - share) + values[high] * share


def slerp(rotation_vectors: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate rotations along the shortest path at constant speed (spherical linear interpolation).

    Args:
        rotation_vectors: ``(T, 3)`` axis-angle, radians.
        position: ``(m,)`` fractional frame numbers.

    Returns:
        ``(m, 3)`` float32 rotation vectors. Interpolated ones are at most half a turn.
    """
    if len(position) == len(rotation_vectors) and (position == np.arange(len(position))).all():
        return np.asarray(rotation_vectors, np.float32)
    low, high, share = _between(len(rotation_vectors), position)
    turns = _quaternions(rotation_vectors)
    start, end = turns[low], turns[high]
    cosine = (start * end).sum(1, keepdims=True)
    end = np.where(cosine < 0, -end, end)  # q and -q are the same rotation; take the nearer
    angle = np.arctan2(np.linalg.norm(end - start, axis=1), np.linalg.norm(end + start, axis=1))[:, None] * 2
    sine = np.sin(angle)
    near = sine < 1e-9
    safe = np.where(near, 1.0, sine)
    share = share[:, None]
    mixed = np.where(near, 1 - share, np.sin((1 - share) * angle) / safe) * start
    mixed = mixed + np.where(near, share, np.sin(share * angle) / safe) * end
    return _rotation_vectors(mixed)


def _between(n_frames: int, position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frame before, the frame after, and the fraction between them."""
    low = np.floor(position).astype(int)
    return low, np.minimum(low + 1, n_frames - 1), position - low


def _quaternions(rotation_vectors: np.ndarray) -> np.ndarray:
    """Turn ``(n, 3)`` rotation vectors into ``(n, 4)`` float64 unit quaternions x, y, z, w."""
    vectors = np.asarray(rotation_vectors, np.float64)
    half = np.linalg.norm(vectors, axis=1, keepdims=True) / 2
    return np.concatenate([vectors / 2 * np.sinc(half / np.pi), np.cos(half)], 1)


def _rotation_vectors(quaternions: np.ndarray) -> np.ndarray:
    """Turn ``(n, 4)`` quaternions x, y, z, w into ``(n, 3)`` float32 rotation vectors."""
    turned = np.where(quaternions[:, 3:] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(turned[:, :3], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sine, turned[:, 3:])
    return np.asarray(turned[:, :3] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0), np.float32)
