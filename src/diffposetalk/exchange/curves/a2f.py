"""Audio2Face JSON: written by Omniverse, read by importers of Maya, Unreal, iClone and Faceit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.exchange.angles import gaze_of, rotation_of
from diffposetalk.exchange.documents import matrix, sound_name, write_json
from diffposetalk.exchange.names import all_channels, arkit_columns, arkit_weights, warn_of_unknown
from diffposetalk.geometry.rotations import quaternions_of, vectors_of_quaternions
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene

JOINTS = ("head", "leftEye", "rightEye")
"""Joints whose rotations are written as quaternions x, y, z, w; the format does not define joints or rotations."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the motion; rotations in `joints`, `rotations` and `translations`, which older importers ignore."""
    n_frames = len(motion)
    eyes = rotation_of(gaze_of(motion).reshape(-1, 3)).reshape(n_frames, 2, 3)
    turns = quaternions_of(np.concatenate([motion.head_pose[:, None], eyes], 1))
    document: dict[str, Any] = {
        "exportFps": _plain(motion.fps),
        "trackPath": sound_name(scene),
        "numPoses": len(CHANNELS),
        "numFrames": n_frames,
        "facsNames": list(CHANNELS),
        "weightMat": arkit_weights(motion).astype(np.float64).round(6).tolist(),
        "joints": list(JOINTS),
        "rotations": turns.round(7).tolist(),
        "translations": np.zeros((n_frames, len(JOINTS), 3)).tolist(),
    }
    if scene.residual is not None:
        document["residual"] = scene.residual.to_dict()
    write_json(document, path)


def parse(document: dict[str, Any], path: Path) -> Motion:
    """Return the motion of a document with `facsNames` and `weightMat`.

    Raises:
        InputError: its numbers contradict each other, or no channel is an ARKit channel.
    """
    names = document["facsNames"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: facsNames must be a list of names")
    weights = matrix(document["weightMat"], len(names), "weightMat", path)
    for key, count in (("numPoses", len(names)), ("numFrames", len(weights))):
        if key in document and document[key] != count:
            raise InputError(f"{path}: {key} is {document[key]} but the file holds {count}")
    warn_of_unknown([name for name, curve in zip(names, weights.T) if curve.any()], path)
    fps = document.get("exportFps", 30)
    if not isinstance(fps, int | float) or not 1 <= fps <= 1000:
        raise InputError(f"{path}: exportFps must be a frame rate, not {fps!r}")
    return Motion(all_channels(weights, arkit_columns(names, path)), CHANNELS, _head(document, len(weights), path), fps)


def _head(document: dict[str, Any], n_frames: int, path: Path) -> np.ndarray:
    joints = document.get("joints")
    if not isinstance(joints, list) or "head" not in joints or not document.get("rotations"):
        return np.zeros((n_frames, 3), np.float32)
    try:
        turns = np.asarray(document["rotations"], np.float64)[:, joints.index("head")]
        if turns.shape == (n_frames, 4) and np.isfinite(turns).all():
            return vectors_of_quaternions(turns)
    except (ValueError, TypeError, IndexError):
        pass
    raise InputError(f"{path}: rotations must be {n_frames} frames of {len(joints)} quaternions")


def _plain(fps: float) -> int | float:
    return int(fps) if float(fps).is_integer() else fps
