"""TalkingHead (three.js): the `anim` object of `speakAudio`, with ARKit curves, or with Oculus visemes for the mouth.

TalkingHead's author warns that raw ARKit curves leave lips open on some avatars; the viseme variant is for those.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange.angles import euler_of
from diffposetalk.exchange.documents import write_json
from diffposetalk.exchange.names import arkit_weights

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

HEAD = ("headRotateX", "headRotateY", "headRotateZ")
"""Names of the head angles, radians; TalkingHead's axes are ours."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write all 52 curves and the head; with `used_only`, only those that are not 0."""
    curves = dict(zip(CHANNELS, arkit_weights(motion).T))
    _write(curves, motion, path, scene)


def write_visemes(motion: Motion, path: Path, scene: Scene) -> None:
    """Write visemes instead of the channels of mouth, jaw and tongue; the other channels stay."""
    from diffposetalk.exchange.visemes.oculus import MORPHS, viseme_weights

    rest = [name for name in CHANNELS if not name.startswith(("mouth", "jaw", "tongue"))]
    curves = dict(zip(MORPHS, viseme_weights(motion).T)) | dict(zip(rest, arkit_weights(motion, tuple(rest)).T))
    _write(curves, motion, path, scene)


def _write(curves: dict[str, np.ndarray], motion: Motion, path: Path, scene: Scene) -> None:
    curves = curves | dict(zip(HEAD, euler_of(motion.head_pose).T))
    if scene.options.used_only:
        curves = {name: curve for name, curve in curves.items() if np.abs(curve).max() > 1e-4}
    edges = np.rint(np.arange(len(motion) + 1) * 1000 / motion.fps).astype(int)
    values = {name: np.asarray(curve, np.float64).round(5).tolist() for name, curve in curves.items()}
    write_json({"name": "blendshapes", "dt": np.diff(edges).tolist(), "vs": values}, path)
