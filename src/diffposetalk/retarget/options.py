"""Weights of the priors of retargeting."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diffposetalk.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Weights of the priors, relative to the weighted mean square distance of all points in mm^2."""

    ridge: float = 5e-4
    """Weight of the quadratic prior toward 0, mm^2 per unit^2."""
    sparsity: float = 1e-3
    """Weight of the prior toward few active channels, mm^2 per unit."""
    temporal: float = 5e-4
    """Weight of the prior toward the previous frame, mm^2 per unit^2."""
    symmetry: float = 5e-4
    """Weight of the prior toward equal left and right channels, mm^2 per unit^2."""
    by_name: float = 20.0
    """Weight of the prior that keeps a channel at the source's value if both heads have a channel of this name; 0: no such
    prior, large: channels are copied."""
    # It is scaled by the geometric mean of the channel's own mean square displacement and that of the average channel.
    # With 20, channels stay within about 0.05, and the mouth opens and closes more like the source than with copies.

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} must be 0 or more, got {value}")
