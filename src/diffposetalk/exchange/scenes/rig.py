"""Rig of a head for scene formats: a skinned mesh with morph targets and joints, and their animation.

GLB and USD are written from it. Nothing is baked: the formula of every head becomes morph weights and joint motion, so that
a player computes the vertices of `HeadModel.vertices` at each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError, ModelError
from diffposetalk.geometry import skinning
from diffposetalk.geometry.mesh import Mesh
from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.geometry.rotations import continuous_quaternions, matrices_of
from diffposetalk.head import HeadModel
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.head.anny.head import AnnyHead
    from diffposetalk.head.flame.head import FlameHead
    from diffposetalk.head.shapes.head import TargetsHead

USED = 1e-6
"""A morph target is used if the absolute value of its weight exceeds this in some frame."""
ANNY_JOINTS = (("Root", -1), ("Neck", 0), ("Head", 1), ("LeftEye", 2), ("RightEye", 2))
"""Names (as in humanoid avatars) and parents of the joints; the root holds what does not move."""
FLAME_JOINTS = ("Root", "Neck", "Jaw", "LeftEye", "RightEye")
"""Names of the joints of FLAME heads."""


@dataclass(frozen=True)
class Rig:
    """An animated head: `K` morph targets and `J` joints, parents before children."""

    mesh: Mesh
    """Surface of the person at rest."""
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    """Parent of each joint; -1 for the root."""
    joints: np.ndarray
    """``(J, 3)`` positions of the joints at rest, metres."""
    skin_weights: np.ndarray
    """``(V, J)`` float32; rows sum to 1."""
    shape_names: tuple[str, ...]
    shapes: np.ndarray
    """``(K, V, 3)`` float32 metres per unit, added before the joints move."""
    weights: np.ndarray
    """``(T, K)`` float32."""
    rotations: np.ndarray
    """``(T, J, 4)`` float32 unit quaternions x, y, z, w, relative to the parent; signs give the shorter way."""
    translations: np.ndarray
    """``(T, J, 3)`` or, if nothing shifts, ``(1, J, 3)`` float32 metres relative to the parent joint."""
    fps: float

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def turning(self) -> list[int]:
        """Numbers of the joints that may rotate: all except a root that never rotates."""
        still = self.rotations[:, 0, 3].min() == 1
        return list(range(1 if still else 0, len(self.joint_names)))

    def paths(self) -> list[str]:
        """Names of the joints with their parents, as in `Root/Neck/Head`."""
        paths: list[str] = []
        for name, parent in zip(self.joint_names, self.parents):
            paths.append(f"{paths[parent]}/{name}" if parent >= 0 else name)
        return paths

    def strongest(self, n_joints: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the joints with the largest weights at each vertex; engines take no more. Weights are scaled to sum 1.

        Returns:
            Joint numbers ``(V, n)`` uint8, 0 if a vertex has fewer, and weights ``(V, n)`` float32 that sum to 1.
        """
        padded = np.pad(self.skin_weights, ((0, 0), (0, max(0, n_joints - self.skin_weights.shape[1]))))
        order = np.argsort(-padded, axis=1, kind="stable")[:, :n_joints]
        shares = np.maximum(np.take_along_axis(padded, order, 1), 0).astype(np.float64)
        shares[shares < 1e-6] = 0
        shares = (shares / shares.sum(1, keepdims=True)).astype(np.float32)
        return np.where(shares > 0, order, 0).astype(np.uint8), shares


def rig_of(head: HeadModel, motion: Motion, identity: np.ndarray | None = None, used_only: bool = False) -> Rig:
    """Return the rig of a head with the animation of a motion.

    Args:
        head: an anny or a FLAME head, or a mesh of named shapes.
        motion: made for this head.
        identity: ``(I,)`` identity coefficients, which change the surface and joints at rest; None for the mean person.
        used_only: whether to leave out targets that the motion never uses.

    Raises:
        InputError: the motion has no frames.
        ModelError: it does not fit the head, or the head is of another kind.
    """
    from diffposetalk.head.anny.head import AnnyHead
    from diffposetalk.head.flame.head import FlameHead
    from diffposetalk.head.shapes.head import TargetsHead

    check_fits(head, motion, identity)
    if isinstance(head, AnnyHead):
        return _anny(head, motion, identity, used_only)
    if isinstance(head, FlameHead):
        return _flame(head, motion, identity, used_only)
    if isinstance(head, TargetsHead):
        return _targets(head, motion, used_only)
    raise ModelError(
        f"scenes can be made of anny and FLAME heads and meshes of named shapes, not of the head '{head.name}'"
    )


def check_fits(head: HeadModel, motion: Motion, identity: np.ndarray | None) -> None:
    """Check that a motion and an identity fit a head, before files are written.

    Raises:
        InputError: the motion has no frames.
        ModelError: motion or identity do not fit the head.
    """
    if len(motion) == 0:
        raise InputError("the motion has no frames, so there is nothing to write")
    if identity is not None and (np.ndim(identity) != 1 or not 1 <= len(identity) <= head.identity_dim):
        raise ModelError(f"the {head.name} head takes {head.identity_dim} identity values, got {np.shape(identity)}")
    next(iter(head.iter_vertices(motion.slice(0, 1), identity)))


def _anny(head: AnnyHead, motion: Motion, identity: np.ndarray | None, used_only: bool) -> Rig:
    """Rig of an Anny head: neck and head share the rotation; gaze channels move the lids as targets and rotate the eye joints.

    The gaze targets do not contain the eyeballs, so nothing moves twice.
    """
    from diffposetalk.head.anny.head import NECK_SHARE

    expression = head._ordered(motion)
    mesh = head.mesh(identity)
    places = head.data["joints"].astype(np.float64)
    if identity is not None:
        places = places + skinning.blend_shapes(np.asarray(identity, np.float64), head.data["joint_identity"])
    joints = np.concatenate([places[:1] * [0, 0, 0], places])
    joint_weights = head.data["joint_weights"]
    weights = np.zeros((len(mesh.vertices), 5), np.float32)
    weights[:, 1:3] = joint_weights
    weights[:, 0] = np.maximum(0, 1 - joint_weights.sum(1))
    for side, region in enumerate(("left_eye", "right_eye")):
        weights[head.regions[region]] = np.eye(5, dtype=np.float32)[3 + side]
    turns = np.zeros((len(motion), 5, 3))
    turns[:, 1], turns[:, 2] = motion.head_pose * NECK_SHARE, motion.head_pose * (1 - NECK_SHARE)
    turns[:, 3:] = skinning.blend_shapes(expression.astype(np.float64), head.data["eye_rotation"])
    parents = tuple(parent for _, parent in ANNY_JOINTS)
    names = tuple(name for name, _ in ANNY_JOINTS)
    still = _offsets(joints, parents)[None].astype(np.float32)
    return _rig(mesh, names, parents, joints, weights, head.expression_names, head.data["expression"], expression,
                turns, still, motion.fps, used_only)  # fmt: skip


def _flame(head: FlameHead, motion: Motion, identity: np.ndarray | None, used_only: bool) -> Rig:
    """Rig of a FLAME head: expression and pose shapes are targets; joints rotate, and shift with the expression."""
    model = head.model
    expression = head._ordered(motion)
    width = expression.shape[1]
    mesh = head.mesh(identity)
    places = head.person(identity, expression)[1].astype(np.float64)
    n_frames = len(motion)
    turns = np.zeros((n_frames, 5, 3))
    turns[:, 0] = motion.head_pose
    if motion.jaw_pose is not None:
        turns[:, 2] = motion.jaw_pose
    if motion.eye_pose is not None:
        turns[:, 3:] = motion.eye_pose.reshape(n_frames, 2, 3)
    names, shapes, curves = list(head.expression_names[:width]), [model.expression_basis[:width]], [expression]
    for joint in (2, 3, 4):
        if not np.any(turns[:, joint]) or not np.any(model.pose_basis[joint - 1]):
            continue
        entries = matrices_of(turns[:, joint]) - np.eye(3)
        names += [f"{FLAME_JOINTS[joint]}_{row}{column}" for row in "xyz" for column in "xyz"]
        shapes.append(model.pose_basis[joint - 1])
        curves.append(entries.reshape(n_frames, 9).astype(np.float32))
    moving = places + skinning.blend_shapes(expression.astype(np.float64), head.joint_expression[:width])
    parents = tuple(model.parents)
    shifts = _shifts(turns, moving, places, parents)
    if np.ptp(shifts, axis=0).max() < 1e-7:
        shifts = shifts[:1]
    return _rig(mesh, FLAME_JOINTS, parents, places, model.weights, tuple(names), np.concatenate(shapes),
                np.concatenate(curves, 1), turns, shifts.astype(np.float32), motion.fps, used_only)  # fmt: skip


def _targets(head: TargetsHead, motion: Motion, used_only: bool) -> Rig:
    """Rig of a mesh with named shapes: the whole mesh rotates with one joint."""
    mesh = head.mesh()
    names = tuple(name for name in head.expression_names if name in motion.expression_names)
    columns = [motion.expression_names.index(name) for name in names]
    joints = np.stack([np.zeros(3), np.asarray(head.pivot, np.float64)])
    turns = np.zeros((len(motion), 2, 3))
    turns[:, 1] = motion.head_pose
    skin = np.tile(np.array([0, 1], np.float32), (len(mesh.vertices), 1))
    shapes = head.deltas[[head.expression_names.index(name) for name in names]]
    return _rig(mesh, ("Root", "Head"), (-1, 0), joints, skin, names, shapes, motion.expression[:, columns], turns,
                joints[None].astype(np.float32), motion.fps, used_only)  # fmt: skip


def _rig(
    mesh: Mesh,
    joint_names: tuple[str, ...],
    parents: tuple[int, ...],
    joints: np.ndarray,
    skin_weights: np.ndarray,
    names: tuple[str, ...],
    shapes: np.ndarray,
    weights: np.ndarray,
    turns: np.ndarray,
    translations: np.ndarray,
    fps: float,
    used_only: bool,
) -> Rig:
    used = np.arange(len(names))
    if used_only:
        used = np.flatnonzero(np.abs(weights).max(0) > USED)
    return Rig(
        mesh, joint_names, parents, joints.astype(np.float32), np.asarray(skin_weights, np.float32),
        tuple(names[k] for k in used), np.asarray(shapes, np.float32)[used], np.asarray(weights, np.float32)[:, used],
        continuous_quaternions(turns).astype(np.float32), translations, fps,
    )  # fmt: skip


def _offsets(joints: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Return the position of each joint relative to its parent, ``(..., J, 3)``."""
    offsets = np.array(joints)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            offsets[..., joint, :] = joints[..., joint, :] - joints[..., parent, :]
    return offsets


def _shifts(turns: np.ndarray, pivots: np.ndarray, rest: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Return translations with which joints bound at `rest` rotate about `pivots`.

    Args:
        turns: ``(T, J, 3)`` rotation vectors.
        pivots: ``(T, J, 3)`` metres, in each frame.
        rest: ``(J, 3)`` positions at which the joints are bound, metres.
        parents: parent of each joint.

    Returns:
        ``(T, J, 3)`` metres relative to the parent joint, in its frame.
    """
    locals_ = [matrices_of(turns[:, joint]) for joint in range(len(parents))]
    world = skinning.chain_transforms(locals_, pivots, parents)
    origins = [rotation @ place + shift for (rotation, shift), place in zip(world, rest)]
    translations = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            translations.append(origins[joint])
        else:
            across = origins[joint] - origins[parent]
            translations.append((world[parent][0].swapaxes(-1, -2) @ across[..., None])[..., 0])
    return np.stack(translations, 1)


def normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the unit normal of each vertex ``(V, 3)`` float32, +Z where no triangle adjoins."""
    return vertex_normals(vertices, faces, lone=(0, 0, 1)).astype(np.float32)


def normal_shapes(rig: Rig) -> np.ndarray:
    """Return the change of the normals by each target at weight 1, ``(K, V, 3)`` float32; exactly 0 where it is negligible."""
    rest = normals(rig.mesh.vertices, rig.mesh.faces)
    changes = np.zeros_like(rig.shapes)
    for index, shape in enumerate(rig.shapes):
        changes[index] = normals(rig.mesh.vertices + shape, rig.mesh.faces) - rest
    changes[np.abs(changes).max(2) < 1e-4] = 0
    return changes
