"""What heads of all kinds do in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.geometry.mesh import MeshSequence

if TYPE_CHECKING:
    from diffposetalk.geometry.mesh import Mesh
    from diffposetalk.motion import Motion


MOST_DRAWN = 100
"""A drawn identity has no more coefficients: as many as the paper's model knows of FLAME's 300."""


class BaseHead:
    """Base of all heads."""

    @property
    def identity_dim(self) -> int:
        """How many identity coordinates there are."""
        raise NotImplementedError

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """Return the resting surface with materials."""
        raise NotImplementedError

    def iter_vertices(
        self, motion: Motion, identity: np.ndarray | None = None, chunk: int = 64
    ) -> Iterator[np.ndarray]:
        """Yield the vertices of a motion in pieces of at most ``chunk`` frames."""
        raise NotImplementedError

    def mesh_sequence(self, motion: Motion, identity: np.ndarray | None = None) -> MeshSequence:
        """Return the moving surface of a whole motion; `iter_vertices` needs less memory."""
        return MeshSequence.of(self.mesh(identity), self.iter_vertices(motion, identity), motion.fps)

    def draw_identity(self, seed: int) -> np.ndarray:
        """Draw a person: independent standard normal coefficients, cut off at 2.5.

        Args:
            seed: the same seed gives the same person.

        Returns:
            ``(n,)`` float32: at most the leading `MOST_DRAWN` of the head's coordinates.
        """
        n_drawn = min(self.identity_dim, MOST_DRAWN)
        return np.clip(np.random.default_rng(seed).standard_normal(n_drawn), -2.5, 2.5).astype(np.float32)
