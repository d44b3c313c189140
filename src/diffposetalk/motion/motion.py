"""Motion: a face that moves over time, and its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.limits import max_bytes
from diffposetalk.files.npz import read_npz, write_npz
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.curves import lerp
from diffposetalk.geometry.rotations import slerp

MOTION_FORMAT = 1
"""Format version of motion files. Newer versions are refused."""
_POSE_WIDTHS = {"head_pose": 3, "jaw_pose": 3, "eye_pose": 6}
"""Rotation -> number of columns."""


@dataclass(frozen=True)
class Motion:
    """The motion of a face, unnormalised, with channel names and units."""

    expression: np.ndarray
    """``(T, E)`` float32 expression weights, one column per name."""
    expression_names: tuple[str, ...]
    """Names of the columns (ARKit names for the free head, ``exp_00``... for FLAME)."""
    head_pose: np.ndarray
    """``(T, 3)`` float32 axis-angle, radians, relative to rest; right-handed, Y up, face toward +Z."""
    fps: float
    """Frames per second."""
    head: str = "anny"
    """Name of the head whose expression basis the columns use."""
    jaw_pose: np.ndarray | None = None
    """``(T, 3)`` float32 axis-angle, radians, if the head has a jaw joint."""
    eye_pose: np.ndarray | None = None
    """``(T, 6)`` float32 axis-angle of left and right eye, radians, if the head has eye joints."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", finite_float32(self.expression, "expression"))
        object.__setattr__(self, "expression_names", tuple(self.expression_names))
        n_frames = len(self.expression) if self.expression.ndim else 0
        if self.expression.shape != (n_frames, len(self.expression_names)):
            raise InputError(f"expression is {self.expression.shape} but there are {len(self.expression_names)} names")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"a motion needs fps above 0, got {self.fps}")
        for name, width in _POSE_WIDTHS.items():
            value = getattr(self, name)
            if value is None:
                continue
            value = finite_float32(value, name)
            if value.shape != (n_frames, width):
                raise InputError(f"{name} must be ({n_frames}, {width}), got {value.shape}")
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.expression)

    def __repr__(self) -> str:
        return (
            f"Motion({len(self)} frames, {self.duration:.2f} s at {self.fps:g} fps, head {self.head!r}, "
            f"{len(self.expression_names)} channels{', jaw' if self.jaw_pose is not None else ''}"
            f"{', eyes' if self.eye_pose is not None else ''})"
        )

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self) / self.fps

    def channel(self, name: str) -> np.ndarray:
        """Return the ``(T,)`` curve of the expression channel ``name``."""
        if name not in self.expression_names:
            raise UsageError(f"no expression channel {name!r}; the motion has {', '.join(self.expression_names)}")
        return self.expression[:, self.expression_names.index(name)]

    def slice(self, start: int, stop: int | None = None) -> Motion:
        """Return frames ``start`` to ``stop`` (exclusive) as a motion of their own."""
        return self._map(lambda value: value[start:stop])

    def resampled(self, fps: float) -> Motion:
        """Return the motion at another frame rate; rotations are interpolated spherically."""
        if not (np.isfinite(fps) and fps > 0):
            raise UsageError(f"fps must be above 0, got {fps}")
        if fps == self.fps or len(self) == 0:
            return replace(self, fps=float(fps))
        n_frames = max(1, round(self.duration * fps))
        if 8 * n_frames * (self.expression.shape[1] + 12) > max_bytes():
            raise InputError(f"{self.duration:g} s of motion at {fps:g} fps are {n_frames} frames, too many for memory")
        return self.at(np.clip(np.arange(n_frames) * self.fps / fps, 0, len(self) - 1), fps)

    def at(self, position: np.ndarray, fps: float) -> Motion:
        """Return the motion at fractional frame numbers ``(m,)`` between 0 and the last frame, as frames of rate ``fps``."""

        def poses(value: np.ndarray) -> np.ndarray:
            joints = value.reshape(len(value), -1, 3)
            turned = [slerp(joints[:, j], position) for j in range(joints.shape[1])]
            return np.stack(turned, 1).reshape(len(position), -1)

        rotations: dict[str, Any] = {name: poses(getattr(self, name)) for name in self._poses()}
        return replace(self, expression=lerp(self.expression, position), fps=float(fps), **rotations)

    def scaled(self, expression_scale: float = 1.0, head_scale: float = 1.0) -> Motion:
        """Return the motion with its expression and its head rotation scaled; ARKit weights stay in [0, 1]."""
        expression = self.expression * np.float32(expression_scale)
        if expression_scale > 1:
            expression = np.clip(expression, 0, np.maximum(1, self.expression))
        return replace(self, expression=expression, head_pose=self.head_pose * np.float32(head_scale))

    @staticmethod
    def joined(parts: Iterable[Motion]) -> Motion:
        """Join motions of one layout end to end."""
        parts = list(parts)
        if not parts:
            raise UsageError("nothing to join: no motions were given")
        first = parts[0]
        for part in parts[1:]:
            if (part.expression_names, part.fps, part.head) != (first.expression_names, first.fps, first.head):
                raise InputError("motions of different layout, frame rate or head cannot be joined")
        fields = ("expression", *first._poses())
        whole: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in fields}
        return replace(first, **whole)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an npz file, atomically."""
        arrays: dict[str, Any] = {
            "format_version": np.int64(MOTION_FORMAT),
            "fps": np.float64(self.fps),
            "head": np.array(self.head),
            "expression": self.expression,
            "expression_names": np.array(self.expression_names),
        }
        arrays |= {name: getattr(self, name) for name in self._poses()}
        write_npz(path, arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Motion:
        """Read a motion written by `save`.

        Raises:
            InputError: the file is missing, is not a motion file, or is of a newer format.
        """
        arrays = read_npz(path, "motion file")
        missing = {"format_version", "fps", "expression", "expression_names", "head_pose"} - set(arrays)
        if missing:
            raise InputError(f"{path}: not a motion file, it lacks {', '.join(sorted(missing))}")
        with parsing(path, "motion file"):
            version = int(_scalar(arrays, "format_version"))
            if version > MOTION_FORMAT:
                raise InputError(
                    f"{path}: motion format {version} is newer than this program reads ({MOTION_FORMAT}); "
                    "update diffposetalk"
                )
            return Motion(
                expression=arrays["expression"],
                expression_names=tuple(str(name) for name in arrays["expression_names"]),
                fps=float(_scalar(arrays, "fps")),
                head=str(_scalar(arrays, "head")) if "head" in arrays else "anny",
                **{name: arrays[name] for name in _POSE_WIDTHS if name in arrays},
            )

    def _poses(self) -> list[str]:
        return [name for name in _POSE_WIDTHS if getattr(self, name) is not None]

    def _map(self, function: Any) -> Motion:
        return replace(
            self,
            expression=function(self.expression),
            **{name: function(getattr(self, name)) for name in self._poses()},
        )


def _scalar(arrays: Mapping[str, np.ndarray], name: str) -> Any:
    """Return the value of an array of size 1."""
    if arrays[name].size != 1:
        raise InputError(f"{name} must be one value, not an array of shape {arrays[name].shape}")
    return arrays[name].item()


def finite_float32(value: Any, name: str) -> np.ndarray:
    """Convert to a float32 array.

    Raises:
        InputError: the values are not real numbers, or not finite in float32.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold real numbers, not {array.dtype}")
    with np.errstate(over="ignore"):  # values too large for float32 become infinite and are refused
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds numbers that are not finite")
    return array
