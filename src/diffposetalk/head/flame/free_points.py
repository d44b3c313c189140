"""FLAME's and MediaPipe's landmark embeddings for a head on which MediaPipe's 478 points are known."""

from __future__ import annotations

import numpy as np

from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head.flame.landmarks import N_CONTOUR_DEG

CONTOUR = (127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356)
"""MediaPipe's points of the outline in the order of the 68 landmarks: from the subject's right ear over the chin."""
STILL = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""The other 51: brows, nose, eyes, outer and inner lips."""
BAND = 5e-3
"""Half the height of the slice that is searched for a point of the outline, metres."""


def embedding(
    template: np.ndarray, faces: np.ndarray, corners: np.ndarray, shares: np.ndarray, skin: np.ndarray
) -> dict[str, np.ndarray]:
    """Return both embeddings as arrays with the names that FLAME's files use.

    The outline depends on the turn of the head, in whole degrees. Each of its points is the outermost point of the skin at
    its height, and never lies behind its place on the face without turn.

    Args:
        template: ``(V, 3)`` metres.
        faces: ``(F, 3)``.
        corners: ``(478, 3)`` vertices of MediaPipe's points.
        shares: ``(478, 3)`` barycentric coordinates.
        skin: vertex indices on which the outline may lie.
    """
    rows, weights = _on_faces(faces, corners, shares)
    still, contour = np.array(STILL), np.array(CONTOUR)
    of_vertex = np.full(len(template), -1)
    of_vertex[faces.reshape(-1)] = np.repeat(np.arange(len(faces)), 3)
    places = (template[corners] * shares[..., None]).sum(1)[contour]
    moving_rows = np.tile(rows[contour], (2 * N_CONTOUR_DEG + 1, 1))
    moving_weights = np.tile(weights[contour], (2 * N_CONTOUR_DEG + 1, 1, 1)).astype(np.float64)
    for row in range(2 * N_CONTOUR_DEG + 1):
        degrees = row if row <= N_CONTOUR_DEG else N_CONTOUR_DEG - row
        turn = rotation_matrix(np.deg2rad([0.0, degrees, 0.0]))
        outward = turn[0]
        for point, place in enumerate(places):
            side = np.sign(place[0]) if abs(place[0]) > 1e-2 else 0
            if side != np.sign(degrees):
                continue
            here = template[skin]
            near = skin[(abs(here[:, 1] - place[1]) < BAND) & (here[:, 2] >= place[2]) & (here[:, 0] * side > 0)]
            near = near[of_vertex[near] >= 0]
            if not len(near):
                continue
            best = near[(side * (template[near] @ outward)).argmax()]
            if side * (template[best] - place) @ outward > 0:
                moving_rows[row, point] = of_vertex[best]
                moving_weights[row, point] = faces[of_vertex[best]] == best
    return {
        "static_lmk_faces_idx": rows[still],
        "static_lmk_bary_coords": weights[still],
        "dynamic_lmk_faces_idx": moving_rows,
        "dynamic_lmk_bary_coords": moving_weights,
        "full_lmk_faces_idx": np.concatenate([rows[contour], rows[still]])[None],
        "full_lmk_bary_coords": np.concatenate([weights[contour], weights[still]])[None],
        "lmk_face_idx": rows,
        "lmk_b_coords": weights,
        "landmark_indices": np.arange(len(rows)),
    }


def _on_faces(faces: np.ndarray, corners: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert points given by three vertices to points on triangles; if no triangle has these vertices, use the main
    vertex."""
    numbered = {tuple(sorted(map(int, face))): index for index, face in enumerate(faces)}
    rows, weights = np.zeros(len(corners), np.int64), np.zeros((len(corners), 3))
    for point, (trio, share) in enumerate(zip(corners, shares)):
        row = numbered.get(tuple(sorted(map(int, trio))))
        if row is None:
            main = int(trio[share.argmax()])
            row = int(np.flatnonzero((faces == main).any(1))[0])
            weights[point] = faces[row] == main
        else:
            weights[point] = [share[list(trio).index(vertex)] for vertex in faces[row]]
        rows[point] = row
    return rows, weights
