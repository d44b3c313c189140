"""ARKit JSON of LAM and of the BEAT data set: names once, then weights, time and rotation of each frame."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.exchange.documents import matrix, write_json
from diffposetalk.exchange.frames import filled, frames_of
from diffposetalk.exchange.names import all_channels, arkit_columns, arkit_weights, warn_of_unknown
from diffposetalk.geometry.curves import lerp
from diffposetalk.geometry.rotations import quaternions_of, slerp, vectors_of_quaternions
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the motion; `rotation`, which LAM leaves empty, holds the head as a quaternion x, y, z, w."""
    weights = arkit_weights(motion).astype(np.float64).round(6).tolist()
    turns = quaternions_of(motion.head_pose).round(7).tolist()
    document: dict[str, Any] = {
        "names": list(CHANNELS),
        "metadata": {"fps": motion.fps, "frame_count": len(motion), "blendshape_names": list(CHANNELS)},
        "frames": [
            {"weights": row, "time": round(i / motion.fps, 6), "rotation": turn}
            for i, (row, turn) in enumerate(zip(weights, turns))
        ],
    }
    if scene.residual is not None:
        document["metadata"]["residual"] = scene.residual.to_dict()
    write_json(document, path)


def parse(document: dict[str, Any], path: Path) -> Motion:
    """Return the motion of a document with `names` and `frames`.

    Raises:
        InputError: its numbers contradict each other, or no channel is an ARKit channel.
    """
    names, frames = document["names"], document["frames"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: names must be a list of names")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) and "weights" in frame for frame in frames):
        raise InputError(f"{path}: frames must be a list of objects with weights")
    weights = matrix([frame["weights"] for frame in frames], len(names), "weights", path)
    warn_of_unknown([name for name, curve in zip(names, weights.T) if curve.any()], path)
    fps, index = _rate(document, frames, path)
    position = filled(index)
    head = slerp(_head(frames, path), position)
    return Motion(all_channels(lerp(weights, position), arkit_columns(names, path)), CHANNELS, head, fps)


def _rate(document: dict[str, Any], frames: list[dict[str, Any]], path: Path) -> tuple[float, np.ndarray]:
    times = [frame.get("time") for frame in frames]
    if all(isinstance(time, int | float) for time in times) and len(times) > 1:
        return frames_of(np.array(times, np.float64), path)
    about = document.get("metadata")
    fps = about.get("fps", 30) if isinstance(about, dict) else 30
    if not isinstance(fps, int | float) or not 1 <= fps <= 1000:
        raise InputError(f"{path}: metadata.fps must be a frame rate, not {fps!r}")
    return float(fps), np.arange(len(frames))


def _head(frames: list[dict[str, Any]], path: Path) -> np.ndarray:
    turns = [frame.get("rotation") or [] for frame in frames]
    if all(isinstance(turn, list) and len(turn) == 4 for turn in turns):
        return vectors_of_quaternions(matrix(turns, 4, "rotation", path))
    if any(turns):
        warnings.warn(f"{path}: rotation must be a quaternion x, y, z, w in every frame; it was left out",
                      DiffPoseTalkWarning, stacklevel=2)  # fmt: skip
    return np.zeros((len(frames), 3), np.float32)
