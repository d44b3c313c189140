"""Rig of a FLAME head: expression and pose shapes become morph targets; joints rotate and move with the expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.geometry import skinning
from diffposetalk.geometry.rotations import matrices_of
from diffposetalk.head.rig import Rig, quaternions_of, shifts_of
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.head.flame.head import FlameHead

JOINT_NAMES = ("Root", "Neck", "Jaw", "LeftEye", "RightEye")
"""Names of the joints in a rig, in the order of `files.JOINTS`."""
STILL_M = 1e-7
"""Joints that move by less than this in a whole motion get a constant position, metres."""


def rig_of(head: FlameHead, motion: Motion, expression: np.ndarray, identity: np.ndarray | None) -> Rig:
    """Return the rig of a motion; see `HeadModel.rig`.

    Args:
        head: the head.
        motion: gives the poses.
        expression: ``(T, E)`` of the motion, in the order of the head's leading channels.
        identity: ``(I,)`` or None for the mean person.
    """
    model, n_frames, width = head.model, len(motion), expression.shape[1]
    mesh = head.mesh(identity)
    places = head.person(identity, expression)[1].astype(np.float64)
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
        names += [f"{JOINT_NAMES[joint]}_{row}{column}" for row in "xyz" for column in "xyz"]
        shapes.append(model.pose_basis[joint - 1])
        curves.append(entries.reshape(n_frames, 9).astype(np.float32))
    moving = places + skinning.blend_shapes(expression.astype(np.float64), head.joint_expression[:width])
    parents = tuple(model.parents)
    shifts = shifts_of(turns, moving, places, parents)
    if np.ptp(shifts, axis=0).max() < STILL_M:
        shifts = shifts[:1]
    return Rig(
        mesh=mesh,
        joint_names=JOINT_NAMES,
        parents=parents,
        joints=places.astype(np.float32),
        skin_weights=np.asarray(model.weights, np.float32),
        shape_names=tuple(names),
        shapes=np.asarray(np.concatenate(shapes), np.float32),
        weights=np.asarray(np.concatenate(curves, 1), np.float32),
        rotations=quaternions_of(turns),
        translations=shifts.astype(np.float32),
        fps=motion.fps,
    )
