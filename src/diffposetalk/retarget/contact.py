"""Contact of the lips: lips that touch on the source should touch on the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.retarget.controls import Controls
from diffposetalk.retarget.correspondence import Correspondence

CONTACT = 10.0
"""Weight of the contact of the lips in frames in which they touch on the source."""
TOUCH_MM = 4.0
"""Lip gap beyond rest, on the target's scale, at which the weight has fallen to 1/e."""


@dataclass(frozen=True)
class Contact:
    """Rows of the least squares that make lips touch; they differ between frames."""

    pairs: np.ndarray
    """``(k, 2)`` points of the upper and the lower lip."""
    moves: np.ndarray
    """``(C, k)`` how far each control opens them, mm per unit."""
    strength: np.ndarray
    """``(T, k)`` factor on each row: largest if the lips touch or are pressed together, small if they are apart."""

    @staticmethod
    def of(displacements: np.ndarray, controls: Controls, points: Correspondence) -> Contact:
        """Find the frames in which the lips touch from displacements ``(T, n, 3)``, mm."""
        pairs = np.array(points.contacts, int).reshape(-1, 2)
        apart = np.maximum(_parting(displacements, pairs), 0) / TOUCH_MM
        strength = np.sqrt(CONTACT / max(len(pairs), 1)) * np.exp(-apart / 2)
        return Contact(pairs, _parting(controls.basis_mm, pairs), strength)

    def joined(self, moves: np.ndarray, right: np.ndarray, displacements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append these rows to the rows that are equal in all frames; the latter are replaced by their triangular (QR) factor.

        Args:
            moves: ``(C, N)`` basis of the other rows.
            right: ``(T, N)`` right-hand sides of the other rows.
            displacements: ``(T, n, 3)`` displacements of the points, mm.

        Returns:
            Basis ``(T, C, M)`` and right-hand sides ``(T, M)``.
        """
        if not len(self.pairs):
            return moves, right
        turn, factor = np.linalg.qr(moves.T)
        shared = np.broadcast_to(factor.T, (len(right), *factor.T.shape))
        own = self.moves[None] * self.strength[:, None]
        parting = _parting(displacements, self.pairs) * self.strength
        return np.concatenate([shared, own], 2), np.concatenate([right @ turn, parting], 1)


def _parting(displacements: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the change of the vertical distance of each pair: ``(T, n, 3) -> (T, k)``."""
    return displacements[:, pairs[:, 0], 1] - displacements[:, pairs[:, 1], 1]
