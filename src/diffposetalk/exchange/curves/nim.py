"""The CSV that NVIDIA's Audio2Face-3D samples write (`animation_frames.csv`): a `blendShapes.<Name>` column for each channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.exchange.columns import Rows, filled, frames_of, lerped
from diffposetalk.exchange.names import all_channels, arkit_columns, arkit_weights, pascal, say_unknown
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange import Scene

TONGUE = (
    "TongueTipUp", "TongueTipDown", "TongueTipLeft", "TongueTipRight", "TongueRollUp", "TongueRollDown", "TongueRollLeft",
    "TongueRollRight", "TongueUp", "TongueDown", "TongueLeft", "TongueRight", "TongueIn", "TongueStretch", "TongueWide",
    "TongueNarrow",
)  # fmt: skip
"""Channels of the format beyond ARKit's; ours are 0."""
PREFIX = "blendShapes."


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the expression; the format has no head."""
    weights = arkit_weights(motion).astype(np.float64)
    header = ["", "timeCode", *(PREFIX + pascal(name) for name in CHANNELS), *(PREFIX + name for name in TONGUE)]
    row = "%d,%.9g," + ",".join(["%.8g"] * len(CHANNELS)) + ",0.0" * len(TONGUE)
    lines = [row % (i, i / motion.fps, *frame) for i, frame in enumerate(weights.tolist())]
    path.write_bytes(("\n".join([",".join(header), *lines]) + "\n").encode())


def parse(rows: Rows) -> Motion:
    """Take the motion from a file whose header has `timeCode`; the head is at rest."""
    shapes = [name for name in rows.names if name.startswith(PREFIX)]
    if not shapes:
        raise InputError(f"{rows.path}: has no column that begins with {PREFIX}")
    columns = arkit_columns(shapes, rows.path)
    values = rows.numbers(["timeCode", *shapes])
    moved = [name for name, curve in zip(shapes, values[:, 1:].T) if curve.any()]
    say_unknown(moved, rows.path)
    fps, index = frames_of(values[:, 0], rows.path)
    weights = all_channels(lerped(values[:, 1:], filled(index)), columns)
    return Motion(weights, CHANNELS, np.zeros((len(weights), 3), np.float32), fps)
