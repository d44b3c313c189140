"""Motion files, our own and other programs'."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .files import helper, npz, written


def motion(frames: int = 8) -> Any:
    """Return a short motion of ARKit channels."""
    from diffposetalk.arkit import CHANNELS
    from diffposetalk.motion import Motion

    rng = np.random.default_rng(0)
    return Motion(
        rng.uniform(0, 1, (frames, 52)).astype("f4"),
        CHANNELS,
        rng.normal(0, 0.1, (frames, 3)).astype("f4"),
        25.0,
        "anny",
    )


def flame_motion(frames: int = 8) -> Any:
    """Return a short motion of FLAME coefficients with jaw."""
    from diffposetalk.motion import Motion, flame_channels

    rng = np.random.default_rng(1)
    poses = {name: rng.normal(0, 0.1, (frames, 3)).astype("f4") for name in ("head_pose", "jaw_pose")}
    return Motion(
        rng.normal(0, 1, (frames, 10)).astype("f4"),
        flame_channels(10, head_pose=False)[:-1],
        fps=25.0,
        head="flame",
        **poses,
    )


def motions() -> list[bytes]:
    """Motion files of both heads."""
    return [written(value.save, "a.npz") for value in (motion(), flame_motion())]


def exported(name: str, suffix: str, frames: int = 8) -> bytes:
    """Return a motion in another program's format."""
    from diffposetalk.exchange import export

    return written(lambda path: export(motion(frames), path, name), f"a{suffix}")


def trackers() -> list[bytes]:
    """Files of other trackers."""
    return [npz(**arrays) for arrays, *_ in helper("exchange/test_trackers").FILES.values()]


def json_motions() -> list[bytes]:
    """Motion in each dialect of JSON that is read."""
    names = ["jawOpen", "mouthSmileLeft"]
    a2f = {"exportFps": 30, "numFrames": 2, "facsNames": names, "weightMat": [[0.1, 0.2], [0.2, 0.3]]}
    frames = [{"weights": [0.1, 0.2], "time": 0.0}, {"weights": [0.2, 0.3], "time": 0.04}]
    lam = {"names": names, "metadata": {"fps": 25}, "frames": frames}
    return [json.dumps(document).encode() for document in (a2f, lam)]


def csv_motions() -> list[bytes]:
    """Motion as tables of text."""
    plain = b"time,jawOpen,mouthSmileLeft\n0.0,0.1,0.2\n0.04,0.2,0.3\n0.08,0.1,0.1\n"
    return [exported("livelink", ".csv"), plain]
