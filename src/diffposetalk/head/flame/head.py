"""FLAME: the head of the paper, from the user's own licensed file.

Frame: metres, Y up, face toward +Z, as in the model file. With coefficients `c` of identity and expression and rotations
`R_j` of the joints (root, neck, jaw, left eye, right eye):

    u = template + shapes c + sum_j poses_j (R_j - I)        joints = regressor (template + shapes c)
    v = sum_j weight_j (G_j u),   G_j = G_parent(j) . (rotation R_j about joint j)

Source: Li, Bolkart, Black, Li, Romero: Learning a model of facial shape and expression from 4D scans (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.geometry import skinning
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.mesh import Mesh
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.geometry.skinning import Array
from diffposetalk.head.base import BaseHead
from diffposetalk.head.flame.files import JOINTS, FlameModel, read_masks, read_model
from diffposetalk.head.flame.landmarks import (
    EMBEDDING_KEYS,
    MEDIAPIPE_KEYS,
    FlameLandmarks,
    embedding_of,
    mediapipe_of,
    read_embedding,
    read_mediapipe,
)
from diffposetalk.head.flame.look import mesh_of
from diffposetalk.head.flame.regions import masks_within, outlines_of, regions_of
from diffposetalk.head.flame.rig import rig_of
from diffposetalk.head.rig import Rig
from diffposetalk.motion import Motion

LANDMARK_FILES = ("landmark_embedding.npy",)
"""Names of the files of FLAME's 68 landmarks beside the model."""
MEDIAPIPE_FILES = ("mediapipe_landmark_embedding.npz",)
"""Names of the files of MediaPipe's landmarks beside the model."""
MASK_FILES = ("FLAME_masks.pkl",)
"""Names of the files of masks beside the model."""


@dataclass(frozen=True, repr=False)
class FlameHead(BaseHead):
    """FLAME as a `HeadModel`; every method takes numpy or torch and is differentiable with torch."""

    model: FlameModel = field(repr=False)
    """The arrays of the file."""
    joints: np.ndarray = field(repr=False)
    """``(5, 3)`` metres: joints of the template."""
    joint_identity: np.ndarray = field(repr=False)
    """``(I, 5, 3)`` metres per unit."""
    joint_expression: np.ndarray = field(repr=False)
    """``(E, 5, 3)`` metres per unit."""
    masks: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    """Vertex indices by FLAME's names; empty without masks."""
    points: FlameLandmarks | None = field(default=None, repr=False)
    """The 68 landmarks; None without an embedding."""
    mediapipe: tuple[Landmarks, np.ndarray] | None = field(default=None, repr=False)
    """MediaPipe's landmarks that are known on this head, and their numbers; None without an embedding."""
    name: str = "flame"
    _landmarks_from = ": put FLAME's mediapipe_landmark_embedding.npz beside the model"
    _converted: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        path: str | Path,
        n_identity: int = 100,
        n_expression: int = 50,
        landmarks: str | Path | Sequence[str | Path] | None = None,
        masks: str | Path | None = None,
    ) -> FlameHead:
        """Load a model file with its landmarks and masks.

        Args:
            path: `generic_model.pkl` (2020), `flame2023*.pkl`, or an npz with the same keys.
            n_identity: identity coefficients, 1 to 300; the paper's model uses 100.
            n_expression: expression coefficients, 1 to 100; the paper's model uses 50.
            landmarks: `landmark_embedding.npy`, `mediapipe_landmark_embedding.npz`, or both; None: those beside the model or
                in it.
            masks: `FLAME_masks.pkl`; None: the one beside the model, or the masks in it.

        Raises:
            InputError: a file is missing, refused or damaged; the message names file and key.
            ModelError: the model has fewer coefficients.
        """
        path = Path(path)
        model = read_model(path, n_identity, n_expression)
        listed = [landmarks] if isinstance(landmarks, (str, Path)) else list(landmarks or ())
        if landmarks is None:
            beside = [path.with_name(name) for name in LANDMARK_FILES + MEDIAPIPE_FILES]
            listed = [file for file in beside if file.is_file()]
        points = mediapipe = None
        if set(EMBEDDING_KEYS) <= set(model.extras):
            points = embedding_of(model.extras, model.faces, path)
        if set(MEDIAPIPE_KEYS) <= set(model.extras):
            mediapipe = mediapipe_of(model.extras, model.faces, path)
        for file in map(Path, listed):
            if file.suffix == ".npz":
                mediapipe = read_mediapipe(file, model.faces)
            else:
                points = read_embedding(file, model.faces)
        if masks is None:
            beside = [path.with_name(name) for name in MASK_FILES]
            masks = next((file for file in beside if file.is_file()), None)
        named = masks_within(model) if masks is None else read_masks(Path(masks), len(model.template))
        regress = model.joint_regressor
        return cls(
            model,
            (regress @ model.template).astype(np.float32),
            np.einsum("jv,kvc->kjc", regress, model.identity_basis, optimize=True).astype(np.float32),
            np.einsum("jv,kvc->kjc", regress, model.expression_basis, optimize=True).astype(np.float32),
            named,
            points,
            mediapipe,
        )

    @property
    def faces(self) -> np.ndarray:
        """``(F, 3)`` int32."""
        return self.model.faces

    @property
    def n_vertices(self) -> int:
        """V."""
        return len(self.model.template)

    @property
    def identity_dim(self) -> int:
        """How many identity coefficients were loaded."""
        return len(self.model.identity_basis)

    @cached_property
    def expression_names(self) -> tuple[str, ...]:
        """`exp_00`, `exp_01`, ..."""
        return tuple(f"exp_{index:02d}" for index in range(len(self.model.expression_basis)))

    @cached_property
    def regions(self) -> dict[str, np.ndarray]:
        """Vertex indices by name; see `head.flame.regions.regions_of`."""
        return regions_of(self.model, self.masks, outlines_of(self.model, self.points, self.mediapipe))

    @property
    def still_landmarks(self) -> tuple[Landmarks, np.ndarray] | None:
        """FLAME's 51 static landmarks, and the MediaPipe landmarks that they replace; None without an embedding."""
        from diffposetalk.head.flame.free_points import STILL

        return None if self.points is None else (self.points.static, np.array(STILL))

    @property
    def inner_lips(self) -> tuple[Landmarks, Landmarks] | None:
        """Facing points of the upper and the lower inner lip among the 68 landmarks; None without an embedding."""
        return None if self.points is None else self.points.inner_lips

    def vertices(
        self,
        expression: Array,
        head_pose: Array | None = None,
        jaw_pose: Array | None = None,
        identity: Array | None = None,
        neck_pose: Array | None = None,
        eye_pose: Array | None = None,
        *,
        pose_mats: Array | None = None,
        ignore_head_pose: bool = False,
    ) -> Array:
        """Place every vertex.

        Leading dimensions of all arguments broadcast. An argument that is None means rest and takes no time. An identity
        shared by many frames, ``(I,)`` or expanded, is blended once.

        Args:
            expression: ``(..., k)`` the leading k of the expression coefficients; numpy or torch.
            head_pose: ``(..., 3)`` axis-angle of the root, radians.
            jaw_pose: ``(..., 3)`` axis-angle of the jaw, radians.
            identity: ``(..., k)`` or ``(k,)``, the leading k of the identity coefficients; None for the mean person.
            neck_pose: ``(..., 3)`` axis-angle of the neck, radians; always None in the paper.
            eye_pose: ``(..., 6)`` axis-angle of left and right eye, radians.
            pose_mats: ``(..., 18)`` or ``(..., 2, 3, 3)`` rotation matrices of root and jaw, instead of head_pose and
                jaw_pose.
            ignore_head_pose: whether the root stays at rest.

        Returns:
            ``(..., V, 3)`` metres, of the kind of `expression`.

        Raises:
            ModelError: wrong widths.

        The rotation formula is exact. The released code uses `|r + 1e-8|` as the angle, which differs by 1e-8.
        """
        expression = skinning.floating(expression)
        person = self.person(identity, expression)
        turns = self._rotations(expression, (head_pose, neck_pose, jaw_pose), eye_pose, pose_mats)
        if ignore_head_pose:
            turns[0] = None
        return self._place(person, expression, turns)

    def person(self, identity: Array | None, reference: Array) -> tuple[Array, Array]:
        """Return the resting surface ``(..., V, 3)`` and joints ``(..., 5, 3)`` of a person, metres, as the kind of array of
        `reference`."""
        get = self._constants(reference)
        shape, joints = get("template"), get("joints")
        if identity is None:
            return shape, joints
        who = skinning.folded(skinning.like(identity, reference))
        width = who.shape[-1]
        if not 1 <= width <= self.identity_dim:
            raise ModelError(f"this FLAME head takes up to {self.identity_dim} identity coefficients, got {width}")
        return (
            shape + skinning.blend_shapes(who, get("identity_basis")[:width]),
            joints + skinning.blend_shapes(who, get("joint_identity")[:width]),
        )

    def _rotations(
        self, reference: Array, poses: tuple[Array | None, ...], eye_pose: Array | None, pose_mats: Array | None
    ) -> list[Array | None]:
        """Return a rotation matrix for each joint; None for a joint at rest."""
        for name, value in zip(("head_pose", "neck_pose", "jaw_pose"), poses):
            if value is not None and value.shape[-1] != 3:
                raise ModelError(f"{name} must be (..., 3) axis-angle, got {tuple(value.shape)}")
        turns: list[Array | None] = [
            None if pose is None else rotation_matrix(skinning.like(pose, reference)) for pose in poses
        ]
        if pose_mats is not None:
            if poses[0] is not None or poses[2] is not None:
                raise ModelError("give either pose_mats or head_pose and jaw_pose")
            mats = skinning.like(pose_mats, reference)
            if mats.shape[-1] == 18:
                mats = mats.reshape((*mats.shape[:-1], 2, 3, 3))
            if tuple(mats.shape[-3:]) != (2, 3, 3):
                raise ModelError(f"pose_mats must be (..., 18) or (..., 2, 3, 3), got {tuple(mats.shape)}")
            turns[0], turns[2] = mats[..., 0, :, :], mats[..., 1, :, :]
        if eye_pose is None:
            return [*turns, None, None]
        if eye_pose.shape[-1] != 6:
            raise ModelError(f"eye_pose must be (..., 6) axis-angle of both eyes, got {tuple(eye_pose.shape)}")
        eyes = skinning.like(eye_pose, reference)
        return [*turns, rotation_matrix(eyes[..., :3]), rotation_matrix(eyes[..., 3:])]

    def _place(self, person: tuple[Array, Array], expression: Array, turns: list[Array | None]) -> Array:
        """Add expression and pose shapes to a person, then skin the vertices."""
        get = self._constants(expression)
        width = expression.shape[-1]
        if not 1 <= width <= len(self.expression_names):
            n_held = len(self.expression_names)
            raise ModelError(f"this FLAME head takes up to {n_held} expression coefficients, got {width}")
        shape, joints = person
        moved = shape + skinning.blend_shapes(expression, get("expression_basis")[:width])
        active = [joint for joint, turn in enumerate(turns) if turn is not None]
        if not active:
            return moved
        joints = joints + skinning.blend_shapes(expression, get("joint_expression")[:width])
        for joint in active:
            if joint > 0:
                entries = (turns[joint] - get("unit")).reshape((*turns[joint].shape[:-2], 9))  # type: ignore[union-attr]
                moved = moved + skinning.blend_shapes(entries, get("pose_basis")[joint - 1])
        weights, parents = self._held(tuple(active))
        transforms = skinning.chain_transforms([turns[joint] for joint in active], joints[..., active, :], parents)
        return skinning.linear_blend_skinning(moved, skinning.like(weights, expression), transforms)

    def _held(self, active: tuple[int, ...]) -> tuple[np.ndarray, list[int]]:
        """Return the weights ``(V, n)`` and the parents of the joints that rotate; a joint at rest is merged with its
        parent."""
        if active not in self._converted:

            def holder(joint: int) -> int:
                while joint >= 0 and joint not in active:
                    joint = self.model.parents[joint]
                return active.index(joint) if joint >= 0 else -1

            weights = np.zeros((self.n_vertices, len(active) + 1), np.float32)  # the last column: the fixed base
            for joint in range(len(JOINTS)):
                weights[:, holder(joint)] += self.model.weights[:, joint]
            self._converted[active] = weights[:, :-1], [holder(self.model.parents[joint]) for joint in active]
        return self._converted[active]

    def _constants(self, reference: Array) -> Any:
        """Return the head's arrays by name as the kind of array that `reference` is, converted once."""
        key = (str(reference.dtype), str(getattr(reference, "device", "")) if skinning.is_tensor(reference) else None)
        arrays = self._converted.setdefault(key, {})

        def get(name: str) -> Array:
            if name not in arrays:
                own = np.eye(3) if name == "unit" else getattr(self if name.startswith("joint") else self.model, name)
                arrays[name] = skinning.like(own, reference)
            return arrays[name]

        return get

    def neutral(self, region: str | np.ndarray = "skin", identity: np.ndarray | None = None) -> np.ndarray:
        """Return resting positions of a region's vertices: ``(n, 3)`` metres."""
        return self.person(identity, self.model.template)[0][self._index(region)]

    def expression_basis(self, region: str | np.ndarray) -> np.ndarray:
        """Return the displacement of a region's vertices per unit of each coefficient, all joints at rest: ``(E, n, 3)``
        metres."""
        return self.model.expression_basis[:, self._index(region)]

    def part(self, region: str | np.ndarray) -> FlameHead:
        """Return a head that has only a region's vertices, without triangles and landmarks, for losses on these vertices."""
        index = self._index(region)
        m = self.model
        cut = replace(
            m,
            template=m.template[index],
            faces=np.zeros((0, 3), np.int32),
            identity_basis=np.ascontiguousarray(m.identity_basis[:, index]),
            expression_basis=np.ascontiguousarray(m.expression_basis[:, index]),
            pose_basis=np.ascontiguousarray(m.pose_basis[:, :, index]),
            joint_regressor=np.zeros((len(JOINTS), len(index))),
            weights=m.weights[index],
            extras={},
        )
        return replace(self, model=cut, masks={}, points=None, mediapipe=None, _converted={})

    def landmarks_3d(self, vertices: Array) -> Array:
        """Return the 68 static landmarks: ``(..., 68, 3)`` metres.

        Raises:
            ModelError: there is no landmark embedding.
        """
        return self._points().full.of(vertices)

    def landmarks_2d(self, vertices: Array, head_pose: Array | None = None, neck_pose: Array | None = None) -> Array:
        """Return the 17 landmarks of the visible outline, then the 51 static ones: ``(..., 68, 3)`` metres. The outline
        depends on the turn of the head, in whole degrees, like FLAME's dynamic landmarks.

                Args:
                    vertices: ``(..., V, 3)`` vertices in these poses.
                    head_pose: ``(..., 3)`` axis-angle of the root, radians; None for rest.
                    neck_pose: ``(..., 3)`` axis-angle of the neck, radians; None for rest.

                Raises:
                    ModelError: there is no landmark embedding.
        """
        return self._points().seen(vertices, head_pose, neck_pose)

    def _points(self) -> FlameLandmarks:
        if self.points is None:
            raise ModelError("this FLAME head has no landmarks: put FLAME's landmark_embedding.npy beside the model")
        return self.points

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """Return the resting surface of a person, with materials."""
        return mesh_of(self.model, self.person(identity, self.model.template)[0], self.regions)

    def rig(self, motion: Motion, identity: np.ndarray | None = None) -> Rig:
        """Return a motion as morph weights and joint motion."""
        return rig_of(self, motion, self._ordered(motion), identity)

    @property
    def jointed(self) -> FlameHead:
        """This head."""
        return self

    def _posed(self, motion: Motion, expression: np.ndarray, frames: slice, identity: np.ndarray | None) -> np.ndarray:
        """Return the vertices of some frames; FLAME also has a jaw and eyes to turn."""
        if identity is not None and np.ndim(identity) != 1:
            raise ModelError(f"expected one identity (k,) for the whole motion, got the shape {np.shape(identity)}")
        jaw, eyes = (None if pose is None else pose[frames] for pose in (motion.jaw_pose, motion.eye_pose))
        return self.vertices(expression[frames], motion.head_pose[frames], jaw, identity, eye_pose=eyes)

    def _ordered(self, motion: Motion) -> np.ndarray:
        names = tuple(motion.expression_names)
        if names == self.expression_names[: len(names)]:
            return motion.expression
        unknown = [name for name in names if name not in self.expression_names]
        if unknown:
            raise ModelError(
                f"this motion does not fit a FLAME head of {len(self.expression_names)} expression coefficients: "
                f"it has the channel {unknown[0]}"
            )
        ordered = np.zeros((len(motion), len(self.expression_names)), np.float32)
        ordered[:, [self.expression_names.index(name) for name in names]] = motion.expression
        return ordered
