"""Azure's viseme animation: frames of 55 numbers at 60 frames a second, the channels in our order and three rolls.

The service documents the order and the rate, but neither unit nor sign of the rolls; they are written as in Live Link Face,
whose names and order it shares.
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

FPS = 60.0
NAMES = (*CHANNELS, "headRoll", "leftEyeRoll", "rightEyeRoll")
"""What the 55 numbers are."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write one chunk that begins at frame 0; the motion is at 60 frames a second."""
    head = euler_of(motion.head_pose)[:, 2:] * SIGNS[2] * UNITS[scene.options.head_unit]
    eyes = gaze_of(motion)[..., 2] * SIGNS[2]
    rows = np.concatenate([arkit_weights(motion), head, eyes], 1) + 0.0
    write_json({"FrameIndex": 0, "BlendShapes": rows.round(6).tolist()}, path)
