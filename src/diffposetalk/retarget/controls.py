"""Controls of a head: weights of shapes, or FLAME's coefficients, jaw and eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import MIRROR
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.rotations import nearest_rotation, vectors_of
from diffposetalk.motion import Motion
from diffposetalk.retarget.correspondence import neutral_of

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel, JointedHead

MM = 1e3
TRIAL = 0.05
"""Step of a control for its finite difference (weights, or radians)."""


def eye_turns(head: HeadModel, vertices: np.ndarray, rest: np.ndarray) -> np.ndarray | None:
    """Return the rotation vectors of left and right eyeball ``(T, 6)``, or None if the head has no eyeballs."""
    turns = []
    for name in ("left_eye", "right_eye"):
        ball = head.regions.get(name, ())
        if len(ball) < 12:
            return None
        a = rest[ball] - rest[ball].mean(0)
        b = vertices[:, ball].astype(np.float64)
        b = b - b.mean(1, keepdims=True)
        turns.append(vectors_of(nearest_rotation(b.transpose(0, 2, 1) @ a)))
    return np.concatenate(turns, 1)


@dataclass(frozen=True)
class Controls:
    """The controls of a head, their bounds, and their effect on some points."""

    head: HeadModel
    points: Landmarks
    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    stiffness: np.ndarray
    """``(C,)`` factor on the weights of the priors for each control."""
    basis_mm: np.ndarray
    """``(C, n, 3)`` displacement of the points per unit of each control, at rest, mm."""
    turns: np.ndarray | None
    """``(C, 6)`` rotation vectors of the eyes per unit."""
    has_joints: bool
    """Whether controls are rotations, so that the basis is only the tangent at rest."""
    place: Any
    """``(T, C) -> (T, n, 3)`` displacements, mm."""

    @staticmethod
    def of(head: HeadModel, points: Landmarks) -> Controls:
        return _shape_controls(head, points) if head.jointed is None else _joint_controls(head.jointed, points)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Indices of left and right channels that belong together."""
        where = {name: index for index, name in enumerate(self.names)}
        return [
            (where[name], where[MIRROR[name]])
            for name in self.names
            if name.endswith("Left")
            and MIRROR.get(name) in where
            and not name.startswith(("jaw", "mouthLeft", "eyeLook"))
        ]

    def motion(self, weights: np.ndarray, like: Motion) -> Motion:
        """Return the motion of weights ``(T, C)``, with head rotation and frame rate of `like`."""
        count = len(self.head.expression_names) if not self.has_joints else len(self.names) - 9
        poses: dict[str, Any] = {}
        if self.has_joints:
            poses = {"jaw_pose": weights[:, count : count + 3], "eye_pose": weights[:, count + 3 :]}
        return Motion(weights[:, :count], self.names[:count], like.head_pose, like.fps, self.head.name, **poses)


def _shape_controls(head: HeadModel, points: Landmarks) -> Controls:
    """Weights of named shapes, in [0, 1]."""
    used = np.unique(points.corners)
    shapes = MM * head.expression_basis(used).astype(np.float64)
    renumbered = Landmarks(np.searchsorted(used, points.corners), points.shares)
    basis = renumbered.of(shapes)
    tried = TRIAL * np.eye(len(shapes), dtype=np.float32)
    turns = eye_turns(head, np.asarray(head.vertices(tried)), neutral_of(head))
    turns = None if turns is None else turns / TRIAL
    n = len(shapes)
    return Controls(
        head,
        points,
        tuple(head.expression_names),
        np.zeros(n),
        np.ones(n),
        np.ones(n),
        basis,
        turns,
        False,
        lambda weights: np.tensordot(weights, basis, 1),
    )


N_COEFFICIENTS, COEFFICIENT_LIMIT = 50, 10.0
JAW_LOW, JAW_HIGH = (-0.1, -0.3, -0.3), (0.9, 0.3, 0.3)
EYE_LIMIT = 0.9
"""Number of FLAME's expression coefficients that are used, and bounds of them (standard deviations), the jaw and the eyes
(radians)."""


def _joint_controls(head: JointedHead, points: Landmarks) -> Controls:
    """Coefficients, jaw and eyes of a head such as FLAME's."""
    used = np.unique(points.corners)
    part, renumbered = head.part(used), Landmarks(np.searchsorted(used, points.corners), points.shares)
    count = min(N_COEFFICIENTS, len(head.expression_names))
    rest = renumbered.of(part.neutral(np.arange(len(used))).astype(np.float64))

    def place(values: np.ndarray) -> np.ndarray:
        moved = [np.zeros((0, len(points), 3))]
        for start in range(0, len(values), 256):
            v = values[start : start + 256]
            moved.append(renumbered.of(part.vertices(v[:, :count], None, v[:, count : count + 3])) - rest)
        return MM * np.concatenate(moved)

    trial = TRIAL * np.eye(count + 9)
    basis = (place(trial) - place(-trial)) / (2 * TRIAL)
    turns = np.zeros((count + 9, 6))
    turns[count + 3 :] = np.eye(6)
    names = (*head.expression_names[:count], *(f"jaw_{axis}" for axis in "xyz"), *(f"eye_{i}" for i in range(6)))
    limit = np.full(count, COEFFICIENT_LIMIT)
    eyes = np.full(6, EYE_LIMIT)
    low, high = (np.concatenate(each) for each in ((-limit, JAW_LOW, -eyes), (limit, JAW_HIGH, eyes)))
    stiffness = np.concatenate([np.full(count, 0.1), np.ones(3), np.full(6, 0.1)])
    return Controls(head, points, names, low, high, stiffness, basis, turns, True, place)
