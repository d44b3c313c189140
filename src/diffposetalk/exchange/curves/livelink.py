"""Live Link Face CSV, which Unreal's importer and Blender add-ons read.

The 63 columns are written in the app's own order (right before left for jaw and mouth), because some readers use positions;
we read by name. Angles were measured on two takes, with the same result for both eyes: radians, yaw > 0 looks toward the
subject's right, pitch > 0 down, and the order is yaw, pitch, roll of our `angles` with opposite signs of yaw and roll. These
takes have no head angles. The head is assumed to have the same convention; `head_unit` selects another unit.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.exchange.angles import euler_of, gaze_of, rotation_of
from diffposetalk.exchange.frames import filled
from diffposetalk.exchange.names import all_channels, arkit_columns, arkit_weights, pascal
from diffposetalk.exchange.tables import Table
from diffposetalk.exchange.timecodes import timing_of
from diffposetalk.geometry.curves import lerp
from diffposetalk.geometry.rotations import slerp
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene

ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
"""Names of the nine columns after the 52 channels."""
SIGNS = np.array([-1.0, 1.0, -1.0])
"""Signs of the file's yaw, pitch, roll relative to ours."""
UNITS = {"rad": 1.0, "deg": 180 / np.pi, "norm180": 1 / np.pi}
"""Factors from radians to the units of head angles."""


def _file_order() -> tuple[str, ...]:
    names = list(CHANNELS)
    for left, right in (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")):
        i, j = names.index(left), names.index(right)
        names[i], names[j] = right, left
    return tuple(names)


ORDER = _file_order()
"""The 52 channels in the order of the file."""
HEADER = ("Timecode", "BlendShapeCount", *map(pascal, ORDER), *ANGLES)
"""Names of all columns."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the motion; the timecode starts at 0 and counts 60ths of a second at any frame rate."""
    head = _file_angles(euler_of(motion.head_pose)) * UNITS[scene.options.head_unit]
    gaze = gaze_of(motion)
    values = np.concatenate([arkit_weights(motion, ORDER), head, _file_angles(gaze[:, 0]), _file_angles(gaze[:, 1])], 1)
    values += 0.0  # no -0
    row = "%s,61," + ",".join(["%.10f"] * values.shape[1])
    lines = [row % (timecode(i, motion.fps), *frame) for i, frame in enumerate(values.tolist())]
    path.write_bytes(("\n".join([",".join(HEADER), *lines]) + "\n").encode())


def timecode(frame: int, fps: float) -> str:
    """Return `HH:MM:SS:FF.fff` of a frame, where FF counts 60ths of a second."""
    seconds, rest = divmod(round(frame * 60_000 / fps), 60_000)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest / 1000:06.3f}"


def read(path: Path) -> Motion:
    """Read a take; frames in which the app lost the face (count 0, or missing) are interpolated.

    Raises:
        InputError: the file has another format, or is damaged.
    """
    return parse(Table.read(path))


def parse(table: Table, fps: float | None = None, prefer: float | None = None) -> Motion:
    """Return the motion of a table with the column `Timecode`.

    Args:
        table: the file.
        fps: its frame rate; overrides the time codes.
        prefer: frame rate to choose if the time codes allow several.
    """
    path = table.path
    table = table.without(table.holds_zero("BlendShapeCount"))
    columns = arkit_columns(table.names, path)
    names = [table.names[i] for i in columns.values()]
    angles = {name: table.names[column] for name in ANGLES if (column := table.column(name)) is not None}
    values = table.numbers([*names, *angles.values()])
    try:
        codes = table.codes()
    except InputError:
        if fps is None:
            raise
        fps, index = fps, np.arange(len(table))
    else:
        fps, index = timing_of(codes, path, table.wrong_code, fps, prefer)
    if not len(index):
        raise InputError(f"{path}: has no frames")
    position = filled(index)
    weights = all_channels(lerp(values, position), {channel: i for i, channel in enumerate(columns)})

    def rotations(part: str) -> np.ndarray | None:
        angle_names = [f"{part}{angle}" for angle in ("Yaw", "Pitch", "Roll")]
        if not set(angle_names) <= set(angles):
            return None
        file_angles = values[:, [len(names) + list(angles).index(name) for name in angle_names]]
        if part == "Head":
            file_angles = _in_radians(file_angles, path)
        if not file_angles.any():
            return np.zeros((len(position), 3), np.float32)
        return slerp(rotation_of((file_angles * SIGNS)[:, [1, 0, 2]]), position)

    head, left, right = (rotations(part) for part in ("Head", "LeftEye", "RightEye"))
    return Motion(
        weights,
        CHANNELS,
        np.zeros((len(weights), 3), np.float32) if head is None else head,
        fps,
        eye_pose=None if left is None or right is None else np.concatenate([left, right], 1),
    )


def _file_angles(angles: np.ndarray) -> np.ndarray:
    """Turn our pitch, yaw, roll into the file's yaw, pitch, roll."""
    return angles[:, [1, 0, 2]] * SIGNS


def _in_radians(angles: np.ndarray, path: Path) -> np.ndarray:
    """Return the head's angles in radians; angles above half a turn are taken for degrees."""
    if np.abs(angles).max(initial=0) <= np.pi:
        return angles
    warnings.warn(
        f"{path}: head angles above half a turn in radians were read as degrees", DiffPoseTalkWarning, stacklevel=2
    )
    return np.deg2rad(angles)
