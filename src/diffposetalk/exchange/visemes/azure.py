"""Viseme animation of Azure: frames of 55 numbers at 60 frames a second, the 52 channels in our order and three rolls.

Azure documents order and rate, but neither unit nor sign of the rolls. They are written as in Live Link Face, which has
the same names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange.angles import euler_of, gaze_of
from diffposetalk.exchange.curves.livelink import SIGNS, UNITS
from diffposetalk.exchange.documents import write_json
from diffposetalk.exchange.names import arkit_weights

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

NAMES = (*CHANNELS, "headRoll", "leftEyeRoll", "rightEyeRoll")
"""Names of the 55 numbers."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write one chunk that begins at frame 0; the motion is at 60 frames a second."""
    head = euler_of(motion.head_pose)[:, 2:] * SIGNS[2] * UNITS[scene.options.head_unit]
    eyes = gaze_of(motion)[..., 2] * SIGNS[2]
    rows = np.concatenate([arkit_weights(motion), head, eyes], 1) + 0.0
    write_json({"FrameIndex": 0, "BlendShapes": rows.round(6).tolist()}, path)
