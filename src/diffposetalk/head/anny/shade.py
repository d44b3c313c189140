"""Ambient occlusion of the free head's vertices: soft shade in the mouth, in the nostrils and under the lids."""

from __future__ import annotations

import numpy as np

TEXEL = 0.0014
"""Size of a pixel of the depth maps, metres."""
LIFT = 0.0015
"""Offset from the surface of the tested points, metres; it prevents self-shadowing by the coarse maps."""


def openness(points: np.ndarray, faces: np.ndarray, normals: np.ndarray, n_directions: int = 128) -> np.ndarray:
    """Measure ambient occlusion by orthographic depth maps from many directions.

    Args:
        points: ``(V, 3)`` metres.
        faces: ``(F, 3)``, all triangles that cast shade.
        normals: ``(V, 3)`` unit.
        n_directions: number of directions, spread evenly over the sphere.

    Returns:
        ``(V,)`` in [0, 1]: the cosine-weighted share of directions from which the vertex is visible.
    """
    samples = _scatter(points, faces).astype(np.float32)
    k = np.arange(n_directions // 2) + 0.5
    height = 1 - k / len(k)
    turn = np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - height**2)
    unblocked, possible = np.zeros(len(points)), np.zeros(len(points))
    lifted = points + LIFT * normals
    for direction in np.stack([flat * np.cos(turn), height, flat * np.sin(turn)], -1):  # and its opposite
        side = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side), direction], -1)
        i, j, depth = (samples @ axes.astype(np.float32)).T
        at_i, at_j, at_depth = (lifted @ axes).T
        low_i, low_j = min(i.min(), at_i.min()), min(j.min(), at_j.min())
        width = int((max(j.max(), at_j.max()) - low_j) / TEXEL) + 1
        cell = ((i - low_i) / TEXEL).astype(np.int64) * width + ((j - low_j) / TEXEL).astype(np.int64)
        here = ((at_i - low_i) / TEXEL).astype(np.int64) * width + ((at_j - low_j) / TEXEL).astype(np.int64)
        order = np.argsort(cell, kind="stable")
        cells, starts = np.unique(cell[order], return_index=True)
        place = np.minimum(np.searchsorted(cells, here), len(cells) - 1)
        met = cells[place] == here
        nearest = np.maximum.reduceat(depth[order], starts)[place]
        furthest = np.minimum.reduceat(depth[order], starts)[place]
        for sign, visible in ((1, at_depth + LIFT > nearest), (-1, at_depth - LIFT < furthest)):
            facing = np.clip(sign * (normals @ direction), 0, None)
            unblocked += facing * (visible | ~met)
            possible += facing
    return unblocked / np.maximum(possible, 1e-9)


def _scatter(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Sample the triangles with points at most about one texel apart."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    longest = np.sqrt(np.max([((a - b) ** 2).sum(1), ((b - c) ** 2).sum(1), ((c - a) ** 2).sum(1)], 0))
    covered = []
    n_steps = np.clip(np.ceil(longest / (0.7 * TEXEL)).astype(int), 1, 40)
    for n in np.unique(n_steps):
        chosen = n_steps == n
        i, j = (grid.ravel() for grid in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
        inside = i + j <= n
        u, v = (i[inside] / n)[:, None, None], (j[inside] / n)[:, None, None]
        covered.append((a[chosen] * (1 - u - v) + b[chosen] * u + c[chosen] * v).reshape(-1, 3))
    return np.concatenate(covered)
