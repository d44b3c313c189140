"""The prior by name: channels that both heads have stay near the source's weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.head import HeadModel
from diffposetalk.motion import Motion
from diffposetalk.retarget.controls import Controls
from diffposetalk.retarget.correspondence import Correspondence

MAX_GAIN = 1.5
"""Largest gain; the smallest is its inverse. The limit keeps weights off their bounds."""
OPENS = 0.02
"""A channel counts as opening the lips from this share of the opening of the strongest channel."""


@dataclass(frozen=True)
class NamePrior:
    """Weights of the target's channels, taken from the source's channels of the same names."""

    names: tuple[str, ...]
    """Channels of the target, ``C``."""
    gains: np.ndarray
    """``(C,)`` factors on the source's weights; 0 if the source lacks the channel."""

    @staticmethod
    def between(source: HeadModel, controls: Controls, points: Correspondence) -> NamePrior:
        """Compare how far each channel of the mouth opens the lips of both heads.

        The gain of such a channel is the ratio of the two openings, so that the mouth opens equally far on the target. If
        source and target are exchanged, the gain becomes its inverse. All other gains are 1.
        """
        common = [name for name in controls.names if name in INDEX and name in source.expression_names]
        mouth = [name for name in common if name.startswith(("jaw", "mouth"))]
        gains = dict.fromkeys(common, 1.0)
        if points.contacts and mouth:
            upper, lower = np.array(points.contacts).T
            rows = [source.expression_names.index(name) for name in mouth]
            on_source = _parting(_basis(source, points.source, upper) - _basis(source, points.source, lower))[rows]
            basis = controls.basis_mm[[controls.names.index(name) for name in mouth]]
            on_target = _parting(basis[:, upper] - basis[:, lower])
            opens = np.minimum(on_source / on_source.max(), on_target / on_target.max()) > OPENS
            ratio = 1e3 * points.scale * on_source / np.maximum(on_target, 1e-9)
            ratio = np.clip(ratio, 1 / MAX_GAIN, MAX_GAIN)
            gains |= {name: float(gain) for name, gain, open_ in zip(mouth, ratio, opens) if open_}
        return NamePrior(controls.names, np.array([gains.get(name, 0.0) for name in controls.names]))

    @property
    def known(self) -> np.ndarray:
        """``(C,)`` 1 for channels that the source has, else 0."""
        return (self.gains > 0).astype(np.float64)

    def weights(self, motion: Motion) -> np.ndarray:
        """Return the weights ``(T, C)`` by name; they may exceed 1."""
        columns = [
            gain * motion.channel(name) if gain and name in motion.expression_names else np.zeros(len(motion))
            for name, gain in zip(self.names, self.gains)
        ]
        return np.stack(columns, 1).astype(np.float64)


def _basis(head: HeadModel, points: Landmarks, rows: np.ndarray) -> np.ndarray:
    """Return the displacement of some points per unit of each channel, ``(E, n, 3)`` metres."""
    used, corners = np.unique(points.corners[rows], return_inverse=True)
    return Landmarks(corners.reshape(-1, 3), points.shares[rows]).of(head.expression_basis(used).astype(np.float64))


def _parting(across: np.ndarray) -> np.ndarray:
    """Return the root mean square length ``(E,)`` of vectors ``(E, k, 3)``."""
    return np.sqrt((across**2).sum(-1).mean(-1))
