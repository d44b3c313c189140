"""Normals of surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def vertex_normals(points: np.ndarray, faces: np.ndarray, lone: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """Return unit normals of the vertices: the sum of the adjoining triangles' normals, weighted by their areas.

    Args:
        points: ``(V, 3)``.
        faces: ``(F, 3)`` vertex indices, counter-clockwise seen from outside.
        lone: the normal of vertices that no triangle adjoins.

    Returns:
        ``(V, 3)`` float64.
    """
    corners = np.asarray(points, np.float64)[faces]
    of_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack([np.bincount(faces.ravel(), np.repeat(axis, 3), len(points)) for axis in of_faces.T], 1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-15, total / np.maximum(length, 1e-30), lone)
