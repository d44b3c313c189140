# SPDX-License-Identifier: Apache-2.0 OR GPL-3.0-or-later
"""Convert rotations of the motion to the axes of a bone or an object."""

from __future__ import annotations

import numpy as np
from mathutils import Matrix, Quaternion, Vector

GAZE = {
    "eyeLookDown": (11.0, 0.0),
    "eyeLookUp": (-10.0, 0.0),
    "eyeLookInLeft": (0.0, -15.0),
    "eyeLookOutLeft": (0.0, 15.0),
    "eyeLookInRight": (0.0, 15.0),
    "eyeLookOutRight": (0.0, -15.0),
}
"""Pitch (positive is down) and yaw (positive is the subject's left) of an eye in degrees, for a channel value of 1."""

Y_UP = Matrix.Identity(3)
"""The motion's axes: Y up, face toward +Z."""
Z_UP = Matrix(((1, 0, 0), (0, 0, -1), (0, 1, 0)))
"""From the motion's axes to Blender's (Z up, face toward -Y); +X stays the subject's left."""


def axes_of(matrix_world: Matrix, choice: str) -> Matrix:
    """Return the matrix from the motion's axes to an object's own axes.

    Args:
        matrix_world: world matrix of the object.
        choice: `Z_UP`, `Y_UP`, or `AUTO`: Y up if the object's own Y axis points up in the scene, as after many imports of
            Y-up files; else Z up.
    """
    if choice == "AUTO":
        up = matrix_world.to_3x3().normalized().inverted_safe() @ Vector((0, 0, 1))
        choice = "Y_UP" if up.y > max(abs(up.x), abs(up.z)) else "Z_UP"
    return Y_UP if choice == "Y_UP" else Z_UP


def quaternions(rotation_vectors: np.ndarray, frame: Matrix) -> list[Quaternion]:
    """Convert rotations to another frame.

    Args:
        rotation_vectors: ``(T, 3)`` axis-angle, radians, in the motion's axes.
        frame: rotation matrix from the motion's axes to the target axes.

    Returns:
        T unit quaternions; neighbours have a positive dot product.
    """
    turns: list[Quaternion] = []
    for vector in rotation_vectors @ np.array(frame).T:
        axis = Vector(vector)
        turn = Quaternion(axis.normalized(), axis.length) if axis.length > 1e-12 else Quaternion()
        if turns and turn.dot(turns[-1]) < 0:
            turn.negate()
        turns.append(turn)
    return turns


def rotation_channels(turns: list[Quaternion], mode: str) -> tuple[str, np.ndarray]:
    """Return the property and its values that rotate a bone of rotation mode ``mode``.

    Returns:
        `rotation_quaternion`, `rotation_axis_angle` or `rotation_euler`, and ``(T, 4)`` or ``(T, 3)``.
    """
    if mode == "QUATERNION":
        return "rotation_quaternion", np.array(turns)
    if mode == "AXIS_ANGLE":
        return "rotation_axis_angle", np.array([(turn.angle, *turn.axis) for turn in turns])
    eulers = [turns[0].to_euler(mode)]
    for turn in turns[1:]:
        eulers.append(turn.to_euler(mode, eulers[-1]))
    return "rotation_euler", np.array(eulers)


def gaze_of(column: object, side: str) -> np.ndarray:
    """Return an eye's rotation vectors from the gaze channels.

    Args:
        column: function from a channel's name to its ``(T,)`` weights.
        side: `Left` or `Right`.

    Returns:
        ``(T, 3)`` axis-angle, radians, in the motion's axes.
    """
    total = 0.0
    for name, (pitch, yaw) in GAZE.items():
        if name.endswith(("Left", "Right")):
            if not name.endswith(side):
                continue
        else:
            name += side
        total = total + column(name)[:, None] * np.radians([pitch, yaw, 0.0])  # type: ignore[operator]
    return np.asarray(total)
