"""Statistics of a data set's motion channel by channel, for any head: the file ``statistics.json`` beside its shards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.running_statistics import RunningStatistics
from diffposetalk.errors import InputError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.files.json_text import read_json
from diffposetalk.files.parsing import parsing
from diffposetalk.motion import IdentitySpace, Motion, MotionSpace
from diffposetalk.progress import Progress

MEASURES = ("mean", "std", "min", "max")
"""Statistics of a channel."""
LEAST_STD = 1e-2
"""Least standard deviation of a channel, so that one that hardly moves stays near 0 when normalised (see `MotionSpace.fit`)."""
_POSES = {"head_pose": ("head_x", "head_y", "head_z"), "jaw_pose": ("jaw_x", "jaw_y", "jaw_z")}
"""Names of the channels of rotations."""


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean, standard deviation and range of every channel, from which a model's motion space is made."""

    head: str
    """Whose channels they are."""
    fps: float
    """Frames per second of the motion."""
    frames: int
    """Frames measured."""
    split: str
    """Name of the split measured."""
    channels: dict[str, dict[str, float]] = field(repr=False)
    """`MEASURES` by channel: expression weights by their names, ``head_x`` ... ``jaw_z`` in radians."""
    identity: dict[str, list[float]] = field(default_factory=dict, repr=False)
    """`MEASURES` of the identity coefficients, a list each; empty where the data set knows no identities."""

    def motion_space(self) -> MotionSpace:
        """Return the space in which a network sees this motion: expression, head rotation, opening of the jaw if any.

        Jaw rotation y and z are left out, as in the paper's model.
        """
        poses = [name for names in _POSES.values() for name in names]
        names = [name for name in self.channels if name not in poses]
        names += [name for name in (*_POSES["head_pose"], "jaw_x") if name in self.channels]
        mean = np.array([self.channels[name]["mean"] for name in names])
        std = np.array([self.channels[name]["std"] for name in names])
        rest = tuple(self.channels[name]["mean"] if name in self.channels else 0.0 for name in ("jaw_y", "jaw_z"))
        return MotionSpace(self.head, self.fps, tuple(names), mean, np.maximum(std, LEAST_STD), rest)  # type: ignore[arg-type]

    def identity_space(self) -> IdentitySpace | None:
        """Return the space of normalised identity coefficients; None where no identities are known."""
        if not self.identity:
            return None
        return IdentitySpace(np.array(self.identity["mean"]), np.maximum(self.identity["std"], LEAST_STD))

    @staticmethod
    def of(
        clips: Iterable[Clip],
        split: str = "train",
        progress: Progress | None = None,
        where: str = "statistics",
    ) -> ChannelStatistics:
        """Measure clips, one after another.

        Args:
            clips: all of one head, channels and frame rate.
            split: what they are called.
            progress: called with the number of clips done.
            where: named in errors.

        Raises:
            InputError: there are no frames, or clips of different heads, channels or frame rates.
        """
        sums = ChannelSums(where)
        for done, clip in enumerate(clips, 1):
            sums.add(clip)
            if progress:
                progress(done)
        return sums.statistics(split)

    @staticmethod
    def load(path: str | Path) -> ChannelStatistics:
        """Read a file that `save` wrote.

        Raises:
            InputError: it is missing or damaged.
        """
        what = "statistics file"
        with parsing(path, what):
            values = read_json(path, what)
            identity = values.get("identity") or {}
            statistics = ChannelStatistics(
                str(values["head"]),
                float(values["fps"]),
                int(values["frames"]),
                str(values["split"]),
                {name: {key: float(row[key]) for key in MEASURES} for name, row in values["channels"].items()},
                {key: [float(value) for value in identity[key]] for key in MEASURES} if identity else {},
            )
            statistics.motion_space()
            statistics.identity_space()
            return statistics

    def to_dict(self) -> dict[str, Any]:
        """Return what the file holds."""
        return {"head": self.head, "fps": self.fps, "frames": self.frames, "split": self.split} | {
            "channels": self.channels,
            "identity": self.identity,
        }

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        write_atomically(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())


class ChannelSums:
    """What `ChannelStatistics` are made of, clip after clip."""

    def __init__(self, where: str = "statistics") -> None:
        """Begin with nothing; `where` is named in errors."""
        self._where = where
        self._kind: tuple[str, float, tuple[str, ...]] | None = None
        self._motions, self._identities = RunningStatistics(), RunningStatistics()

    def add(self, clip: Clip) -> None:
        """Take a clip into account.

        Raises:
            InputError: its head, frame rate, channels or number of identity coefficients are not those of the clips before.
        """
        names, values = _columns(clip.motion)
        kind = (clip.motion.head, clip.motion.fps, names)
        first = self._kind = self._kind or kind
        differs = [what for what, a, b in zip(("head", "frame rate", "channels"), kind, first) if a != b]
        if self._identities.n_rows and len(self._identities.low) != len(clip.identity):
            differs.append("identity")
        if differs:
            raise InputError(f"{self._where}: {clip.name} differs from the clips before in its {differs[0]}")
        self._motions.add(values)
        self._identities.add(clip.identities)

    def statistics(self, split: str = "train") -> ChannelStatistics:
        """Return the statistics.

        Raises:
            InputError: there was not one frame.
        """
        if self._kind is None or self._motions.n_rows == 0:
            raise InputError(f"{self._where}: no frames to measure")
        columns, identity = _measured(self._motions), _measured(self._identities)
        head, fps, names = self._kind
        channels = {name: {what: columns[what][k] for what in MEASURES} for k, name in enumerate(names)}
        return ChannelStatistics(head, fps, self._motions.n_rows, split, channels, identity if identity["mean"] else {})


def _columns(motion: Motion) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and values ``(T, D)`` of a motion's channels."""
    poses = {name: getattr(motion, name) for name in _POSES if getattr(motion, name) is not None}
    names = (*motion.expression_names, *(axis for name in poses for axis in _POSES[name]))
    return names, np.concatenate([motion.expression, *poses.values()], axis=1)


def _measured(moments: RunningStatistics) -> dict[str, list[float]]:
    values = (moments.mean, moments.std, moments.low, moments.high)
    return {what: [float(f"{value:.7g}") for value in each] for what, each in zip(MEASURES, values)}
