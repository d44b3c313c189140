"""Lips that touch on the source are to touch on the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.retarget.controls import Controls
from diffposetalk.retarget.correspondence import Correspondence

CONTACT = 10.0
"""Importance of the lips' touching, where they touch on the source."""
TOUCH_MM = 4.0
"""Lips this far apart beyond rest, on the target's scale, count 1/e of lips that touch."""


@dataclass(frozen=True)
class Contact:
    """Lips that touch on the source are to touch on the target: rows of the least squares that differ by frame."""

    pairs: np.ndarray
    """``(k, 2)`` points of the upper and the lower lip."""
    moves: np.ndarray
    """``(C, k)`` how far each control parts them, mm per unit."""
    strength: np.ndarray
    """``(T, k)`` what a row is multiplied by: largest where the lips touch or are pressed, small where they are apart."""

    @staticmethod
    def of(wanted: np.ndarray, controls: Controls, points: Correspondence) -> Contact:
        """Find in which frames the lips touch, by wanted displacements ``(T, n, 3)``, mm."""
        pairs = np.array(points.contacts, int).reshape(-1, 2)
        apart = np.maximum(_parting(wanted, pairs), 0) / TOUCH_MM
        strength = np.sqrt(CONTACT / max(len(pairs), 1)) * np.exp(-apart / 2)
        return Contact(pairs, _parting(controls.basis_mm, pairs), strength)

    def joined(self, moves: np.ndarray, wanted: np.ndarray, displacements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append the rows to those that are the same in all frames, which are summed up by their triangular factor.

        Args:
            moves: ``(C, N)`` of the other rows.
            wanted: ``(T, N)`` of the other rows.
            displacements: ``(T, n, 3)`` wanted of the points, mm.

        Returns:
            Basis ``(T, C, M)`` and wanted ``(T, M)``.
        """
        if not len(self.pairs):
            return moves, wanted
        turn, factor = np.linalg.qr(moves.T)
        shared = np.broadcast_to(factor.T, (len(wanted), *factor.T.shape))
        own = self.moves[None] * self.strength[:, None]
        parting = _parting(displacements, self.pairs) * self.strength
        return np.concatenate([shared, own], 2), np.concatenate([wanted @ turn, parting], 1)


def _parting(displacements: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return how far the points of pairs are parted vertically: ``(T, n, 3) -> (T, k)``."""
    return displacements[:, pairs[:, 0], 1] - displacements[:, pairs[:, 1], 1]
