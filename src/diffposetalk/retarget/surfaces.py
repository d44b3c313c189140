"""Alignment of resting surfaces: similarity, smooth warp, and nearest points with similar normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.normals import vertex_normals

LATTICE = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)], np.float64) / 4
"""Barycentric coordinates of the candidate points of every triangle."""


def similarity(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return scale, rotation and shift of the least-squares similarity ``b = scale * rotation @ a + shift``.

    Source: Umeyama: Least-squares estimation of transformation parameters between two point patterns (1991).
    """
    mean_a, mean_b = a.mean(0), b.mean(0)
    u, s, vt = np.linalg.svd((b - mean_b).T @ (a - mean_a))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / ((a - mean_a) ** 2).sum())
    return scale, rotation, mean_b - scale * rotation @ mean_a


@dataclass(frozen=True)
class Warp:
    """A smooth map of space: an affine map plus a weighted sum of distances to some centres."""

    centres: np.ndarray
    coefficients: np.ndarray
    affine: np.ndarray

    @staticmethod
    def fit(start: np.ndarray, end: np.ndarray, smooth: float) -> Warp:
        """Fit a biharmonic spline that maps `start` ``(n, 3)`` close to `end`; `smooth` is a length, 0: interpolate exactly."""
        n = len(start)
        kernel = -np.linalg.norm(start[:, None] - start[None], axis=-1)
        system = np.zeros((n + 4, n + 4))
        system[:n, :n] = kernel + smooth * np.eye(n)
        system[:n, n:] = np.concatenate([start, np.ones((n, 1))], 1)
        system[n:, :n] = system[:n, n:].T
        solution = np.linalg.lstsq(system, np.concatenate([end, np.zeros((4, 3))]), rcond=1e-12)[0]
        return Warp(start, solution[:n], solution[n:])

    @staticmethod
    def none() -> Warp:
        """Return the identity."""
        return Warp(np.zeros((1, 3)), np.zeros((1, 3)), np.concatenate([np.eye(3), np.zeros((1, 3))]))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Move points ``(m, 3)``."""
        kernel = -np.linalg.norm(points[:, None] - self.centres[None], axis=-1)
        return kernel @ self.coefficients + points @ self.affine[:3] + self.affine[3]


class Surface:
    """The skin of a resting head, for queries of nearest points with a given normal."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, skin: np.ndarray) -> None:
        held = np.zeros(len(vertices), bool)
        held[skin] = True
        self.vertices, self.faces = vertices, faces[held[faces].all(1)]
        self.directions = vertex_normals(vertices, self.faces)
        corners = vertices[self.faces]
        self.centres, self.facing = corners.mean(1), self.directions[self.faces].mean(1)
        self.size = float(np.linalg.norm(corners - self.centres[:, None], axis=-1).mean())

    def nearest(self, points: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, Landmarks, np.ndarray]:
        """Find the nearest point of the surface for each query point.

        Args:
            points: ``(m, 3)`` query points.
            directions: ``(m, 3)`` unit normals; a result has a normal within about 66 degrees of it.

        Returns:
            Positions ``(m, 3)``, the points on triangles, and distances ``(m,)``; infinite if no triangle has such a normal.
        """
        where, shares, distances = [], [], []
        for start in range(0, len(points), 64):
            p, d = points[start : start + 64], directions[start : start + 64]
            squares = (p**2).sum(1)[:, None] + (self.centres**2).sum(1)[None] - 2 * p @ self.centres.T
            squares = np.where(d @ self.facing.T > 0.4, squares, np.inf)
            few = np.argpartition(squares, 12, axis=1)[:, :12]
            rows = self.faces[few]
            candidates = np.einsum("lc,mfcx->mflx", LATTICE, self.vertices[rows])
            candidate_squares = ((candidates - p[:, None, None]) ** 2).sum(-1)
            candidate_squares = np.where(
                np.isfinite(np.take_along_axis(squares, few, 1))[..., None], candidate_squares, np.inf
            )
            best = candidate_squares.reshape(len(p), -1).argmin(1)
            face, lattice = best // len(LATTICE), best % len(LATTICE)
            where.append(rows[np.arange(len(p)), face])
            shares.append(LATTICE[lattice])
            distances.append(np.sqrt(candidate_squares.reshape(len(p), -1)[np.arange(len(p)), best]))
        marks = Landmarks(np.concatenate(where).astype(np.int32), np.concatenate(shares).astype(np.float32))
        return marks.of(self.vertices), marks, np.concatenate(distances)
