"""MotionSpace: the layout of the motion vector that the networks use, defined only here.

One frame of motion is a vector of D numbers. Its columns, in order:

| model | D | columns |
|---|---|---|
| bundled (ARKit, 25 frames a second) | 55 | the 52 weights of `diffposetalk.arkit.CHANNELS`, ``head_x, head_y, head_z`` |
| the paper's (FLAME, 25 frames a second) | 54 | ``exp_00`` ... ``exp_49``, ``head_x, head_y, head_z``, ``jaw_x`` |

A model without head pose has no ``head_`` columns. The order is that of `MotionSpace.channels`, which each model file
stores; code finds columns by `MotionSpace.parts`, never by number.

Units before normalisation: an ARKit weight is 0 at rest and 1 at the full shape; a FLAME weight is a coefficient of
FLAME's basis. ``head_`` and ``jaw_`` are the components of an axis-angle vector in radians, relative to rest.

Axes: right-handed, x to the subject's left, y up, z out of the face. So ``head_x`` above 0 nods down, ``head_y`` above 0
turns to the subject's left, ``head_z`` above 0 tilts toward the subject's right shoulder, and ``jaw_x`` above 0 opens the
mouth. Jaw y and z are not in the vector: `MotionSpace.decode` sets them to 0.

Normalisation, for each column: ``vector = (value - mean) / std``. Mean and standard deviation are those of the training
data (the deviation at least 0.01); the model file stores both.
`MotionSpace.encode` resamples a `Motion` to the frame rate of the space and
normalises it. `MotionSpace.decode` is the inverse; it also clips ARKit weights to [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import InputError, ModelError
from diffposetalk.motion.motion import Motion, finite_float32

if TYPE_CHECKING:
    from torch import Tensor

_POSE_CHANNELS = ("head_x", "head_y", "head_z", "jaw_x", "jaw_y", "jaw_z")
"""Channels of rotations, in the order of axis-angle x, y, z."""


def flame_channels(n_expression: int = 50, head_pose: bool = True) -> tuple[str, ...]:
    """Return the channels of the paper's motion vector, in the order of the released code: expression, head, jaw x."""
    expression = tuple(f"exp_{index:02d}" for index in range(n_expression))
    return (*expression, *(_POSE_CHANNELS[:3] if head_pose else ()), "jaw_x")


@dataclass(frozen=True)
class MotionSpace:
    """The normalised motion vector of a network: head, channels in order, mean and standard deviation.

    The module's docstring gives the order, units, axes and normalisation.
    """

    head: str
    """Name of the head whose expression basis the columns use."""
    fps: float
    """Frames per second."""
    channels: tuple[str, ...]
    """Names of the D columns, in order: expression, then ``head_x, head_y, head_z`` and ``jaw_x``, each if the model has
    it. The columns of a part are adjacent."""
    mean: np.ndarray
    """``(D,)`` float32 mean of each column, in the column's unit."""
    std: np.ndarray
    """``(D,)`` float32 standard deviation of each column, in the column's unit; all above 0."""
    jaw_rest: tuple[float, float] = (0.0, 0.0)
    """Mean of the jaw's y and z in the training data, radians. Only the reproduction of the authors' demo uses it."""

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

    def __repr__(self) -> str:
        parts = ", ".join(f"{where.stop - where.start} {name}" for name, where in self.parts.items())
        return f"MotionSpace(head {self.head!r}, {self.fps:g} fps, {self.dim} channels: {parts})"

    @property
    def dim(self) -> int:
        """Width ``D`` of the vector."""
        return len(self.channels)

    @property
    def parts(self) -> dict[str, slice]:
        """Columns of each part: ``expression``, ``jaw_pose`` (x only), ``head_pose``. Absent parts are left out."""
        parts: dict[str, slice] = {}
        for index, name in enumerate(self.channels):
            part = f"{name[:-2]}_pose" if name in _POSE_CHANNELS else "expression"
            start = parts[part].start if part in parts else index
            parts[part] = slice(start, index + 1)
        return parts

    @property
    def expression_names(self) -> tuple[str, ...]:
        """Names of the expression channels."""
        return self.channels[self.parts["expression"]]

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """Split ``(..., D)`` into its parts by name (views, still normalised)."""
        return {name: vector[..., where] for name, where in self.parts.items()}

    @staticmethod
    def stack(motion: Motion, channels: Sequence[str]) -> np.ndarray:
        """Stack the named channels of a motion as columns, unnormalised: ``(T, D)`` float32."""
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
        """Measure mean and standard deviation over motions; the smallest standard deviation is ``floor``."""
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
                "convert the motion with `diffposetalk retarget`"
            )
        if motion.fps != self.fps:
            motion = motion.resampled(self.fps)
        return (self.stack(motion, self.channels) - self.mean) / self.std

    def decode(self, vector: np.ndarray) -> Motion:
        """Return the motion of normalised ``(T, D)`` vectors; ARKit weights are clipped to [0, 1]."""
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
        """Return the values for the header of a checkpoint."""
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
        except (TypeError, ValueError, InputError) as error:
            raise ModelError(f"motion space: a field is damaged ({error})") from None
