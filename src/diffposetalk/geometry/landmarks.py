"""MediaPipe's face landmarks as points on a head's triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.geometry.skinning import Array, like

N_MEDIAPIPE = 478
"""Number of landmarks: 468 of the face, then five of each iris, right eye first: centre, and edge toward +X, +Y, -X, -Y."""


@dataclass(frozen=True)
class Landmarks:
    """Points on triangles, given by barycentric coordinates, in MediaPipe's order."""

    corners: np.ndarray
    """``(L, 3)`` int32 vertex indices."""
    shares: np.ndarray
    """``(L, 3)`` float32 barycentric coordinates; rows sum to 1."""

    def __len__(self) -> int:
        return len(self.corners)

    def some(self, indices: Sequence[int]) -> Landmarks:
        """Return the points with these indices."""
        return Landmarks(self.corners[list(indices)], self.shares[list(indices)])

    def of(self, vertices: Array, indices: np.ndarray | None = None) -> Array:
        """Return the landmarks for given vertices of the head.

        Args:
            vertices: ``(..., V, 3)``, numpy or torch.
            indices: ``(n,)`` which landmarks; None: all, in order.

        Returns:
            ``(..., n, 3)`` in the unit of the vertices; differentiable with torch.
        """
        corners = self.corners if indices is None else self.corners[indices]
        shares = self.shares if indices is None else self.shares[indices]
        points = vertices[..., corners.reshape(-1), :]
        points = points.reshape((*points.shape[:-2], len(corners), 3, 3))
        return (points * like(shares, vertices)[..., None]).sum(-2)


def points_at(vertices: np.ndarray) -> Landmarks:
    """Return points that lie on vertices: ``(n,)`` vertex indices."""
    shares = np.zeros((len(vertices), 3), np.float32)
    shares[:, 0] = 1
    return Landmarks(np.repeat(vertices[:, None], 3, 1), shares)
