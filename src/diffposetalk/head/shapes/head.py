"""Any mesh with named shapes as a head: a neutral face and what each shape adds, such as an avatar's ARKit targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.errors import InputError, ModelError
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry import skinning
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.mesh import Material, Mesh
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.geometry.skinning import Array
from diffposetalk.head.base import ShapesHead
from diffposetalk.head.flame.files import read_arrays
from diffposetalk.head.flame.landmarks import MEDIAPIPE_KEYS, mediapipe_of
from diffposetalk.head.rig import Rig, quaternions_of
from diffposetalk.head.shapes.names import few, spelling, viseme_names
from diffposetalk.motion import Motion

SKIN = Material("skin", (0.36, 0.2, 0.15), roughness=0.5, specular=0.3, subsurface=0.4, inside=(0.04, 0.01, 0.01))
EYE = Material("eye", (0.75, 0.75, 0.75), roughness=0.1, specular=0.6)
LIPS_BY = ("mouthRollLower", "mouthRollUpper", "mouthPucker", "mouthFunnel", "mouthClose")
"""Shapes by which the lips are found."""
LIDS_BY = ("eyeBlinkLeft", "eyeBlinkRight")
"""Shapes by which the eyelids are found."""
BROWS_BY = ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
"""Shapes by which the brows are found."""


@dataclass(frozen=True, repr=False)
class TargetsHead(ShapesHead):
    """A head of named shapes; weights in [0, 1] add up, head rotation turns the whole mesh about `pivot`."""

    name: str
    neutral: np.ndarray = field(repr=False)
    """``(V, 3)`` metres, Y up, face toward +Z, +X the subject's left."""
    faces: np.ndarray = field(repr=False)
    """``(F, 3)`` int32."""
    expression_names: tuple[str, ...]
    deltas: np.ndarray = field(repr=False)
    """``(E, V, 3)`` metres per unit."""
    mediapipe: tuple[Landmarks, np.ndarray] | None = field(default=None, repr=False)
    """MediaPipe's landmarks that are known on this head, and which those are."""
    given_regions: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    """Vertex indices by name where known; others are found by the shapes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "neutral", np.asarray(self.neutral, np.float32))
        object.__setattr__(self, "deltas", np.asarray(self.deltas, np.float32))
        object.__setattr__(self, "faces", np.asarray(self.faces, np.int32))
        object.__setattr__(self, "expression_names", tuple(str(name) for name in self.expression_names))
        n_vertices, n_names = len(self.neutral), len(self.expression_names)
        if self.neutral.shape != (n_vertices, 3) or self.deltas.shape != (n_names, n_vertices, 3) or not n_names:
            raise InputError(
                f"{self.name}: {n_names} names and {n_vertices} vertices, but the shapes are {self.deltas.shape}"
            )
        if len(set(self.expression_names)) < n_names:
            raise InputError(f"{self.name}: two shapes have one name")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3 or not len(self.faces):
            raise InputError(f"{self.name}: faces must be (F, 3) triangles, got {self.faces.shape}")
        if self.faces.min() < 0 or self.faces.max() >= n_vertices:
            raise InputError(f"{self.name}: faces point outside its {n_vertices} vertices")
        if not (np.isfinite(self.neutral).all() and np.isfinite(self.deltas).all()):
            raise InputError(f"{self.name}: vertices or shapes hold numbers that are not finite")

    @staticmethod
    def of(
        name: str,
        neutral: np.ndarray,
        faces: np.ndarray,
        names: tuple[str, ...] | list[str],
        deltas: np.ndarray,
        mediapipe: tuple[Landmarks, np.ndarray] | None = None,
        regions: dict[str, np.ndarray] | None = None,
        metres: float | None = None,
    ) -> TargetsHead:
        """Make a head of arrays as they are found.

        Names in other spellings of ARKit's (`browDown_L`, `JawOpen`, `mesh.eyeBlinkRight`, `A25_Jaw_Open`) are brought
        to ours; halves of an unsided channel (`browInnerUp_L`, `browInnerUp_R`) are added up. Quads are split.

        Args:
            name: what motions for it carry.
            neutral: ``(V, 3)``.
            faces: ``(F, 3)`` or ``(F, 4)``.
            names: of the shapes.
            deltas: ``(E, V, 3)`` what each adds, in the unit of `neutral`.
            mediapipe: landmarks and their numbers, if known.
            regions: vertex indices by name, if known.
            metres: length of the unit; by default told from the size (a head is 0.1 to 3 m, else cm, else mm).

        Raises:
            InputError: the arrays do not fit one another.
        """
        faces = np.asarray(faces)
        if faces.ndim == 2 and faces.shape[1] == 4:
            faces = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
        places, moves = np.asarray(neutral, np.float64), np.asarray(deltas)
        if metres is None:
            height = float(np.ptp(places[:, 1])) if places.ndim == 2 and len(places) else 1.0
            metres = 1.0 if height < 3 else 1e-2 if height < 100 else 1e-3
        if len(moves) != len(names):
            raise InputError(f"{name}: {len(names)} names but {len(moves)} shapes")
        merged = _by_channel([str(each) for each in names], moves)
        stacked = np.stack(list(merged.values())) if merged else np.zeros((0, len(places), 3))
        return TargetsHead(
            name, places * metres, faces, tuple(merged), stacked * metres, mediapipe, dict(regions or {})
        )

    @staticmethod
    def load(path: str | Path) -> TargetsHead:
        """Read a head from `.glb`, `.gltf` or `.vrm` with named morph targets, or from `.npz`.

        An npz has `neutral` (V, 3), `faces`, `names` (E) and `deltas` (E, V, 3); it may have `metres` (length of the
        unit), MediaPipe's landmarks by the names of FLAME's embedding (`lmk_face_idx`, `lmk_b_coords`,
        `landmark_indices`) and `region_lips`, `region_eyelids`, `region_upper_face` and others (vertex indices).

        Raises:
            InputError: it is missing, damaged, or has no named shapes.
        """
        path = Path(path)
        if path.suffix.lower() in (".glb", ".gltf", ".vrm"):
            from diffposetalk.head.shapes.gltf import read_targets

            neutral, faces, names, deltas = read_targets(path)
            with parsing(path, "head"):
                return TargetsHead.of(path.stem, neutral, faces, names, deltas)
        with parsing(path, "head"):
            return TargetsHead._of_arrays(read_arrays(path), path)

    @staticmethod
    def _of_arrays(arrays: dict[str, Any], path: Path) -> TargetsHead:
        missing = [key for key in ("neutral", "faces", "names", "deltas") if key not in arrays]
        if missing:
            raise InputError(
                f"{path}: is not a head, it lacks {', '.join(missing)}; docs/retargeting.md tells how to make one of arrays"
            )
        faces = np.asarray(arrays["faces"])
        marks = None
        if set(MEDIAPIPE_KEYS) <= set(arrays):
            marks = mediapipe_of(arrays, faces, path)
        regions = {key[7:]: np.asarray(value) for key, value in arrays.items() if key.startswith("region_")}
        metres = float(arrays["metres"]) if "metres" in arrays else None
        names = [str(each) for each in np.atleast_1d(arrays["names"])]
        try:
            return TargetsHead.of(path.stem, arrays["neutral"], faces, names, arrays["deltas"], marks, regions, metres)
        except InputError as error:
            raise InputError(f"{path}: {str(error).removeprefix(f'{path.stem}: ')}") from None

    def save(self, path: str | Path) -> None:
        """Write an npz that `load` reads, such as after giving a mesh landmarks."""
        from diffposetalk.files.atomic import replacing

        arrays = {"neutral": self.neutral, "faces": self.faces, "names": np.array(self.expression_names)}
        arrays |= {"deltas": self.deltas, "metres": np.array(1.0)}
        arrays |= {f"region_{name}": index for name, index in self.given_regions.items()}
        if self.mediapipe is not None:
            marks, numbers = self.mediapipe
            rows = {tuple(sorted(corners)): row for row, corners in enumerate(self.faces.tolist())}
            order = [rows[tuple(sorted(corners))] for corners in marks.corners.tolist()]
            turned = [
                [corners.index(c) for c in self.faces[row]] for row, corners in zip(order, marks.corners.tolist())
            ]
            shares = np.take_along_axis(marks.shares, np.array(turned), 1)
            arrays |= dict(zip(MEDIAPIPE_KEYS, (np.array(order), shares, numbers)))
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    @property
    def n_vertices(self) -> int:
        """V."""
        return len(self.neutral)

    @property
    def identity_dim(self) -> int:
        """0: such a head is one person."""
        return 0

    @cached_property
    def regions(self) -> dict[str, np.ndarray]:
        """Vertex indices by name: skin, lips, eyelids, upper_face, and eyeballs where they are pieces of their own.

        Found by the shapes unless given: skin is the largest connected piece, eyeballs are pieces that gaze moves but
        blinking does not, the others are what a few shapes move most.
        """
        regions = dict(self.given_regions)
        pieces = connected(self.neutral, self.faces)
        largest = np.bincount(pieces).argmax()
        regions.setdefault("skin", np.flatnonzero(pieces == largest))
        for side, sign in (("Left", 1), ("Right", -1)):
            ball = self._ball(pieces, int(largest), side, sign)
            if len(ball):
                regions.setdefault(f"{side.lower()}_eye", ball)
        skin = regions["skin"]
        for name, by, share in (
            ("lips", LIPS_BY, 0.4),
            ("eyelids", LIDS_BY, 0.25),
            ("upper_face", BROWS_BY, 0.2),
        ):
            moved = self._moved(by)[skin]
            regions.setdefault(name, skin[moved >= share * moved.max()] if moved.max() > 0 else skin)
        return regions

    def _moved(self, names: tuple[str, ...]) -> np.ndarray:
        """Return how far each vertex goes by the shapes named, each relative to its own largest movement ``(V,)``."""
        total = np.zeros(self.n_vertices)
        for name in names:
            if name in self.expression_names:
                moved = np.linalg.norm(self.deltas[self.expression_names.index(name)], axis=1)
                total = np.maximum(total, moved / max(float(moved.max()), 1e-12))
        return total

    def _ball(self, pieces: np.ndarray, skin: int, side: str, sign: int) -> np.ndarray:
        """Return the vertices of an eyeball: the largest round piece that gaze turns and nothing else moves."""
        gaze = self._moved(tuple(f"eyeLook{way}{side}" for way in ("In", "Out", "Up", "Down")))
        other = self._moved(("jawOpen", f"eyeBlink{side}", f"browDown{side}"))
        best = np.zeros(0, int)
        for piece in np.unique(pieces[gaze > 0.05]):
            index = np.flatnonzero(pieces == piece)
            spread = np.ptp(self.neutral[index], axis=0)
            is_round = spread.min() > 0.4 * spread.max()
            if piece != skin and is_round and len(index) > max(len(best), 11) and other[index].max() < 0.05:
                best = index
        return best

    def _placed(self, expression: Array, head_pose: Array | None, identity: Array | None) -> Array:
        moved = skinning.like(self.neutral, expression)
        moved = moved + skinning.blend_shapes(expression, skinning.like(self.deltas, expression))
        if head_pose is None:
            return moved
        turn = rotation_matrix(skinning.like(head_pose, expression))
        return skinning.rotate_about(moved, turn, skinning.like(self.pivot, expression))

    @cached_property
    def pivot(self) -> np.ndarray:
        """``(3,)`` metres, where the head turns: below and behind the face, a face's size from its middle."""
        face = self.neutral[np.linalg.norm(self.deltas, axis=-1).max(0) > 1e-3]
        face = face if len(face) else self.neutral
        middle, height = 0.5 * (face.min(0) + face.max(0)), float(np.ptp(face[:, 1]))
        return np.array([middle[0], middle[1] - 0.4 * height, middle[2] - 0.6 * height], np.float32)

    def expression_basis(self, region: str | np.ndarray) -> np.ndarray:
        """Return what each shape adds to a region's vertices: ``(E, n, 3)`` metres per unit."""
        return self.deltas[:, self._index(region)]

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """Return the resting surface in plain colours."""
        ball = np.zeros(self.n_vertices, bool)
        for name in ("left_eye", "right_eye"):
            ball[self.regions.get(name, [])] = True
        return Mesh(self.neutral, self.faces, None, (SKIN, EYE), ball[self.faces].all(1).astype(np.int32))

    def rig(self, motion: Motion, identity: np.ndarray | None = None) -> Rig:
        """Return a motion as morph weights and joint motion: the whole mesh rotates with one joint."""
        mesh = self.mesh()
        names = tuple(name for name in self.expression_names if name in motion.expression_names)
        joints = np.stack([np.zeros(3), np.asarray(self.pivot, np.float64)]).astype(np.float32)
        turns = np.zeros((len(motion), 2, 3))
        turns[:, 1] = motion.head_pose
        columns = [motion.expression_names.index(name) for name in names]
        return Rig(
            mesh=mesh,
            joint_names=("Root", "Head"),
            parents=(-1, 0),
            joints=joints,
            skin_weights=np.tile(np.array([0, 1], np.float32), (len(mesh.vertices), 1)),
            shape_names=names,
            shapes=self.deltas[[self.expression_names.index(name) for name in names]],
            weights=np.asarray(motion.expression, np.float32)[:, columns],
            rotations=quaternions_of(turns),
            translations=joints[None],
            fps=motion.fps,
        )

    def _ordered(self, motion: Motion) -> np.ndarray:
        """Return a motion's expression ``(T, E)`` in the order of this head's channels.

        ARKit channels that this head lacks have no effect; channels of the head that the motion lacks are 0.

        Raises:
            ModelError: the motion has a channel that is neither this head's nor ARKit's, or no channel of this head.
        """
        if not set(motion.expression_names) & set(self.expression_names):
            raise ModelError(self._mismatch(motion))
        expression = np.zeros((len(motion), len(self.expression_names)), np.float32)
        for column, name in enumerate(motion.expression_names):
            if name in self.expression_names:
                expression[:, self.expression_names.index(name)] = motion.expression[:, column]
            elif name not in INDEX:
                raise ModelError(f"this motion does not fit the head {self.name}: it has the channel {name}")
        return expression

    def _mismatch(self, motion: Motion) -> str:
        """Return the message for a motion that has no channel in common with this head."""
        line = (
            f"the head {self.name} has none of the motion's channels: it has {few(self.expression_names)}; "
            f"the motion has {few(motion.expression_names)}"
        )
        if viseme_names(self.expression_names):
            line += "; for a head of visemes use `diffposetalk export motion.npz -o talk_visemes.json`"
        return line


def _by_channel(names: Sequence[str], moves: np.ndarray) -> dict[str, np.ndarray]:
    """Bring names to ARKit's and join the shapes of one channel.

    Halves of a channel without sides add up. Where a channel has several spellings, as of face, teeth and lashes, each
    moves the vertices that the ones before leave at rest.
    """
    whole: dict[str, list[np.ndarray]] = {}
    halves: dict[str, np.ndarray] = {}
    for name, move in zip(names, moves):
        new = spelling(name)
        whole.setdefault(new.channel, [])
        if new.half:
            halves[new.channel] = halves[new.channel] + move if new.channel in halves else move
        elif name == new.channel:
            whole[new.channel].insert(0, move)
        else:
            whole[new.channel].append(move)
    merged: dict[str, np.ndarray] = {}
    for channel, layers in whole.items():
        layers = [*layers, halves[channel]] if channel in halves else layers
        merged[channel] = layers[0]
        for layer in layers[1:]:
            moved = (merged[channel] != 0).any(-1, keepdims=True)
            merged[channel] = np.where(moved, merged[channel], layer)
    return merged


def connected(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the number of the connected piece of each vertex ``(V,)``; vertices at one place count as one."""
    _, same = np.unique(np.round(vertices, 7), axis=0, return_inverse=True)
    corners = same.reshape(-1)[faces]
    label = np.arange(int(same.max()) + 1)
    while True:
        lowest = label[corners].min(1)
        new = label.copy()
        np.minimum.at(new, corners.reshape(-1), np.repeat(lowest, 3))
        np.minimum.at(new, label[corners].reshape(-1), np.repeat(lowest, 3))
        new = new[new]
        if np.array_equal(new, label):
            return np.unique(label, return_inverse=True)[1][same.reshape(-1)]
        label = new
