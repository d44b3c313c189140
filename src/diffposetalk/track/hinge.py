"""A jaw that turns: what its rotation adds to landmarks, and how that changes.

A landmark is a mixture of vertices `v = u + w (R - 1)(u - J)` with shares `s`, where `u` is linear in identity, expression
and the entries of `R - 1`. Summed over the vertices, with `lever = sum s w (u - J)`,

    landmark = still + (R - 1) . bends + (R - 1) lever

so that a rotation costs two small products whatever the number of vertices, and nothing is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head.flame.files import JOINTS

if TYPE_CHECKING:
    from diffposetalk.head import JointedHead

AXES = ("jaw_x", "jaw_y", "jaw_z")
"""Names of the rotation vector's weights; they come last."""
STEP = 1e-4
"""How far a rotation is moved to see how it changes, radians."""


@dataclass(frozen=True)
class Hinge:
    """A joint that turns some of a head's landmarks; the last three weights are its rotation vector, radians."""

    rest: np.ndarray = field(repr=False)
    """``(n, 3)`` metres: the levers of this person at rest."""
    identity_basis: np.ndarray = field(repr=False)
    """``(I, n, 3)`` what each identity coordinate adds to them."""
    basis: np.ndarray = field(repr=False)
    """``(E, n, 3)`` what each weight of the expression adds to them."""
    share: np.ndarray = field(repr=False)
    """``(n,)`` how far a landmark goes with the joint, 0 to 1."""
    bends: np.ndarray = field(repr=False)
    """``(9, n, 3)`` what the entries of `R - 1` add to the landmarks ..."""
    lever_bends: np.ndarray = field(repr=False)
    """``(9, n, 3)`` ... and to the levers."""

    @staticmethod
    def of_head(head: JointedHead, used: np.ndarray, points: Landmarks, n_identity: int, n_expression: int) -> Hinge:
        """Measure a head's jaw.

        Args:
            head: whose jaw turns.
            used: ``(m,)`` vertices.
            points: landmarks on those, by their place among them.
            n_identity: leading identity coefficients that are used.
            n_expression: leading expression coefficients likewise.
        """
        jaw, model = JOINTS.index("jaw"), head.model
        held = model.weights[used, jaw].astype(np.float64)
        share = (held[points.corners] * points.shares).sum(1)

        def levers(shapes: np.ndarray, joints: np.ndarray | None) -> np.ndarray:
            turned = points.of(held[:, None] * shapes.astype(np.float64))
            return turned if joints is None else turned - share[:, None] * joints[..., jaw, :][..., None, :]

        bends = model.pose_basis[jaw - 1][:, used].astype(np.float64)
        return Hinge(
            levers(model.template[used], head.joints),
            levers(model.identity_basis[:n_identity, used], head.joint_identity[:n_identity]),
            levers(model.expression_basis[:n_expression, used], head.joint_expression[:n_expression]),
            share,
            points.of(bends),
            levers(bends, None),
        )

    def of_person(self, identity: np.ndarray) -> Hinge:
        """Return the joint of a person, ``(I,)`` coordinates."""
        return replace(self, rest=self.rest + np.einsum("i,inc->nc", identity, self.identity_basis))

    def shifted(self, offsets: np.ndarray) -> Hinge:
        """Return the joint for landmarks ``(n, 3)`` metres elsewhere on the face; they go with it as far as the others."""
        return replace(self, rest=self.rest + self.share[:, None] * offsets)

    def added(self, weights: np.ndarray) -> np.ndarray:
        """Return what the rotation in weights ``(T, E + 3)`` adds to the landmarks, ``(T, n, 3)`` metres."""
        turn = rotation_matrix(weights[:, -3:]) - np.eye(3)
        return self._moved(turn, self._lever(weights[:, :-3], turn))

    def slope(self, weights: np.ndarray) -> np.ndarray:
        """Return how that changes with each weight, ``(T, E + 3, n, 3)`` metres per unit."""
        expression, pose = weights[:, :-3], weights[:, -3:]
        turn = rotation_matrix(pose) - np.eye(3)
        lever = self._lever(expression, turn)
        found = np.empty((len(weights), weights.shape[1], *self.rest.shape))
        found[:, :-3] = np.einsum("tij,enj->teni", turn, self.basis, optimize=True)
        for axis in range(3):
            step = np.zeros(3)
            step[axis] = STEP
            change = (rotation_matrix(pose + step) - rotation_matrix(pose - step)) / (2 * STEP)
            by_bends = np.einsum("tb,bnc->tnc", change.reshape(-1, 9), self.lever_bends, optimize=True)
            found[:, axis - 3] = self._moved(change, lever) + by_bends @ turn.transpose(0, 2, 1)
        return found

    def identity_slope(self, weights: np.ndarray) -> np.ndarray:
        """Return how that changes with each identity coordinate, ``(T, I, n, 3)`` metres per unit."""
        turn = rotation_matrix(weights[:, -3:]) - np.eye(3)
        return np.einsum("tij,enj->teni", turn, self.identity_basis, optimize=True)

    def _lever(self, expression: np.ndarray, turn: np.ndarray) -> np.ndarray:
        moved = np.einsum("te,enc->tnc", expression, self.basis, optimize=True)
        return self.rest + moved + np.einsum("tb,bnc->tnc", turn.reshape(-1, 9), self.lever_bends, optimize=True)

    def _moved(self, turn: np.ndarray, lever: np.ndarray) -> np.ndarray:
        bent = np.einsum("tb,bnc->tnc", turn.reshape(-1, 9), self.bends, optimize=True)
        return bent + lever @ turn.transpose(0, 2, 1)
