"""CSV of NVIDIA's Audio2Face-3D samples (`animation_frames.csv`): a column `blendShapes.<Name>` for each channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange.frames import filled, frames_of
from diffposetalk.exchange.names import all_channels, arkit_columns, arkit_weights, pascal, warn_of_unknown
from diffposetalk.exchange.tables import Table
from diffposetalk.geometry.curves import lerp
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene

TONGUE = (
    "TongueTipUp", "TongueTipDown", "TongueTipLeft", "TongueTipRight", "TongueRollUp", "TongueRollDown", "TongueRollLeft",
    "TongueRollRight", "TongueUp", "TongueDown", "TongueLeft", "TongueRight", "TongueIn", "TongueStretch", "TongueWide",
    "TongueNarrow",
)  # fmt: skip
"""Further channels of the format; we write 0."""
PREFIX = "blendShapes."
"""Beginning of the channels' column names."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the expression; the format has no head rotation."""
    weights = arkit_weights(motion).astype(np.float64)
    header = ["", "timeCode", *(PREFIX + pascal(name) for name in CHANNELS), *(PREFIX + name for name in TONGUE)]
    row = "%d,%.9g," + ",".join(["%.8g"] * len(CHANNELS)) + ",0.0" * len(TONGUE)
    lines = [row % (i, i / motion.fps, *frame) for i, frame in enumerate(weights.tolist())]
    path.write_bytes(("\n".join([",".join(header), *lines]) + "\n").encode())


def parse(table: Table, fps: float | None = None, prefer: float | None = None) -> Motion:
    """Return the motion of a table with the column `timeCode`, in seconds; the head is at rest.

    Args:
        table: the file.
        fps: its frame rate; overrides its times.
        prefer: not used; seconds determine the rate.
    """
    shapes = [name for name in table.names if name.startswith(PREFIX)]
    columns = arkit_columns(shapes, table.path)
    time = next(name for name in table.names if name.lower() == "timecode")
    values = table.numbers([time, *shapes])
    used = [name for name, curve in zip(shapes, values[:, 1:].T) if curve.any()]
    warn_of_unknown(used, table.path)
    measured, index = frames_of(values[:, 0], table.path)
    weights = all_channels(lerp(values[:, 1:], filled(index)), columns)
    return Motion(weights, CHANNELS, np.zeros((len(weights), 3), np.float32), fps or measured)
