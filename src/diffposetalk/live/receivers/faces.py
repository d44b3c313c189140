"""One moment of a face, in the units that protocols start from; and the moments between frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.exchange.angles import gaze_of
from diffposetalk.exchange.names import arkit_weights
from diffposetalk.exchange.scenes.vrm import MOUTHS
from diffposetalk.exchange.visemes.oculus import solved
from diffposetalk.geometry.rotations import matrices_of, pitch_yaw_roll, quaternions_of
from diffposetalk.motion import Motion

KEPT_S = 60.0
"""Seconds of frames that a track keeps."""
REST_S = 0.3
"""Seconds in which the mouth closes if no frames come any more."""


@dataclass(frozen=True)
class Face:
    """A face at one moment. Left and right are the subject's own."""

    time_s: float
    """Time on the clock of the sound, seconds."""
    weights: np.ndarray
    """``(52,)`` float32 in [0, 1], in the order of `arkit.CHANNELS`."""
    head: np.ndarray
    """``(3,)`` float32 axis-angle, radians; right-handed, Y up, face toward +Z."""
    mouths: np.ndarray
    """``(5,)`` the mouth presets of VRM, in the order of `exchange.scenes.vrm.MOUTHS`."""
    gaze: np.ndarray
    """``(2, 3)`` pitch, yaw, roll of the left and the right eye relative to the head, radians (see `exchange.angles`)."""

    @cached_property
    def angles(self) -> np.ndarray:
        """``(3,)`` pitch, yaw, roll of the head, radians, as in `exchange.angles`."""
        return np.asarray(pitch_yaw_roll(matrices_of(self.head[None]))[0])

    @cached_property
    def named(self) -> Mapping[str, float]:
        """Weights by name."""
        return dict(zip(CHANNELS, self.weights.tolist()))

    def weight(self, name: str) -> float:
        """Return the weight of a channel."""
        return float(self.weights[INDEX[name]])

    def head_quaternion(self, share: float = 1.0) -> np.ndarray:
        """Return ``(4,)`` x, y, z, w of a share of the head's rotation."""
        return np.asarray(quaternions_of(share * self.head[None])[0])


_PARTS = {"weights": (len(CHANNELS),), "mouths": (len(MOUTHS),), "head": (3,), "gaze": (2, 3)}
"""Shapes of the parts of a face, in the order of the columns of a track."""
_WIDTH = sum(int(np.prod(shape)) for shape in _PARTS.values())
_CLOSING = np.array([
    *(name.startswith(("jaw", "mouth", "tongue")) for name in CHANNELS), *[True] * len(MOUTHS), *[False] * 9
])  # fmt: skip
"""Columns that go to 0 if no frames come any more."""


def face_of(time_s: float, values: np.ndarray) -> Face:
    """Return the face of one row ``(n,)`` of a track."""
    parts, start = {}, 0
    for name, shape in _PARTS.items():
        size = int(np.prod(shape))
        parts[name] = values[start : start + size].reshape(shape)
        start += size
    return Face(time_s, **parts)


class FaceTrack:
    """Frames as they come, and faces at any time between them. Memory is constant."""

    def __init__(self) -> None:
        self._frames = (
            np.zeros(0),
            np.zeros((0, _WIDTH), np.float32),
        )  # replaced as a whole, so that threads may read it

    def __len__(self) -> int:
        return len(self._frames[0])

    @property
    def end_s(self) -> float:
        """Time of the last frame; minus infinity while there is none."""
        times, _ = self._frames
        return float(times[-1]) if len(times) else -np.inf

    def add(self, times: np.ndarray, motion: Motion) -> None:
        """Add frames. Frames that were there from the first of these times on are replaced.

        Args:
            times: ``(T,)`` seconds, rising.
            motion: the frames.
        """
        parts = (arkit_weights(motion), solved(motion, MOUTHS), motion.head_pose, gaze_of(motion).reshape(-1, 6))
        rows = np.concatenate(parts, 1).astype(np.float32)
        old_times, old_rows = self._frames
        old = slice(*np.searchsorted(old_times, [times[0] - KEPT_S, times[0]]))
        self._frames = np.concatenate([old_times[old], times]), np.concatenate([old_rows[old], rows])

    def at(self, time_s: float) -> Face:
        """Return the face at a time.

        Frames are interpolated linearly; rotations are small, so this holds for their axis-angle too. Before the first frame
        the face rests. After the last one head and eyes stay, and the mouth closes within `REST_S`.
        """
        times, rows = self._frames
        after = int(np.searchsorted(times, time_s, side="right"))
        if after == 0:
            return face_of(time_s, np.zeros(_WIDTH, np.float32))
        if after == len(times):
            left = np.float32(np.clip(1 - (time_s - times[-1]) / REST_S, 0, 1))
            return face_of(time_s, rows[-1] * np.where(_CLOSING, left, np.float32(1)))
        share = np.float32((time_s - times[after - 1]) / (times[after] - times[after - 1]))
        return face_of(time_s, (1 - share) * rows[after - 1] + share * rows[after])
