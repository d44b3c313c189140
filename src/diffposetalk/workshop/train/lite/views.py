"""Motion as another person, and as another tracker, would have given it.

A style must follow the one and ignore the other. `Variation` changes a manner of speaking itself, so that few speakers
make many; `Disturbance` changes what a tracker, a synthetic source or another frame rate does to the same manner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffposetalk.arkit import INDEX
from diffposetalk.errors import UsageError
from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.shares import Shares


@dataclass(frozen=True)
class Variation(Shares):
    """Factors on groups of channels, one draw for all that one speaker shows.

    Resting weights are 0, so a factor is a larger or smaller movement from rest; weights of ARKit stay in [0, 1].
    """

    share: float = 0.0
    """Share of speakers that are changed."""
    groups: dict[str, float] = field(default_factory=dict)
    """Largest factor by beginnings of channel names, separated by spaces; the least is its inverse. A channel in
    several groups takes the product."""
    sides: dict[str, float] = field(default_factory=dict)
    """Largest factor of left channels over right ones, by beginnings of channel names as in `groups`. People are uneven
    in one thing and even in another: with a single factor, a style read from a raised brow would pull the mouth aside."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, factor in [*self.groups.items(), *self.sides.items()]:
            if not 1 <= factor < 10:
                raise UsageError(f"variation: the factor of {name!r} must lie in 1 to 10, got {factor}")

    def draw(self, rng: np.random.Generator, n: int, space: MotionSpace) -> Tensor:
        """Return factors ``(n, D)`` for ``n`` speakers."""
        factors = np.ones((n, space.dim))

        def powers(largest: float) -> np.ndarray:
            return largest ** rng.uniform(-1, 1, (n, 1))

        def columns(group: str, side: str = "") -> list[bool]:
            return [name.startswith(tuple(group.split())) and name.endswith(side) for name in space.channels]

        for group, largest in self.groups.items():
            factors[:, columns(group)] *= powers(largest)
        for group, largest in self.sides.items():
            left = powers(largest) ** 0.5
            factors[:, columns(group, "Left")] *= left
            factors[:, columns(group, "Right")] /= left
        factors[rng.random(n) >= self.share] = 1
        return torch.from_numpy(factors.astype(np.float32))


def varied(motion: Tensor, factors: Tensor, space: MotionSpace) -> Tensor:
    """Return normalised motion ``(B, L, D)`` with each channel's distance from rest scaled by ``(B, D)`` factors."""
    mean, std = (torch.from_numpy(value).to(motion) for value in (space.mean, space.std))
    raw = (motion * std + mean) * factors[:, None].to(motion)
    weights = torch.tensor([name in INDEX for name in space.channels], device=motion.device)
    return (torch.where(weights, raw.clamp(0, 1), raw) - mean) / std


@dataclass(frozen=True)
class Disturbance(Shares):
    """What differs between sources of the same motion; each window draws its own. All in normalised units."""

    SHARES: ClassVar = ("dropped",)
    share: float = 1.0
    """Share of windows that are disturbed."""
    noise: float = 0.0
    """Largest standard deviation of a tracker's trembling, independent in every frame."""
    wander: float = 0.0
    """Largest standard deviation of slow errors, which last about half a second."""
    offset: float = 0.0
    """Standard deviation of a constant error of each channel: another idea of the resting face."""
    gain: float = 0.0
    """Standard deviation of the logarithm of each channel's scale: another idea of what a full weight is."""
    dropped: float = 0.0
    """Share of channels that stay at their mean: sources that do not know them, and so that no single one decides."""
    smoothing: int = 1
    """Most frames of a running mean."""
    held: int = 1
    """Most frames between which values go straight: slower video."""
    shortest: float = 1.0
    """Smallest share of the window that remains; it is repeated forward and backward until the window is full."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("noise", "wander", "offset", "gain"):
            if not 0 <= getattr(self, name) < 10:
                raise UsageError(f"disturbance.{name} must lie in 0 to 10, got {getattr(self, name)}")
        for name in ("smoothing", "held"):
            if getattr(self, name) < 1:
                raise UsageError(f"disturbance.{name} is a number of frames, at least 1, got {getattr(self, name)}")
        if not 0 < self.shortest <= 1:
            raise UsageError(f"disturbance.shortest must lie above 0 and up to 1, got {self.shortest}")

    def __call__(self, motion: Tensor, rng: np.random.Generator) -> Tensor:
        """Disturb windows ``(B, L, D)``, each in its own way."""
        if self == Disturbance():
            return motion
        n, n_frames, dim = motion.shape
        chosen = rng.random(n) < self.share

        def spread(largest: float) -> np.ndarray:
            return largest * rng.random((n, 1, 1))

        def normal(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape, np.float32)

        disturbed = self._timed(motion, rng)
        errors = normal(n, n_frames, dim) * spread(self.noise) + normal(n, 1, dim) * self.offset
        knots = torch.from_numpy(normal(n, dim, max(2, n_frames // 12))).to(motion)
        slow = functional.interpolate(knots, n_frames, mode="linear", align_corners=True).mT
        gain = np.exp(normal(n, 1, dim) * self.gain)
        present = rng.random((n, 1, dim)) >= self.dropped * 2 * rng.random((n, 1, 1))
        disturbed = disturbed * _as(gain, motion) + _as(errors, motion) + slow * _as(spread(self.wander), motion)
        disturbed = disturbed * _as(present, motion)
        return torch.where(torch.from_numpy(chosen).to(motion.device)[:, None, None], disturbed, motion)

    def _timed(self, motion: Tensor, rng: np.random.Generator) -> Tensor:
        """Shorten, slow down and smooth, window by window in one gather and one running mean."""
        n, n_frames, dim = motion.shape
        rows = []
        for _ in range(n):
            length = int(np.ceil(n_frames * rng.uniform(self.shortest, 1)))
            start = int(rng.integers(0, n_frames - length + 1))
            rows.append(start + there_and_back(length, n_frames))
        step = rng.integers(1, self.held + 1, n)
        places = np.arange(n_frames)[None] / step[:, None]
        before = np.floor(places).astype(int) * step[:, None]
        after = np.minimum(before + step[:, None], n_frames - 1)
        share = (np.arange(n_frames)[None] - before) / np.maximum(after - before, 1)

        def at(index: np.ndarray) -> Tensor:
            where = torch.from_numpy(np.take_along_axis(np.stack(rows), index, 1)).to(motion.device)
            return motion.gather(1, where[..., None].expand(n, n_frames, dim))

        timed = torch.lerp(at(before), at(after), _as(share[..., None], motion))
        width = rng.integers(1, self.smoothing + 1, n)
        summed = functional.pad(timed.cumsum(1), (0, 0, 1, 0))
        low = np.clip(np.arange(n_frames)[None] - (width[:, None] - 1) // 2, 0, n_frames)
        high = np.clip(np.arange(n_frames)[None] + width[:, None] // 2 + 1, 0, n_frames)

        def sums(index: np.ndarray) -> Tensor:
            where = torch.from_numpy(index).to(motion.device)
            return summed.gather(1, where[..., None].expand(n, n_frames, dim))

        return (sums(high) - sums(low)) / _as((high - low)[..., None], motion)


def there_and_back(length: int, n_frames: int) -> np.ndarray:
    """Return indices ``0, 1, ..., length - 1, length - 2, ..., 0, 1, ...``: ``(n_frames,)``."""
    return (
        np.abs((np.arange(n_frames) + length - 1) % max(1, 2 * length - 2) - (length - 1))
        if length > 1
        else np.zeros(n_frames, int)
    )


def _as(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(like)
