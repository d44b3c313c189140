"""Clip: some seconds of one person, speech and motion that last equally long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech


@dataclass(frozen=True)
class Clip:
    """What a data set holds of one stretch of one person: any head, any expression channels.

    Raises:
        InputError: speech and motion differ in length by more than a frame, or the identity is no row of numbers.
    """

    speech: Speech
    """The voice."""
    motion: Motion
    """Face and head at the same times."""
    identity: np.ndarray
    """``(I,)`` float32 identity coefficients of the head model; ``I`` may be 0 where the person is not known."""
    speaker: str
    """Who speaks."""
    name: str
    """Name within a data set: ``<speaker>/<clip>``."""
    identity_frames: np.ndarray | None = None
    """``(T, I)`` float32 where a data set estimated the identity anew in every frame; `identity` is then its first row."""

    def __post_init__(self) -> None:
        for name in ("identity", "identity_frames"):
            value = getattr(self, name)
            if value is not None:
                value = np.asarray(value, np.float32)
                if not np.isfinite(value).all():
                    raise InputError(f"clip {self.name}: {name} holds numbers that are not finite")
                object.__setattr__(self, name, value)
        if self.identity.ndim != 1:
            raise InputError(f"clip {self.name}: identity must be (I,), got {self.identity.shape}")
        shape = (len(self.motion), len(self.identity))
        if self.identity_frames is not None and self.identity_frames.shape != shape:
            raise InputError(f"clip {self.name}: identity_frames must be {shape}, got {self.identity_frames.shape}")
        if abs(self.speech.duration - self.motion.duration) > 1 / self.motion.fps + 1e-6:
            raise InputError(
                f"clip {self.name}: its speech lasts {self.speech.duration:.3f} s but its motion "
                f"{self.motion.duration:.3f} s; they may differ by one frame at most"
            )

    @property
    def duration(self) -> float:
        """Seconds of motion."""
        return self.motion.duration

    @property
    def identities(self) -> np.ndarray:
        """``(T, I)``: `identity_frames`, or the one identity for every frame."""
        if self.identity_frames is not None:
            return self.identity_frames
        return np.broadcast_to(self.identity, (len(self.motion), len(self.identity)))
