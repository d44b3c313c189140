"""Motion, MotionSpace and IdentitySpace: the only owner of the motion vector's layout, and how motion is kept in files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.files.npz import read_npz, write_npz

if TYPE_CHECKING:
    from torch import Tensor

MOTION_FORMAT = 1
"""Version written into motion files; a reader refuses versions above its own."""
_POSE_WIDTHS = {"head_pose": 3, "jaw_pose": 3, "eye_pose": 6}
_POSE_CHANNELS = ("head_x", "head_y", "head_z", "jaw_x", "jaw_y", "jaw_z")


def flame_channels(n_expression: int = 50, head_pose: bool = True) -> tuple[str, ...]:
    """Return the channels of the paper's motion vector, in the released order: expression, head rotation, jaw x."""
    expression = tuple(f"exp_{index:02d}" for index in range(n_expression))
    return (*expression, *(_POSE_CHANNELS[:3] if head_pose else ()), "jaw_x")


@dataclass(frozen=True)
class Motion:
    """A face moving over time, unnormalised and self-describing."""

    expression: np.ndarray
    """``(T, E)`` float32 expression weights, one column per name."""
    expression_names: tuple[str, ...]
    """Names of the columns (ARKit names for the free head, ``exp_00``... for FLAME)."""
    head_pose: np.ndarray
    """``(T, 3)`` float32 axis-angle, radians, relative to rest; right-handed, Y up, face toward +Z."""
    fps: float
    """Frames per second."""
    head: str = "anny"
    """Name of the head whose expression basis the columns speak."""
    jaw_pose: np.ndarray | None = None
    """``(T, 3)`` float32 axis-angle, radians, where the head has a jaw joint."""
    eye_pose: np.ndarray | None = None
    """``(T, 6)`` float32 axis-angle of left and right eye, radians, where the head has eye joints."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", finite_float32(self.expression, "expression"))
        object.__setattr__(self, "expression_names", tuple(self.expression_names))
        n_frames = len(self.expression)
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
        """Return the motion at another frame rate; rotations are interpolated as rotations."""
        if not (np.isfinite(fps) and fps > 0):
            raise UsageError(f"fps must be above 0, got {fps}")
        if fps == self.fps or len(self) == 0:
            return replace(self, fps=float(fps))
        n_frames = max(1, round(self.duration * fps))
        position = np.clip(np.arange(n_frames) * self.fps / fps, 0, len(self) - 1)

        def poses(value: np.ndarray) -> np.ndarray:
            joints = value.reshape(len(value), -1, 3)
            return np.stack([_slerp(joints[:, j], position) for j in range(joints.shape[1])], 1).reshape(n_frames, -1)

        turned: dict[str, Any] = {name: poses(getattr(self, name)) for name in self._poses()}
        return replace(self, expression=_lerp(self.expression, position), fps=float(fps), **turned)

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
        """Write an npz file (beside it first, then renamed, so that a failure leaves nothing half-written)."""
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
            InputError: the file is missing, is no motion, or is of a newer format.
        """
        arrays = read_npz(path, "motion file")
        missing = {"format_version", "fps", "expression", "expression_names", "head_pose"} - set(arrays)
        if missing:
            raise InputError(f"{path}: not a motion file, it lacks {', '.join(sorted(missing))}")
        if int(arrays["format_version"]) > MOTION_FORMAT:
            raise InputError(
                f"{path}: motion format {int(arrays['format_version'])} is newer than this program reads "
                f"({MOTION_FORMAT}); update diffposetalk"
            )
        try:
            return Motion(
                expression=arrays["expression"],
                expression_names=tuple(str(name) for name in arrays["expression_names"]),
                fps=float(arrays["fps"]),
                head=str(arrays.get("head", "anny")),
                **{name: arrays[name] for name in _POSE_WIDTHS if name in arrays},
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def _poses(self) -> list[str]:
        return [name for name in _POSE_WIDTHS if getattr(self, name) is not None]

    def _map(self, function: Any) -> Motion:
        return replace(
            self,
            expression=function(self.expression),
            **{name: function(getattr(self, name)) for name in self._poses()},
        )


@dataclass(frozen=True)
class MotionSpace:
    """The normalised vector a network sees: which channels of which head, in which order, with mean and spread."""

    head: str
    fps: float
    channels: tuple[str, ...]
    """Expression channels, ``jaw_x`` where the head has a jaw, ``head_x, head_y, head_z``; each part in one piece."""
    mean: np.ndarray
    """``(D,)`` float32."""
    std: np.ndarray
    """``(D,)`` float32, all above 0."""
    jaw_rest: tuple[float, float] = (0.0, 0.0)
    """Mean of the jaw's y and z in the data, radians, which the channels leave out; only released behaviour uses it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        for name in ("mean", "std"):
            value = finite_float32(getattr(self, name), name)
            if value.shape != (self.dim,):
                raise ModelError(f"motion space: {name} is {value.shape}, the channels ask for ({self.dim},)")
            object.__setattr__(self, name, value)
        if not (self.std > 0).all():
            raise ModelError("motion space: every standard deviation must be above 0")
        if sum(where.stop - where.start for where in self.parts.values()) != self.dim:
            raise ModelError("motion space: the channels of expression, jaw and head must each lie side by side")

    @property
    def dim(self) -> int:
        """Width ``D`` of the vector."""
        return len(self.channels)

    @property
    def parts(self) -> dict[str, slice]:
        """Where each part lies in the vector: ``expression``, ``jaw_pose`` (x only), ``head_pose``; absent parts left out."""
        found: dict[str, slice] = {}
        for index, name in enumerate(self.channels):
            part = f"{name[:-2]}_pose" if name in _POSE_CHANNELS else "expression"
            start = found[part].start if part in found else index
            found[part] = slice(start, index + 1)
        return found

    @property
    def expression_names(self) -> tuple[str, ...]:
        """Names of the expression channels."""
        return self.channels[self.parts["expression"]]

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """Cut ``(..., D)`` into its parts by name (views, still normalised)."""
        return {name: vector[..., where] for name, where in self.parts.items()}

    @staticmethod
    def stack(motion: Motion, channels: Sequence[str]) -> np.ndarray:
        """Lay the named channels of a motion side by side, unnormalised: ``(T, D)`` float32."""
        columns = []
        for name in channels:
            if name in motion.expression_names:
                columns.append(motion.channel(name))
            elif name.startswith(("head_", "jaw_")) and name[-1] in "xyz":
                pose = motion.head_pose if name.startswith("head_") else motion.jaw_pose
                if pose is None:
                    raise InputError("the motion has no jaw_pose, which this model needs")
                columns.append(pose[:, "xyz".index(name[-1])])
            else:
                raise InputError(f"the motion lacks the channel {name!r} that this model needs")
        return np.stack(columns, axis=1).astype(np.float32)

    @staticmethod
    def fit(motions: Iterable[Motion], channels: Sequence[str], floor: float = 1e-2) -> MotionSpace:
        """Measure mean and spread over motions; a channel that hardly moves gets the spread ``floor``."""
        total, squares, n_frames = np.zeros(len(channels)), np.zeros(len(channels)), 0
        head, fps = "", 0.0
        for motion in motions:
            values = MotionSpace.stack(motion, channels).astype(np.float64)
            total += values.sum(0)
            squares += (values**2).sum(0)
            n_frames += len(values)
            head, fps = motion.head, motion.fps
        if n_frames == 0:
            raise InputError("a motion space needs at least one frame of motion to measure")
        mean = total / n_frames
        std = np.sqrt(np.maximum(squares / n_frames - mean**2, 0))
        return MotionSpace(head, fps, tuple(channels), mean, np.maximum(std, floor))

    def encode(self, motion: Motion) -> np.ndarray:
        """Return the normalised ``(T, D)`` float32 vectors of a motion, resampled to this space's frame rate."""
        if motion.head != self.head:
            raise InputError(
                f"the motion is for the head {motion.head!r}, this model speaks {self.head!r}; "
                "`diffposetalk retarget` takes motion from head to head"
            )
        if motion.fps != self.fps:
            motion = motion.resampled(self.fps)
        return (self.stack(motion, self.channels) - self.mean) / self.std

    def decode(self, vector: np.ndarray) -> Motion:
        """Return the motion of normalised ``(T, D)`` vectors; ARKit weights are brought into [0, 1]."""
        from diffposetalk.arkit import INDEX

        values = np.asarray(vector, np.float32) * self.std + self.mean
        parts = {name: values[:, where] for name, where in self.parts.items()}
        expression = parts["expression"]
        if set(self.expression_names) <= set(INDEX):
            expression = np.clip(expression, 0, 1)
        jaw = parts.get("jaw_pose")
        if jaw is not None:
            jaw = np.pad(jaw, ((0, 0), (0, 3 - jaw.shape[1])))
        return Motion(
            expression=expression,
            expression_names=self.expression_names,
            head_pose=parts.get("head_pose", np.zeros((len(values), 3), np.float32)),
            fps=self.fps,
            head=self.head,
            jaw_pose=jaw,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what a checkpoint's header keeps."""
        return {
            "head": self.head,
            "fps": self.fps,
            "channels": list(self.channels),
            "mean": [float(value) for value in self.mean],
            "std": [float(value) for value in self.std],
            "jaw_rest": list(self.jaw_rest),
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> MotionSpace:
        """Rebuild from `to_dict`.

        Raises:
            ModelError: a field is missing or of the wrong shape.
        """
        try:
            return MotionSpace(
                str(values["head"]),
                float(values["fps"]),
                tuple(values["channels"]),
                np.array(values["mean"], np.float32),
                np.array(values["std"], np.float32),
                tuple(values.get("jaw_rest", (0.0, 0.0))),
            )
        except KeyError as error:
            raise ModelError(f"motion space: the field {error} is missing") from None


@dataclass(frozen=True)
class IdentitySpace:
    """Mean and spread of identity coefficients, with which a network's identity condition is normalised."""

    mean: np.ndarray
    """``(I,)`` float32."""
    std: np.ndarray
    """``(I,)`` float32, all above 0."""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, finite_float32(getattr(self, name), f"identity {name}"))
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ModelError(f"identity space: mean is {self.mean.shape}, std {self.std.shape}; both must be (I,)")
        if not (self.std > 0).all():
            raise ModelError("identity space: every standard deviation must be above 0")

    @property
    def dim(self) -> int:
        """Number ``I`` of coefficients."""
        return len(self.mean)

    def encode(self, identity: np.ndarray | None) -> np.ndarray:
        """Return normalised coefficients ``(I,)``; None is the head model's mean person, all zeros.

        Raises:
            UsageError: another number of coefficients.
        """
        values = np.zeros(self.dim, np.float32) if identity is None else np.asarray(identity, np.float32)
        if values.shape != (self.dim,):
            raise UsageError(f"identity must have {self.dim} numbers for this model, got {values.shape}")
        return (values - self.mean) / self.std

    def to_dict(self) -> dict[str, Any]:
        """Return what a checkpoint's header keeps."""
        return {"mean": [float(value) for value in self.mean], "std": [float(value) for value in self.std]}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> IdentitySpace:
        """Rebuild from `to_dict`.

        Raises:
            ModelError: a field is missing or of the wrong shape.
        """
        try:
            return IdentitySpace(np.array(values["mean"], np.float32), np.array(values["std"], np.float32))
        except KeyError as error:
            raise ModelError(f"identity space: the field {error} is missing") from None


def finite_float32(value: Any, name: str) -> np.ndarray:
    """Return an array as float32; numbers that are not finite raise an `InputError` naming it."""
    array = np.asarray(value, np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds numbers that are not finite")
    return array


def _lerp(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (position - low)[:, None].astype(np.float32)
    return values[low] * (1 - share) + values[high] * share


def _slerp(rotation_vectors: np.ndarray, position: np.ndarray) -> np.ndarray:
    import roma
    import torch

    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(rotation_vectors) - 1)
    share = torch.from_numpy((position - low).astype(np.float32))
    start, end = (roma.rotvec_to_rotmat(torch.from_numpy(rotation_vectors[i])) for i in (low, high))
    step = roma.rotmat_to_rotvec(start.mT @ end)
    return roma.rotmat_to_rotvec(start @ roma.rotvec_to_rotmat(step * share[:, None])).numpy()
