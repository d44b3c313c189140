"""Table of all channels for notebooks and spreadsheets (CSV, Parquet): a row for each frame, a column for each number.

Columns: `frame`, `time` (s), the expression channels by name, `head_x, head_y, head_z`, and, if the motion has them,
`jaw_x` ..., `left_eye_x` ..., `right_eye_x` ... (axis-angle, radians).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.exchange.frames import filled, frames_of
from diffposetalk.exchange.names import all_channels, arkit_columns, channel_of
from diffposetalk.exchange.tables import Table
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.curves import lerp
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene

POSES = {
    "head_pose": tuple(f"head_{axis}" for axis in "xyz"),
    "jaw_pose": tuple(f"jaw_{axis}" for axis in "xyz"),
    "eye_pose": tuple(f"{side}_eye_{axis}" for side in ("left", "right") for axis in "xyz"),
}
"""Columns of each rotation."""


def columns_of(motion: Motion) -> dict[str, np.ndarray]:
    """Return every column by name, each ``(T,)``."""
    frame = np.arange(len(motion))
    columns = {"frame": frame, "time": frame / motion.fps}
    columns |= {name: motion.expression[:, i] for i, name in enumerate(motion.expression_names)}
    for pose, names in POSES.items():
        value = getattr(motion, pose)
        if value is not None:
            columns |= {name: value[:, i] for i, name in enumerate(names)}
    return columns


def write_csv(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the table as text, with all digits of float32."""
    columns = columns_of(motion)
    values = np.stack([np.asarray(column, np.float64) for column in columns.values()], 1)
    row = "%d,%.9f," + ",".join(["%.9g"] * (len(columns) - 2))
    lines = [row % tuple(frame) for frame in values.tolist()]
    path.write_bytes(("\n".join([",".join(columns), *lines]) + "\n").encode())


def write_parquet(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the table as Parquet; its metadata holds `fps`, `head` and, after a conversion, `residual` in mm."""
    import json

    import pyarrow as pa
    from pyarrow import parquet

    about = {"fps": repr(motion.fps), "head": motion.head}
    if scene.residual is not None:
        about["residual"] = json.dumps(scene.residual.to_dict())
    table = pa.table({name: np.ascontiguousarray(column) for name, column in columns_of(motion).items()})
    parquet.write_table(table.replace_schema_metadata({f"diffposetalk.{k}": v for k, v in about.items()}), path)


def parse(table: Table, fps: float | None = None, prefer: float | None = None) -> Motion:
    """Return the motion of a CSV table with the column `time`, in seconds.

    Args:
        table: the file.
        fps: its frame rate; overrides its times.
        prefer: not used; seconds determine the rate.
    """
    names = [name for name in table.names if name not in ("", "frame")]
    values = table.numbers(names)
    columns = {name: values[:, i] for i, name in enumerate(names)}
    time = next(
        names[names.index(table.names[i])] for each in ("time", "timestamp") if (i := table.column(each)) is not None
    )
    columns["time"] = columns.pop(time)
    return _motion(columns, fps, None, table.path)


def read_parquet(path: Path) -> Motion:
    """Read a table.

    Raises:
        InputError: it is not a Parquet file, or holds no motion.
    """
    from pyarrow import parquet

    with parsing(path, "Parquet table of numbers"):
        table = parquet.read_table(path)
        columns = {name: np.asarray(table[name].to_numpy(), np.float64) for name in table.column_names}
        about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        fps, head = about.get("diffposetalk.fps"), about.get("diffposetalk.head")
        return _motion(columns, None if fps is None else float(fps), head, path)


def _motion(columns: dict[str, np.ndarray], fps: float | None, head: str | None, path: Path) -> Motion:
    if "time" not in columns:
        raise InputError(f"{path}: has no column time")
    pose_names = {name for names in POSES.values() for name in names}
    names = [name for name in columns if name not in pose_names and name not in ("frame", "time")]
    names = [name for name in names if channel_of(name) or re.fullmatch(r"exp_\d+", name)]
    if not names:
        raise InputError(
            f"{path}: has no expression channels: neither ARKit's, such as jawOpen, nor exp_00, exp_01, ..."
        )
    measured, index = frames_of(columns["time"], path)
    position = filled(index)

    def stacked(names: tuple[str, ...] | list[str]) -> np.ndarray:
        return lerp(np.stack([columns[name] for name in names], 1), position)

    poses = {pose: stacked(axes) for pose, axes in POSES.items() if set(axes) <= set(columns)}
    poses.setdefault("head_pose", np.zeros((len(position), 3)))
    expression, channels = stacked(names), tuple(names)
    if head is None:
        head = "flame" if all(name.startswith("exp_") for name in names) else "anny"
    if head == "anny" and not are_arkit_channels(channels):
        from diffposetalk.arkit import CHANNELS

        expression, channels = all_channels(expression, arkit_columns(names, path)), CHANNELS
    return Motion(expression, channels, fps=measured if fps is None else fps, head=head, **poses)


def are_arkit_channels(names: tuple[str, ...]) -> bool:
    """Whether these are all ARKit channels in our spelling, in any order."""
    from diffposetalk.arkit import CHANNELS

    return set(names) == set(CHANNELS)
