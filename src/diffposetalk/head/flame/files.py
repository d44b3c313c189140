"""Readers of FLAME's files: the model, its landmark embeddings and its masks. No code in the files is run.

FLAME (Li, Bolkart, Black, Li, Romero: Learning a model of facial shape and expression from 4D scans, 2017) comes from
https://flame.is.tue.mpg.de; only its owners may distribute the model of 2020, so it is not part of this package.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError, ModelError
from diffposetalk.files.limits import check_bytes, read_bytes
from diffposetalk.files.npz import npz_names
from diffposetalk.files.parsing import parsing
from diffposetalk.files.pickles import Unread, unpickle, unpickle_npy

N_IDENTITY, N_EXPRESSION = 300, 100
"""Number of FLAME's identity directions, which come first, and of its expression directions."""
JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")
"""Names of FLAME's joints, in the order of the file."""
KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
"""Required arrays of a model file."""
MASK_PREFIX = "mask_"
"""Beginning of the names of masks in an npz model file."""
WHERE_FROM = (
    "FLAME is licensed software that this program cannot fetch: register at https://flame.is.tue.mpg.de, accept its "
    "licence (FLAME 2020 and 2023: research, no commercial use, not to be passed on; FLAME 2023 Open: CC BY 4.0, name "
    "the authors), download the model, and give its generic_model.pkl or flame2023*.pkl with --head FILE, "
    "or once with `diffposetalk assets --add FILE`; `diffposetalk assets --make-free-flame OUT.npz` makes a free head of "
    "its format"
)
"""End of the message about a missing FLAME file: where to obtain it."""


@dataclass(frozen=True)
class FlameModel:
    """The arrays of a FLAME model file, checked, in single precision. FLAME has 5 joints."""

    template: np.ndarray
    """``(V, 3)`` metres, Y up, face toward +Z."""
    faces: np.ndarray
    """``(F, 3)`` int32."""
    identity_basis: np.ndarray
    """``(I, V, 3)`` metres per unit."""
    expression_basis: np.ndarray
    """``(E, V, 3)`` metres per unit."""
    pose_basis: np.ndarray
    """``(4, 9, V, 3)`` metres per unit of the entries of `R - I`, row by row, of neck, jaw, left and right eye."""
    joint_regressor: np.ndarray
    """``(5, V)`` float64: joints as sums of vertices."""
    weights: np.ndarray
    """``(V, 5)`` skinning weights; rows sum to 1."""
    parents: tuple[int, ...]
    """Parent of each joint; -1 for the root."""
    extras: dict[str, np.ndarray]
    """Other arrays of an npz model file: embeddings, masks, looks."""


def read_model(path: Path, n_identity: int, n_expression: int) -> FlameModel:
    """Read `generic_model.pkl`, `flame2023.pkl`, or an npz with the same keys.

    Args:
        path: the file.
        n_identity: number of identity directions to load.
        n_expression: number of expression directions to load.

    Raises:
        InputError: the file is missing, refused or damaged, or an array does not fit; the message names file and key.
        ModelError: the file holds fewer directions.
    """
    with parsing(path, "FLAME model"):
        return _model(read_arrays(path), path, n_identity, n_expression)


def _model(values: dict[str, Any], path: Path, n_identity: int, n_expression: int) -> FlameModel:
    missing = [key for key in KEYS if key not in values]
    if missing:
        raise InputError(f"{path}: is not a FLAME model, it lacks {', '.join(missing)}")
    arrays: dict[str, Any] = {key: _numbers(values[key], key, path) for key in KEYS}
    template = arrays["v_template"]
    if template.ndim != 2 or arrays["f"].ndim != 2:
        raise InputError(
            f"{path}: v_template is {template.shape} and f {arrays['f'].shape}, FLAME has (V, 3) and (F, 3)"
        )
    n_vertices = len(template)
    n_joints = len(JOINTS)
    expected = {
        "v_template": (n_vertices, 3),
        "posedirs": (n_vertices, 3, 9 * (n_joints - 1)),
        "J_regressor": (n_joints, n_vertices),
        "weights": (n_vertices, n_joints),
        "kintree_table": (2, n_joints),
        "f": (len(arrays["f"]), 3),
    }
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise InputError(f"{path}: {key} is {arrays[key].shape}, FLAME has {shape}")
    shapes = arrays["shapedirs"]
    n_held = N_IDENTITY + N_EXPRESSION
    if shapes.ndim != 3 or shapes.shape[:2] != (n_vertices, 3) or shapes.shape[2] < n_held:
        raise InputError(
            f"{path}: shapedirs is {shapes.shape}, FLAME has ({n_vertices}, 3, {n_held}): "
            f"{N_IDENTITY} directions of identity, then {N_EXPRESSION} of expression"
        )
    if not (1 <= n_identity <= N_IDENTITY and 1 <= n_expression <= N_EXPRESSION):
        raise ModelError(
            f"{path}: has {N_IDENTITY} identity and {N_EXPRESSION} expression coefficients, "
            f"asked for {n_identity} and {n_expression}"
        )
    faces = arrays["f"].astype(np.int64)
    if faces.size and (faces.min() < 0 or faces.max() >= n_vertices):
        raise InputError(f"{path}: f points outside the {n_vertices} vertices")
    if np.abs(arrays["weights"].sum(1) - 1).max() > 1e-3:
        raise InputError(f"{path}: the rows of weights do not sum to 1")
    parents = tuple(-1 if p >= n_joints else int(p) for p in arrays["kintree_table"][0].astype(np.int64))
    if parents[0] != -1 or any(not 0 <= p < joint for joint, p in enumerate(parents[1:], 1)):
        raise InputError(f"{path}: kintree_table is not a tree of joints ({list(parents)})")
    poses = arrays["posedirs"].reshape(n_vertices, 3, n_joints - 1, 9).transpose(2, 3, 0, 1)
    return FlameModel(
        template.astype(np.float32),
        faces.astype(np.int32),
        _directions(shapes[..., :n_identity]),
        _directions(shapes[..., N_IDENTITY : N_IDENTITY + n_expression]),
        np.ascontiguousarray(poses, np.float32),
        arrays["J_regressor"].astype(np.float64),
        arrays["weights"].astype(np.float32),
        parents,
        {key: value for key, value in values.items() if key not in KEYS and isinstance(value, np.ndarray)},
    )


def read_masks(path: Path, n_vertices: int) -> dict[str, np.ndarray]:
    """Read `FLAME_masks.pkl`: vertex indices by the name of the part.

    Raises:
        InputError: it is missing, refused or damaged, or does not fit the head.
    """
    masks = {}
    with parsing(path, "file of FLAME's masks"):
        for name, indices in read_arrays(path).items():
            index = np.asarray(indices)
            if index.ndim != 1 or index.dtype.kind not in "iu":
                raise InputError(f"{path}: is not FLAME's masks, {name:.60} is not a list of vertices")
            if index.size and (index.min() < 0 or index.max() >= n_vertices):
                raise InputError(f"{path}: the mask {name:.60} has vertices beyond the head's {n_vertices}")
            masks[str(name)] = np.unique(index).astype(np.int64)
    return masks


def read_arrays(path: Path) -> dict[str, Any]:
    """Read the named arrays of a `.pkl`, `.npy` or `.npz` file; the content selects the reader.

    Raises:
        InputError: it is missing, refused or damaged, or holds no dictionary.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file. {WHERE_FROM}")
    data = read_bytes(path, "file of arrays")
    kinds = ("scipy", "chumpy", "torch")
    if data[:2] == b"PK":
        return _npz(data, path, lambda member: unpickle_npy(member, f"{path}", kinds))
    value = unpickle_npy(data, str(path), kinds) if data[:6] == b"\x93NUMPY" else unpickle(data, str(path), kinds)
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds {type(value).__name__}, not arrays by name")
    return {str(key): item for key, item in value.items()}


def _npz(data: bytes, path: Path, read: Callable[[bytes], Any]) -> dict[str, Any]:
    import zipfile

    with parsing(path, "npz file"), zipfile.ZipFile(io.BytesIO(data)) as file:
        check_bytes(path, sum(member.file_size for member in file.infolist()), "npz file")
        return {name.removesuffix(".npy"): read(file.read(name)) for name in file.namelist()}


def _numbers(value: Any, key: str, path: Path) -> np.ndarray:
    if isinstance(value, Unread):
        raise InputError(f"{path}: {key} is {value.what}, which is not understood; save it as a plain array")
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {key} holds no numbers ({array.dtype})")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{path}: {key} holds numbers that are not finite")
    return array


def _directions(basis: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(basis.transpose(2, 0, 1), np.float32)


def is_flame_file(path: Path) -> bool:
    """Return whether a file is a FLAME model: an npz file with FLAME's array names, or any file that is not npz."""
    names = npz_names(path)
    if names is not None:
        return "v_template" in names
    if path.suffix.lower() != ".npz":
        return True
    if not path.exists():
        raise InputError(f"no head file at {path}")
    return False
