"""FLAME coefficients in `.npz` files of other trackers -> `Motion`.

The layouts follow the documentation of those projects. Arrays are read by name; an array that does not fit is an error
that names it. Identity, camera, translation, eyelids and textures are ignored, since a `Motion` has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import read_npz
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.rotations import matrices_of, vectors_of

if TYPE_CHECKING:
    from diffposetalk.motion import Motion

Arrays = Mapping[str, np.ndarray]
"""Arrays of a file by name."""
FPS_KEYS = ("fps", "mocap_frame_rate", "frame_rate")
"""Names of the array that holds the frame rate."""
BODY_WIDTH = 165
"""Width of the SMPL-X pose: 55 joints; the root first, then the body."""
NECK = slice(36, 39)
"""Neck joint in the SMPL-X pose."""
HEAD = slice(45, 48)
"""Head joint in the SMPL-X pose."""
JAW = slice(66, 69)
"""Jaw joint in the SMPL-X pose."""


@dataclass(frozen=True)
class Layout:
    """Array layout of a family of trackers."""

    name: str
    keys: tuple[str, ...]
    """Required arrays, which identify the layout."""
    expression: str
    """Name of the array of expression coefficients, ``(T, E)``."""
    poses: Callable[[Arrays], tuple[np.ndarray, np.ndarray]]
    """Returns head and jaw rotation, each ``(T, 3)`` axis-angle in radians."""
    fps: float
    """Frame rate of files that do not state one."""


def _split(key: str) -> Callable[[Arrays], tuple[np.ndarray, np.ndarray]]:
    def poses(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
        pose = _frames(arrays, key, 6)
        return pose[:, :3], pose[:, 3:]

    return poses


def _apart(head: str, jaw: str, neck: str | None = None) -> Callable[[Arrays], tuple[np.ndarray, np.ndarray]]:
    def poses(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
        rotations = [_frames(arrays, key, 3) for key in (head, neck) if key is not None and key in arrays]
        return _chained(*rotations), _frames(arrays, jaw, 3)

    return poses


def _body(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    pose = _frames(arrays, "poses", BODY_WIDTH)
    return _chained(pose[:, NECK], pose[:, HEAD]), pose[:, JAW]


LAYOUTS = (
    Layout("SMIRK", ("expression_params", "pose_params", "jaw_params"), "expression_params",
           _apart("pose_params", "jaw_params"), 25.0),
    Layout("VHAP", ("expr", "rotation", "jaw_pose"), "expr", _apart("rotation", "jaw_pose", "neck_pose"), 25.0),
    Layout("BEAT2 (SMPL-X)", ("expressions", "poses"), "expressions", _body, 30.0),
    Layout("DECA, EMOCA, SPECTRE", ("exp", "pose"), "exp", _split("pose"), 25.0),
)  # fmt: skip
"""All known layouts. In SMPL-X the head is rotated by neck and head joint; the rotation of the body is ignored."""


def layout_of(names: set[str]) -> Layout | None:
    """Return the layout of a file with arrays of these names; None if it is unknown."""
    return next((layout for layout in LAYOUTS if names.issuperset(layout.keys)), None)


def read(path: Path, layout: Layout) -> Motion:
    """Read a tracker's file.

    Raises:
        InputError: an array has a wrong shape or length, or is not finite.
    """
    from diffposetalk.motion import Motion, flame_channels

    arrays = read_npz(path, f"{layout.name} file")
    with parsing(path, f"{layout.name} file"):
        try:
            expression = _frames(arrays, layout.expression)
            head, jaw = layout.poses(arrays)
            stated = (float(arrays[key].item()) for key in FPS_KEYS if key in arrays and arrays[key].size == 1)
            names = flame_channels(expression.shape[1], head_pose=False)[:-1]
            return Motion(expression, names, head, next(stated, layout.fps), "flame", jaw)
        except InputError as error:
            raise InputError(f"{path}: not a usable {layout.name} file: {error}") from None


def _frames(arrays: Arrays, key: str, width: int | None = None) -> np.ndarray:
    """Return an array as ``(T, width)``; a middle axis of size 1 (a batch of one) is removed."""
    values = np.asarray(arrays[key], np.float32)
    if values.ndim == 3 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        shape = "(T, n)" if width is None else f"(T, {width})"
        raise InputError(f"{key} must be {shape}, got {values.shape}")
    return values


def _chained(*rotations: np.ndarray) -> np.ndarray:
    """Return the product of rotations, from the base outwards, ``(T, 3)`` axis-angle each."""
    lengths = {len(rotation) for rotation in rotations}
    if len(lengths) > 1:
        raise InputError(f"rotations of {sorted(lengths)} frames")
    whole = matrices_of(rotations[0])
    for rotation in rotations[1:]:
        whole = whole @ matrices_of(rotation)
    return rotations[0] if len(rotations) == 1 else vectors_of(whole)
