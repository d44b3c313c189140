"""FLAME coefficients as other trackers keep them (`.npz`) -> `Motion`.

The layouts are those that the projects' files are described to have; arrays are taken by name, and a file that does not
fit is refused by name. Identity, camera, translation, eyelids and textures are left out: they are no motion of ours.
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
FPS_KEYS = ("fps", "mocap_frame_rate", "frame_rate")
"""Where files tell their frame rate."""
BODY_WIDTH = 165
"""Width of SMPL-X's pose: 55 joints; the root comes first, then the body."""
ROOT, NECK, HEAD, JAW = slice(0, 3), slice(36, 39), slice(45, 48), slice(66, 69)
"""Joints of SMPL-X's pose that carry the face."""


@dataclass(frozen=True)
class Layout:
    """How a family of trackers lays out its file."""

    name: str
    keys: tuple[str, ...]
    """Arrays that tell it from the others; all are needed."""
    expression: str
    """Array of the expression coefficients, `(T, E)`."""
    poses: Callable[[Arrays], tuple[np.ndarray, np.ndarray]]
    """Returns head and jaw rotation, each `(T, 3)` axis-angle in radians."""
    fps: float
    """Frame rate where the file does not tell."""


def _split(key: str) -> Callable[[Arrays], tuple[np.ndarray, np.ndarray]]:
    def poses(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
        pose = _frames(arrays, key, 6)
        return pose[:, :3], pose[:, 3:]

    return poses


def _apart(head: str, jaw: str, neck: str | None = None) -> Callable[[Arrays], tuple[np.ndarray, np.ndarray]]:
    def poses(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
        turned = [_frames(arrays, key, 3) for key in (head, neck) if key is not None and key in arrays]
        return _chained(*turned), _frames(arrays, jaw, 3)

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
"""All that are known. In SMPL-X the head is turned by neck and head joint; the body's own turn is left out."""


def layout_of(names: set[str]) -> Layout | None:
    """Return the layout that arrays of these names make, if any."""
    return next((layout for layout in LAYOUTS if names.issuperset(layout.keys)), None)


def read(path: Path, layout: Layout) -> Motion:
    """Read a tracker's file.

    Raises:
        InputError: an array is misshapen, of another length than the others, or not finite.
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
    """Return an array as `(T, width)`; axes of size 1 between are dropped, as batches of one leave them."""
    values = np.asarray(arrays[key], np.float32)
    if values.ndim == 3 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        wanted = "(T, n)" if width is None else f"(T, {width})"
        raise InputError(f"{key} must be {wanted}, got {values.shape}")
    return values


def _chained(*rotations: np.ndarray) -> np.ndarray:
    """Return one rotation for several that follow one another from the base: ``(T, 3)`` axis-angle each."""
    lengths = {len(rotation) for rotation in rotations}
    if len(lengths) > 1:
        raise InputError(f"rotations of {sorted(lengths)} frames")
    whole = matrices_of(rotations[0])
    for rotation in rotations[1:]:
        whole = whole @ matrices_of(rotation)
    return rotations[0] if len(rotations) == 1 else vectors_of(whole)
