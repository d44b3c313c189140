"""FLAME's landmarks (51 static ones, an outline that depends on the head's turn, 68 static ones) and MediaPipe's landmarks on
FLAME."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.geometry.skinning import Array, is_tensor, like
from diffposetalk.head.flame.files import read_arrays

EMBEDDING_KEYS = ("static_lmk_faces_idx", "static_lmk_bary_coords", "dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords",
                  "full_lmk_faces_idx", "full_lmk_bary_coords")  # fmt: skip
MEDIAPIPE_KEYS = ("lmk_face_idx", "lmk_b_coords", "landmark_indices")
UPPER_INNER_LIP, LOWER_INNER_LIP = (61, 62, 63), (67, 66, 65)
"""Inner upper lip among the 68 landmarks, right to left, and the facing points of the lower lip."""
N_CONTOUR_DEG = 39
"""Largest turn of the head to either side for which outlines are known, degrees."""


@dataclass(frozen=True)
class FlameLandmarks:
    """FLAME's 68 landmarks: 51 static ones, 17 of the contour that depend on the head's turn, and a static variant of all
    68."""

    static: Landmarks
    """51 points: brows, nose, eyes, lips."""
    contour: tuple[Landmarks, ...]
    """79 times 17 points: the outline of the jaw at 0 to 39 degrees, then at -1 to -39 degrees."""
    full: Landmarks
    """68 points: 17 of the contour, then the 51."""

    @property
    def inner_lips(self) -> tuple[Landmarks, Landmarks]:
        """Three facing points of the upper and the lower inner lip."""
        return self.full.some(UPPER_INNER_LIP), self.full.some(LOWER_INNER_LIP)

    def seen(self, vertices: Array, head_pose: Array | None, neck_pose: Array | None) -> Array:
        """Return the 17 landmarks of the visible outline, then the 51: ``(..., 68, 3)``.

        Args:
            vertices: ``(..., V, 3)`` metres.
            head_pose: ``(..., 3)`` axis-angle of the root, radians; None for rest.
            neck_pose: ``(..., 3)`` axis-angle of the neck, radians; None for rest.
        """
        lead = vertices.shape[:-2]
        rows = np.broadcast_to(contour_row(head_pose, neck_pose), lead).reshape(-1)
        flat = vertices.reshape((-1, *vertices.shape[-2:]))
        corners = np.stack([row.corners for row in self.contour])[rows].reshape(len(rows), -1)
        shares = like(np.stack([row.shares for row in self.contour])[rows], flat)
        picked = flat[np.arange(len(rows))[:, None], corners].reshape((*lead, -1, 3, 3))
        contour = (picked * shares.reshape((*lead, -1, 3))[..., None]).sum(-2)
        if is_tensor(vertices):
            import torch

            return torch.cat([contour, self.static.of(vertices)], -2)
        return np.concatenate([contour, self.static.of(vertices)], -2)


def read_embedding(path: Path, faces: np.ndarray) -> FlameLandmarks:
    """Read `landmark_embedding.npy`: FLAME's 68 landmarks, static and of the contour.

    Raises:
        InputError: it is missing, refused or damaged, or does not fit the head.
    """
    with parsing(path, "landmark embedding"):
        return embedding_of(read_arrays(path), faces, path)


def embedding_of(values: dict[str, Any], faces: np.ndarray, where: object) -> FlameLandmarks:
    """Make the 68 landmarks from arrays with FLAME's names."""
    missing = [key for key in EMBEDDING_KEYS if key not in values]
    if missing:
        raise InputError(f"{where}: is not FLAME's landmark embedding, it lacks {', '.join(missing)}")
    static = points_on(faces, values["static_lmk_faces_idx"], values["static_lmk_bary_coords"], where)
    full = points_on(faces, values["full_lmk_faces_idx"], values["full_lmk_bary_coords"], where)
    rows, shares = np.asarray(values["dynamic_lmk_faces_idx"]), np.asarray(values["dynamic_lmk_bary_coords"])
    if rows.shape != (79, 17) or shares.shape != (79, 17, 3):
        raise InputError(f"{where}: dynamic_lmk_faces_idx is {rows.shape}, FLAME has (79, 17)")
    contour = tuple(points_on(faces, row, share, where) for row, share in zip(rows, shares))
    if len(static) != 51 or len(full) != 68:
        raise InputError(f"{where}: has {len(static)} still and {len(full)} full landmarks, FLAME has 51 and 68")
    return FlameLandmarks(static, contour, full)


def read_mediapipe(path: Path, faces: np.ndarray) -> tuple[Landmarks, np.ndarray]:
    """Read `mediapipe_landmark_embedding.npz`.

    Returns:
        The points on the head, and ``(L,)`` their numbers among MediaPipe's landmarks.

    Raises:
        InputError: it is missing or damaged, or does not fit the head.
    """
    with parsing(path, "landmark embedding"):
        return mediapipe_of(read_arrays(path), faces, path)


def mediapipe_of(values: dict[str, Any], faces: np.ndarray, where: object) -> tuple[Landmarks, np.ndarray]:
    """Make MediaPipe's landmarks from arrays with the names of that file."""
    missing = [key for key in MEDIAPIPE_KEYS if key not in values]
    if missing:
        raise InputError(f"{where}: is not a MediaPipe landmark embedding, it lacks {', '.join(missing)}")
    points = points_on(faces, values["lmk_face_idx"], values["lmk_b_coords"], where)
    indices = np.asarray(values["landmark_indices"]).reshape(-1).astype(np.int64)
    if len(indices) != len(points):
        raise InputError(f"{where}: {len(points)} landmarks but {len(indices)} landmark_indices")
    return points, indices


def points_on(faces: np.ndarray, rows: Any, shares: Any, where: object) -> Landmarks:
    """Make points from triangle numbers and barycentric coordinates; leading dimensions of size 1 are removed.

    Raises:
        InputError: their shapes do not agree, or a triangle does not exist.
    """
    rows, shares = np.asarray(rows).reshape(-1), np.asarray(shares, np.float32).reshape(-1, 3)
    if len(rows) != len(shares) or rows.dtype.kind not in "iu":
        raise InputError(f"{where}: {len(rows)} landmark triangles but {len(shares)} coordinates")
    if rows.size and (rows.min() < 0 or rows.max() >= len(faces)):
        raise InputError(f"{where}: landmarks on triangle {rows.max()}, but the head has {len(faces)}")
    return Landmarks(faces[rows], shares)


def contour_row(head_pose: Array | None = None, neck_pose: Array | None = None) -> np.ndarray:
    """Return the number of FLAME's outline, of 79, for a turn of the head.

    Args:
        head_pose: ``(..., 3)`` axis-angle of the root, radians; None for rest.
        neck_pose: the same of the neck.

    Returns:
        ``(...)`` int64: 0 to 39 for turns of 0 to 39 degrees to the left (+Y), 40 to 78 for 1 to 39 degrees to the right.
    """
    turn = np.eye(3)
    for pose in (head_pose, neck_pose):
        if pose is not None:
            plain = pose.detach().cpu().numpy() if is_tensor(pose) else np.asarray(pose)
            turn = turn @ rotation_matrix(plain)
    degrees = np.rad2deg(np.arctan2(-turn[..., 2, 0], np.hypot(turn[..., 0, 0], turn[..., 1, 0])))
    whole = np.round(np.minimum(degrees, N_CONTOUR_DEG)).astype(np.int64)
    return np.where(whole >= 0, whole, np.where(whole < -N_CONTOUR_DEG, 2 * N_CONTOUR_DEG, N_CONTOUR_DEG - whole))
