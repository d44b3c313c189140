"""A head of FLAME's format made of the free head, so that the paper's model can be run and trained without FLAME.

It shares FLAME's format: identity, 50 expression coefficients, jaw, neck and eyes as joints, 68 landmarks. Its vertices and
its directions are its own, so FLAME's coefficients mean something else on it. A linear map converts any ARKit motion to its
coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, ModelError
from diffposetalk.files.atomic import replacing
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head.anny.head import MATERIALS, NECK_SHARE, AnnyHead
from diffposetalk.head.flame.files import JOINTS, MASK_PREFIX, N_EXPRESSION, N_IDENTITY, read_arrays
from diffposetalk.head.flame.free_points import embedding
from diffposetalk.motion import Motion, flame_channels

N_DIRECTIONS = 50
"""Number of expression directions that are not zero, as in the paper's model."""
TYPICAL = 0.15
"""Standard deviation of an ARKit weight in speech. It sets the unit of the coefficients: weights of this spread give a
coefficient of spread 1."""
HELD = 0.02
"""Vertices that neck and head move by less than this share belong to the bust, which FLAME does not have."""
OPEN = 0.15
"""Typical jawOpen while a shape is used. At this opening, the shape on the rotated jaw is exact."""
OPEN_WITH = {"mouthClose": 0.3}
"""The same for shapes that are used at another jaw opening."""
MM = 1e3
"""Millimetres per metre."""


@dataclass(frozen=True)
class FreeFlame:
    """A free head of FLAME's format and the map from ARKit weights to its coefficients."""

    path: Path
    """The head's file; `FlameHead.load` reads it."""
    matrix: np.ndarray = field(repr=False)
    """``(52, 59)``: what each ARKit channel adds to 50 expression coefficients, 3 of the jaw, 6 of the eyes (rad)."""
    residuals_mm: dict[str, float] = field(default_factory=dict)
    """Root mean square distance from the free head by region, millimetres, over single channels and mixtures."""

    @staticmethod
    def load(path: str | Path) -> FreeFlame:
        """Read a file that `make_free_flame` wrote.

        Raises:
            InputError: the file is of another kind.
        """
        arrays = read_arrays(Path(path))
        if "arkit_matrix" not in arrays:
            raise InputError(
                f"{path}: is not a free head of FLAME's format; `diffposetalk assets --make-free-flame` makes one"
            )
        residuals = dict(zip(arrays["residual_names"].tolist(), arrays["residuals_mm"].tolist()))
        return FreeFlame(Path(path), np.asarray(arrays["arkit_matrix"], np.float32), residuals)

    def coefficients(self, motion: Motion) -> Motion:
        """Convert an ARKit motion to coefficients of FLAME's format.

        The expression is the least-squares projection on the 50 directions, the jaw rotates in proportion to jawOpen, and
        gaze becomes rotation of the eye joints. The head rotation is copied.

        Args:
            motion: with ARKit channels; missing channels count as 0.

        Raises:
            ModelError: the motion has no ARKit channels.
        """
        unknown = [name for name in motion.expression_names if name not in INDEX]
        if unknown:
            raise ModelError(
                f"only ARKit motion can be turned into coefficients; this one has the channel {unknown[0]}"
            )
        weights = np.zeros((len(motion), len(CHANNELS)), np.float32)
        weights[:, [INDEX[name] for name in motion.expression_names]] = motion.expression
        coefficients = weights @ self.matrix
        jaw = N_DIRECTIONS + 3
        return Motion(
            coefficients[:, :N_DIRECTIONS],
            flame_channels(N_DIRECTIONS)[:N_DIRECTIONS],
            motion.head_pose,
            motion.fps,
            "flame",
            jaw_pose=coefficients[:, N_DIRECTIONS:jaw],
            eye_pose=coefficients[:, jaw:],
        )


def make_free_flame(path: str | Path, source: AnnyHead | None = None) -> FreeFlame:
    """Write a head of FLAME's format made of the free head.

    The identity directions are those of the free head, padded with zeros. The expression directions are the principal
    directions of all ARKit shapes except jawOpen, in the order of their variance; `TYPICAL` sets their unit. The jaw joint
    replaces jawOpen: its rotation is fitted to the lower teeth, its skinning weights are fitted per vertex, and pose shapes
    hold the remaining difference. The rotation of a typically opened jaw is removed from the other shapes. The head, neck and
    eye joints lie where those of the free head lie. The bust is left out.

    Args:
        path: output, `.npz`.
        source: the free head; None: the installed one.

    Returns:
        The head with its map from ARKit weights and its residuals.
    """
    path = Path(path)
    head = source or AnnyHead.load()
    arrays, matrix = build(head)
    arrays |= {"arkit_names": np.array(CHANNELS), "arkit_matrix": matrix}
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        residuals = measure(head, FreeFlame(temporary, matrix), arrays["source_vertices"])
        arrays |= {"residual_names": np.array(list(residuals)), "residuals_mm": np.array(list(residuals.values()))}
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return FreeFlame(path, matrix, residuals)


def build(head: AnnyHead) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the arrays of the file by FLAME's names, and the map from ARKit ``(52, 59)``."""
    data = head.data
    vertices, faces, which = _without_bust(head)
    template = data["vertices"][vertices].astype(np.float64)
    identity = data["identity"][:, vertices].astype(np.float64)
    shapes = data["expression"][:, vertices].astype(np.float64)
    renumbered = np.full(head.n_vertices, -1)
    renumbered[vertices] = np.arange(len(vertices))
    regions = {name: renumbered[index][renumbered[index] >= 0] for name, index in head.regions.items()}

    eyes = [regions["left_eye"], regions["right_eye"]]
    opening = shapes[INDEX["jawOpen"]]
    angle, pivot, jaw_weight = _jaw(template, opening, regions["lower_teeth"])
    jaw_weight[np.concatenate(eyes)] = 0
    turned = np.stack(
        [_turned_back(shape, jaw_weight, angle * OPEN_WITH.get(n, OPEN)) for n, shape in zip(CHANNELS, shapes)]
    )
    directions, amounts = _directions(turned)
    matrix = np.zeros((len(CHANNELS), N_DIRECTIONS + 9))
    matrix[:, :N_DIRECTIONS] = amounts
    matrix[INDEX["jawOpen"], N_DIRECTIONS] = angle
    matrix[:, N_DIRECTIONS + 3 :] = data["eye_rotation"].reshape(len(CHANNELS), 6)

    weights = np.zeros((len(vertices), len(JOINTS)))
    weights[:, 2] = jaw_weight
    for joint, ball in zip((3, 4), eyes):
        weights[ball, joint] = 1
    weights[:, 1] = data["joint_weights"][vertices, 1] * (1 - weights[:, 2:].sum(1))
    weights[:, 0] = 1 - weights[:, 1:].sum(1)

    poses = np.zeros((len(vertices), 3, 4, 9))
    poses[:, :, 1] = _pose_shapes(template, opening, angle, pivot, jaw_weight)

    directions_of_all = np.zeros((len(vertices), 3, N_IDENTITY + N_EXPRESSION), np.float32)
    directions_of_all[..., : len(identity)] = identity.transpose(1, 2, 0)
    directions_of_all[..., N_IDENTITY : N_IDENTITY + N_DIRECTIONS] = directions.transpose(1, 2, 0)
    corners = renumbered[data["landmark_corners"]]
    arrays = {
        "v_template": template.astype(np.float32),
        "shapedirs": directions_of_all,
        "posedirs": poses.reshape(len(vertices), 3, 36).astype(np.float32),
        "J_regressor": _regressor(head, template, identity, shapes, regions, pivot, renumbered),
        "weights": weights.astype(np.float32),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.uint32),
        "f": faces.astype(np.int32),
        **embedding(template, faces, corners, data["landmark_shares"], regions["skin"]),
        **{f"{MASK_PREFIX}{name}": index for name, index in regions.items()},
        "uv": data["uv"][which],
        "face_material": data["face_material"][which],
        "tint": data["tint"][vertices],
        **{name: value for name, value in data.items() if name.startswith("texture_")},
        "source_vertices": vertices,
    }
    return arrays, matrix.astype(np.float32)


def _without_bust(head: AnnyHead) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertices of head and neck, their triangles with new vertex numbers, and the old numbers of these
    triangles."""
    cloth = next(index for index, material in enumerate(MATERIALS) if material.name == "cloth")
    held = head.data["joint_weights"].sum(1) > HELD
    which = np.flatnonzero(held[head.faces].all(1) & (head.data["face_material"] != cloth))
    vertices = np.unique(np.concatenate([head.faces[which].reshape(-1), head.data["landmark_corners"].reshape(-1)]))
    renumbered = np.full(head.n_vertices, -1)
    renumbered[vertices] = np.arange(len(vertices))
    return vertices, renumbered[head.faces[which]], which


def _directions(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the principal directions ``(50, V, 3)`` of the shapes except jawOpen, and the coefficients ``(52, 50)`` of each
    channel."""
    flat = shapes.reshape(len(shapes), -1).copy()
    flat[INDEX["jawOpen"]] = 0
    variances, mixtures = np.linalg.eigh(flat @ flat.T)
    mixtures = mixtures[:, np.argsort(-variances)[:N_DIRECTIONS]]
    mixtures *= np.sign(mixtures[np.abs(mixtures).argmax(0), np.arange(N_DIRECTIONS)])
    directions = TYPICAL * (mixtures.T @ flat).reshape(N_DIRECTIONS, *shapes.shape[1:])
    return directions, mixtures / TYPICAL


def _jaw(rest: np.ndarray, opening: np.ndarray, teeth: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Fit the jaw joint to jawOpen.

    Returns:
        Angle about +X at full opening, radians; pivot ``(3,)``; weight of each vertex ``(V,)``.
    """
    start, end = rest[teeth], rest[teeth] + opening[teeth]
    a, b = (points[:, 1:] - points[:, 1:].mean(0) for points in (start, end))
    angle = float(np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum()))
    turn = rotation_matrix(np.array([angle, 0.0, 0.0]))
    shift = end.mean(0) - turn @ start.mean(0)
    pivot = np.array([0.0, *np.linalg.solve((np.eye(3) - turn)[1:, 1:], shift[1:])])
    way = (rest - pivot) @ (turn - np.eye(3)).T
    weight = np.clip((opening * way).sum(1) / ((way * way).sum(1) + 1e-8), 0, 1)
    weight[np.linalg.norm(opening, axis=1) < 1e-5] = 0
    return angle, pivot, weight


def _pose_shapes(
    rest: np.ndarray, opening: np.ndarray, angle: float, pivot: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Fit pose shapes ``(V, 3, 9)`` of the jaw's `R - I` so that a turning jaw gives jawOpen's straight path.

    A rotation about X has two independent entries, its sine and its cosine less 1, so that one shape for each follows
    the path closely at every opening.
    """
    openings = np.linspace(0.2, 1, 5)
    targets, entries = [], []
    for part in openings:
        turn = rotation_matrix(np.array([part * angle, 0.0, 0.0])) - np.eye(3)
        left = part * opening - weight[:, None] * ((rest - pivot) @ turn.T)
        targets.append(_turned_back(left, weight, part * angle))
        entries.append(turn.reshape(-1))
    return np.einsum("ep,pvc->vce", np.linalg.pinv(np.stack(entries), rcond=1e-6), np.stack(targets))


def _turned_back(shift: np.ndarray, weight: np.ndarray, angle: float) -> np.ndarray:
    """Return the shifts ``(..., V, 3)`` that become the given shifts on a jaw rotated by an angle."""
    turn = rotation_matrix(np.array([angle, 0.0, 0.0])) - np.eye(3)
    return np.linalg.solve(np.eye(3) + weight[:, None, None] * turn, shift[..., None])[..., 0]


def _regressor(
    head: AnnyHead,
    template: np.ndarray,
    identity: np.ndarray,
    shapes: np.ndarray,
    regions: dict[str, np.ndarray],
    jaw_pivot: np.ndarray,
    renumbered: np.ndarray,
) -> np.ndarray:
    """Return weights ``(5, V)`` that give the joints from the vertices of any person; expressions do not change the
    result."""
    joints, moves = head.data["joints"].astype(np.float64), head.data["joint_identity"].astype(np.float64)
    still = np.flatnonzero(np.linalg.norm(shapes, axis=2).max(0) < 1e-4)
    balls = np.union1d(regions["left_eye"], regions["right_eye"])
    still = np.setdiff1d(np.intersect1d(still, regions["skin"]), balls)
    regressor = np.zeros((len(JOINTS), len(template)))

    def fit(joint: int, among: np.ndarray, place: np.ndarray, moved: np.ndarray | None) -> None:
        people = [template[among].T, np.ones((1, len(among)))]
        targets = [place, np.ones(1)]
        if moved is not None:
            people += [direction[among].T for direction in identity]
            targets += list(moved)
        regressor[joint, among] = np.linalg.lstsq(np.concatenate(people), np.concatenate(targets), rcond=1e-9)[0]

    turning = NECK_SHARE * joints[0] + (1 - NECK_SHARE) * joints[1]
    fit(0, still, turning, NECK_SHARE * moves[:, 0] + (1 - NECK_SHARE) * moves[:, 1])
    fit(1, still, joints[1], moves[:, 1])
    nearest = np.argsort(np.linalg.norm((template[still] - jaw_pivot) * [0, 1, 1], axis=1))[:60]
    fit(2, np.union1d(still[nearest], _mirrored(template, still, still[nearest])), jaw_pivot, None)
    for joint, name in ((3, "left_eye"), (4, "right_eye")):
        fit(joint, regions[name], joints[joint - 1], moves[:, joint - 1])
    return regressor


def _mirrored(template: np.ndarray, among: np.ndarray, picked: np.ndarray) -> np.ndarray:
    """Return the vertices that lie nearest to the mirror images of others."""
    images = template[picked] * [-1, 1, 1]
    return among[np.linalg.norm(template[among][None] - images[:, None], axis=2).argmin(1)]


def measure(
    head: AnnyHead,
    free: FreeFlame,
    vertices: np.ndarray,
    picked: Callable[[np.random.Generator], np.ndarray] | None = None,
) -> dict[str, float]:
    """Return how far the free FLAME-format head is from the free head in the same expression, by region, mm rms.

    Args:
        head: the free head.
        free: the FLAME-format head made from it.
        vertices: indices of its vertices that the FLAME-format head has.
        picked: returns ARKit weights ``(n, 52)`` for the comparison; None: each channel alone at 1, and 48 random mixtures
            with weights as in speech (each 0.15 |N(0, 1)|).
    """
    from diffposetalk.head.flame.head import FlameHead

    rng = np.random.default_rng(0)
    if picked is None:
        mixed = np.clip(TYPICAL * np.abs(rng.standard_normal((48, len(CHANNELS)))), 0, 1)
        weights = np.concatenate([np.eye(len(CHANNELS)), mixed]).astype(np.float32)
    else:
        weights = picked(rng)
    moved = free.coefficients(Motion(weights, CHANNELS, np.zeros((len(weights), 3)), 25.0))
    same: Any = FlameHead.load(free.path)
    off = same.vertices(moved.expression, None, moved.jaw_pose, eye_pose=moved.eye_pose)
    off = off - head.vertices(weights)[:, vertices]
    squared = (off**2).sum(-1)
    names = ("lips", "eyelids", "upper_face", "skin", "lower_teeth", "left_eye", "right_eye")
    return {name: float(MM * np.sqrt(squared[:, same.regions[name]].mean())) for name in names}
