"""Normals of surfaces."""

from __future__ import annotations

import numpy as np


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return unit normals of the vertices: the sum of the adjoining triangles' normals, weighted by their areas.

    Args:
        points: ``(V, 3)``.
        faces: ``(F, 3)`` vertex indices, counter-clockwise seen from outside.

    Returns:
        ``(V, 3)``; zero where no triangle adjoins.
    """
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    of_faces = np.cross(b - a, c - a)
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], of_faces)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
