"""Vertices in ``.npz`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import npz_names, read_npz
from diffposetalk.files.parsing import parsing
from diffposetalk.workshop.evaluate.systems.base import VertexMotion
from diffposetalk.workshop.evaluate.systems.checks import check_angles, check_units

FPS_KEYS = ("fps", "frame_rate")
"""Names of the array with the frame rate."""


def is_vertex_file(path: Path) -> bool:
    """Return whether an ``.npz`` file holds vertices."""
    return "vertices" in (npz_names(path) or ())


def read_vertices(path: Path, default_fps: float) -> list[VertexMotion]:
    """Read one or several samples of vertices.

    Args:
        path: npz with ``vertices (T, V, 3)`` or ``(S, T, V, 3)`` in metres; optional ``fps ()`` and ``head_pose
            (T, 3)`` or ``(S, T, 3)`` in radians. A face may also be flat, ``(T, 3 V)``, as VOCASET's systems write it.
        default_fps: rate of a file that does not state one.

    Raises:
        InputError: an array is missing, misshapen, not finite, or in other units.
    """
    with parsing(path, "file of vertices"):
        arrays = read_npz(path, "file of vertices")
        vertices = _numbers(arrays["vertices"], "vertices", path)
        if vertices.ndim == 2 and vertices.shape[1] % 3 == 0:
            vertices = vertices.reshape(len(vertices), -1, 3)
        if vertices.ndim == 3:
            vertices = vertices[None]
        if vertices.ndim != 4 or vertices.shape[3] != 3 or 0 in vertices.shape:
            raise InputError(
                f"{path}: vertices must be (T, V, 3) or (S, T, V, 3), not empty, got {arrays['vertices'].shape}"
            )
        fps = next((_rate(arrays[key], path) for key in FPS_KEYS if key in arrays), default_fps)
        poses = _head_poses(arrays, vertices, path)
        samples = [VertexMotion(one, fps, pose) for one, pose in zip(vertices, poses)]
        for sample in samples:
            check_units(sample, path)
            check_angles(sample.head_pose, "head_pose", path)
        return samples


def _head_poses(arrays: dict[str, np.ndarray], vertices: np.ndarray, path: Path) -> list[np.ndarray] | list[None]:
    """Return the head pose of each sample; None without any."""
    n_samples, n_frames = vertices.shape[:2]
    if "head_pose" not in arrays:
        return [None] * n_samples
    head = _numbers(arrays["head_pose"], "head_pose", path)
    if head.shape not in ((n_frames, 3), (n_samples, n_frames, 3)):
        raise InputError(f"{path}: head_pose must be ({n_frames}, 3), got {head.shape}")
    return list(np.broadcast_to(head, (n_samples, n_frames, 3)))


def _rate(array: np.ndarray, path: Path) -> float:
    if array.size != 1 or array.dtype.kind not in "fiu" or not 0 < float(array.item()) < 1000:
        raise InputError(f"{path}: fps must be one number above 0")
    return float(array.item())


def _numbers(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} does not hold numbers ({array.dtype})")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{path}: {name} holds NaN or infinity, first at index {place}")
    return array.astype(np.float32)
