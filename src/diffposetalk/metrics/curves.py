"""Curves of a face over time that do not depend on a mesh, so that FLAME, ARKit and plain vertices compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.geometry.curves import lerp
from diffposetalk.geometry.rotations import slerp

Unit = Literal["m", "share"]
"""Unit of lengths: metres, or shares of a length that belongs to the face."""
WIDTHS = {"gap": None, "width": None, "jaw": None, "lids": 2, "brow": 2, "head": 3}
"""Curve -> number of columns; None: one value a frame, ``(T,)``."""


@dataclass(frozen=True)
class Curves:
    """The motion of a face as a few curves; a curve that is not known is None. Frame i is at ``i / fps`` seconds.

    Raises:
        InputError: there is no curve, lengths or widths differ, or a value is not finite.
    """

    fps: float
    """Frames per second."""
    gap: np.ndarray | None = None
    """``(T,)`` inner-lip gap in ``unit``; 0 where the lips touch."""
    width: np.ndarray | None = None
    """``(T,)`` distance of the mouth's corners in ``unit``."""
    jaw: np.ndarray | None = None
    """``(T,)`` how far the jaw is open: radians, or a weight from 0 to 1."""
    lids: np.ndarray | None = None
    """``(T, 2)`` closure of the left and the right eye: 0 open, 1 shut."""
    brow: np.ndarray | None = None
    """``(T, 2)`` height of the left and the right brow above the eyes in ``unit``."""
    head: np.ndarray | None = None
    """``(T, 3)`` rotation of the head: axis-angle, radians."""
    channels: np.ndarray | None = None
    """``(T, C)`` weights of named shapes, such as those of ARKit."""
    channel_names: tuple[str, ...] = ()
    """C names."""
    unit: Unit = "m"
    """Unit of ``gap``, ``width`` and ``brow``."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"curves need fps above 0, got {self.fps}")
        if self.unit not in ("m", "share"):
            raise InputError(f"the unit of curves is 'm' or 'share', got {self.unit!r}")
        object.__setattr__(self, "channel_names", tuple(self.channel_names))
        known = self.names
        if not known:
            raise InputError("curves need at least one curve")
        n_frames = np.shape(getattr(self, known[0]))[:1]
        for name in known:
            width = len(self.channel_names) if name == "channels" else WIDTHS[name]
            values = np.asarray(getattr(self, name), np.float64)
            expected = n_frames if width is None else (*n_frames, width)
            if values.shape != expected:
                raise InputError(f"the curve {name} must be {expected}, got {values.shape}")
            if not np.isfinite(values).all():
                raise InputError(f"the curve {name} holds numbers that are not finite")
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(getattr(self, self.names[0]))

    def __repr__(self) -> str:
        return f"Curves({len(self)} frames, {self.duration:.2f} s at {self.fps:g} fps: {', '.join(self.names)})"

    @property
    def names(self) -> list[str]:
        """The curves that are known."""
        return [name for name in (*WIDTHS, "channels") if getattr(self, name) is not None]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self) / self.fps

    def curve(self, name: str) -> np.ndarray:
        """Return a curve.

        Raises:
            UsageError: it is not known.
        """
        if name not in self.names:
            raise UsageError(f"the curve {name} is not known; there are {', '.join(self.names)}")
        values: np.ndarray = getattr(self, name)
        return values

    def channel(self, name: str) -> np.ndarray:
        """Return the ``(T,)`` weights of a named shape.

        Raises:
            UsageError: there is no shape of that name.
        """
        if name not in self.channel_names:
            raise UsageError(f"no channel {name!r}; the curves have {', '.join(self.channel_names) or 'none'}")
        return self.curve("channels")[:, self.channel_names.index(name)]

    def slice(self, start: int, stop: int | None = None) -> Curves:
        """Return frames ``start`` to ``stop`` (exclusive)."""
        return self._map(lambda values: values[start:stop])

    def resampled(self, fps: float) -> Curves:
        """Return the curves at another frame rate: linear between frames, rotations along the shortest path."""
        if not (np.isfinite(fps) and fps > 0):
            raise UsageError(f"fps must be above 0, got {fps}")
        if fps == self.fps or len(self) == 0:
            return replace(self, fps=float(fps))
        place = np.clip(np.arange(max(1, round(self.duration * fps))) * self.fps / fps, 0, len(self) - 1)
        head = None if self.head is None else slerp(self.head, place)
        return replace(self._map(lambda values: lerp(values, place)), fps=float(fps), head=head)

    def share_of_opening(self) -> Curves:
        """Return lengths as shares of the 95th percentile of this clip's gap.

        For faces whose lengths differ (another head, unknown scale): amplitude is then no longer compared.

        Raises:
            UsageError: the gap is not known.
            InputError: the mouth never opens.
        """
        scale = float(np.percentile(self.curve("gap"), 95))
        if scale <= 0:
            raise InputError("the mouth never opens, so its opening is no scale for the lip gap")
        scaled = {name: getattr(self, name) / scale for name in ("gap", "width", "brow") if name in self.names}
        return replace(self, unit="share", **scaled)

    def _map(self, function: Any) -> Curves:
        return replace(self, **{name: function(getattr(self, name)) for name in self.names})


def standardised(curve: np.ndarray) -> np.ndarray:
    """Return a curve with mean 0 and spread 1 (all zeros where it does not move)."""
    curve = np.asarray(curve, np.float64)
    spread = curve.std()
    return (curve - curve.mean()) / spread if spread > 1e-12 else np.zeros_like(curve)


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Convolve a curve ``(T,)`` with a Gaussian that is cut at four sigmas (in frames); beyond its ends it is mirrored."""
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return values
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    padded = np.pad(values, radius, mode="symmetric")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
