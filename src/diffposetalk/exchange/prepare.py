"""Preparing a motion for a format: channels of another head, smoothing, gain, offset, frame rate, clamping."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.errors import DiffPoseTalkWarning, InputError, UsageError
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange.formats import Format
    from diffposetalk.exchange.options import ExportOptions, Scene
    from diffposetalk.retarget.solve import Residual

REGIONS: dict[str, tuple[str, ...]] = {
    "expression": ("",),
    "brows": ("brow",),
    "eyelids": ("eyeBlink", "eyeSquint", "eyeWide"),
    "gaze": ("eyeLook",),
    "cheeks": ("cheek",),
    "nose": ("nose",),
    "jaw": ("jaw",),
    "mouth": ("mouth",),
    "tongue": ("tongue",),
    "head": (),
}
"""Regions that options can name, as beginnings of channel names; `jaw`, `gaze` and `head` are also rotations."""

_POSES = {"head": "head_pose", "jaw": "jaw_pose", "gaze": "eye_pose"}
"""Rotations that belong to regions."""

_TURNS = {"head_pitch_deg": 0, "head_yaw_deg": 1, "head_roll_deg": 2}
"""Offsets of the head: which of pitch, yaw and roll they change."""


LOST_TURN_DEG = 1.0
"""Rotation of the head, in degrees, that a format may leave out without a warning."""


class Prepared:
    """A motion in the variants that formats need; each variant is made once."""

    def __init__(self, motion: Motion, scene: Scene) -> None:
        """Store the motion; variants are made on demand.

        Raises:
            InputError: it has no frames.
        """
        if len(motion) == 0:
            raise InputError("the motion has no frames, so there is nothing to write")
        self.motion, self.scene = motion, scene
        self._adjusted: dict[tuple[bool, float | None], Motion] = {}
        self._arkit: Motion | None = None
        self.residual = scene.residual

    def motion_for(self, file_format: Format) -> tuple[Motion, Residual | None]:
        """Return the motion for a format, and the error of the conversion if it was converted to ARKit channels."""
        is_converted = file_format.arkit and not speaks_arkit(self.motion)
        fps = file_format.fps or self.scene.options.fps
        if (is_converted, fps) not in self._adjusted:
            motion = self._as_arkit() if is_converted else self.motion
            self._adjusted[is_converted, fps] = adjusted(motion, replace(self.scene.options, fps=fps))
        return self._adjusted[is_converted, fps], self.residual if is_converted else self.scene.residual

    def _as_arkit(self) -> Motion:
        if self._arkit is None:
            from diffposetalk.retarget.solve import to_arkit

            head = self.scene.head_of(self.motion)
            self._arkit, self.residual = to_arkit(self.motion, head, identity=self.scene.identity)
        return self._arkit


def speaks_arkit(motion: Motion) -> bool:
    """Whether every expression channel is an ARKit channel."""
    return set(motion.expression_names) <= set(INDEX)


def adjusted(motion: Motion, options: ExportOptions) -> Motion:
    """Smooth, scale, shift, resample and clamp a motion, in this order.

    Raises:
        UsageError: an option names neither a region nor a channel of this motion.
    """
    for region, seconds in options.smoothing_s.items():
        sigma = seconds * motion.fps
        motion = _applied(motion, region, partial(_blurred, sigma=sigma), partial(_blurred_turns, sigma=sigma))
    for region, gain in options.gain.items():
        scale = partial(np.multiply, np.float32(gain))
        motion = _applied(motion, region, scale, scale)
    for region, offset in options.offset.items():
        motion = _shifted(motion, region, offset)
    if options.fps is not None:
        motion = motion.resampled(options.fps)
    return _clamped(motion) if options.clamp and speaks_arkit(motion) else motion


def warn_of_lost_turns(motion: Motion, file_format: Format, path: Path) -> None:
    """Warn once if the head turns by more than `LOST_TURN_DEG` about an angle that the format does not hold.

    Formats for the mouth alone cause no warning.
    """
    from diffposetalk.exchange.angles import euler_of
    from diffposetalk.exchange.formats import HEAD_ANGLES

    lost = [angle for angle in HEAD_ANGLES if angle not in file_format.head_rotation]
    if not lost or file_format.mouth_only:
        return
    angles = np.rad2deg(np.abs(euler_of(motion.head_pose)).max(0))
    largest = max(lost, key=lambda angle: angles[HEAD_ANGLES.index(angle)])
    degrees = angles[HEAD_ANGLES.index(largest)]
    if degrees > LOST_TURN_DEG:
        what = "the rotation of the head" if len(lost) == len(HEAD_ANGLES) else f"{' and '.join(lost)} of the head"
        warnings.warn(
            f"{path}: {file_format.name} files have no place for {what}, which was left out "
            f"({largest} up to {degrees:.0f} degrees)",
            DiffPoseTalkWarning,
            stacklevel=3,
        )


def _columns(motion: Motion, region: str) -> list[int]:
    beginnings = REGIONS.get(region, (region,))
    return [i for i, name in enumerate(motion.expression_names) if name.startswith(beginnings)]


def _applied(
    motion: Motion,
    region: str,
    change: Callable[[np.ndarray], np.ndarray],
    turn: Callable[[np.ndarray], np.ndarray],
) -> Motion:
    """Change a region: its expression channels by `change`, its rotation by `turn`."""
    columns = _columns(motion, region) if region else []
    pose = _POSES.get(region)
    value = getattr(motion, pose) if pose else None
    if not columns and value is None:
        raise _unknown(motion, region)
    changed: dict[str, Any] = {}
    if columns:
        expression = motion.expression.copy()
        expression[:, columns] = change(expression[:, columns])
        changed["expression"] = expression
    if pose and value is not None:
        changed[pose] = turn(value)
    return replace(motion, **changed)


def _shifted(motion: Motion, region: str, offset: float) -> Motion:
    if region in _TURNS:
        from diffposetalk.exchange.angles import euler_of, rotation_of

        angles = euler_of(motion.head_pose)
        angles[:, _TURNS[region]] += np.deg2rad(offset)
        return replace(motion, head_pose=rotation_of(angles))
    columns = _columns(motion, region)
    if not columns:
        if region == "head":
            raise UsageError(f"an offset of the head is given by axis: {', '.join(_TURNS)}")
        raise _unknown(motion, region)
    expression = motion.expression.copy()
    expression[:, columns] += np.float32(offset)
    return replace(motion, expression=expression)


def _unknown(motion: Motion, region: str) -> UsageError:
    if region in REGIONS:
        return UsageError(f"the motion of the head {motion.head} has no channels of the region {region!r}")
    return UsageError(
        f"no region or channel {region!r}; choose from {', '.join(REGIONS)}, or give the beginning of a channel name"
    )


def _clamped(motion: Motion) -> Motion:
    low, high = motion.expression.min(0), motion.expression.max(0)
    beyond = np.flatnonzero((low < -1e-6) | (high > 1 + 1e-6))
    if not len(beyond):
        return (
            motion if low.min() >= 0 and high.max() <= 1 else replace(motion, expression=motion.expression.clip(0, 1))
        )
    worst = max(beyond, key=lambda i: max(-low[i], high[i] - 1))
    value = low[worst] if -low[worst] > high[worst] - 1 else high[worst]
    warnings.warn(
        f"{len(beyond)} channel(s) were clamped to [0, 1], the farthest {motion.expression_names[worst]} at {value:.3g}; "
        "--no-clamp keeps them",
        DiffPoseTalkWarning,
        stacklevel=2,
    )
    return replace(motion, expression=motion.expression.clip(0, 1))


def _kernel(sigma: float) -> np.ndarray:
    reach = max(1, int(np.ceil(4 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    return weights / weights.sum()


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """Average ``(T, n)`` with a Gaussian of `sigma` frames; beyond the ends the first and last frame repeat."""
    kernel = _kernel(sigma)
    reach = len(kernel) // 2
    padded = np.pad(values.astype(np.float64), ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], 1).astype(np.float32)


def _blurred_turns(rotation_vectors: np.ndarray, sigma: float) -> np.ndarray:
    """Average rotations ``(T, 3 n)`` with a Gaussian of `sigma` frames: the rotation nearest to the mean matrix."""
    from diffposetalk.geometry.rotations import matrices_of, nearest_rotation, vectors_of

    joints = rotation_vectors.reshape(len(rotation_vectors), -1, 3)
    mean = _blurred(matrices_of(joints).reshape(len(joints), -1), sigma).reshape(*joints.shape[:2], 3, 3)
    return vectors_of(nearest_rotation(mean)).reshape(rotation_vectors.shape)
