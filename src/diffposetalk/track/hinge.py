"""The jaw joint of FLAME: displacement of the landmarks by its rotation, and the derivatives.

A landmark is a mean of vertices ``v = u + w (R - 1)(u - J)`` with barycentric weights ``s``. ``u``, the vertex before
skinning, is linear in identity, expression and the entries of ``R - 1`` (pose correctives). ``w`` is its skinning weight and
``J`` the joint. Summed over the vertices, with ``lever = sum s w (u - J)``,

    landmark = (landmark without jaw rotation) + (R - 1) . correctives + (R - 1) lever

So the cost of a rotation does not depend on the number of vertices, and the formula is exact.
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
"""Names of the weights that are the rotation vector; they are the last three."""
STEP = 1e-4
"""Step of the finite difference of the rotation, radians."""


@dataclass(frozen=True)
class Hinge:
    """A joint that rotates some of a head's landmarks; the last three weights are its rotation vector, radians."""

    rest: np.ndarray = field(repr=False)
    """``(n, 3)`` metres: levers of this person at rest."""
    identity_basis: np.ndarray = field(repr=False)
    """``(I, n, 3)`` change of the levers per unit of each identity coefficient."""
    basis: np.ndarray = field(repr=False)
    """``(E, n, 3)`` change of the levers per unit of each expression weight."""
    skin_weight: np.ndarray = field(repr=False)
    """``(n,)`` skinning weight of each landmark, 0 to 1."""
    correctives: np.ndarray = field(repr=False)
    """``(9, n, 3)`` pose correctives of the landmarks, per unit of the entries of ``R - 1``."""
    lever_correctives: np.ndarray = field(repr=False)
    """``(9, n, 3)`` the same for the levers."""

    @staticmethod
    def of_head(head: JointedHead, used: np.ndarray, points: Landmarks, n_identity: int, n_expression: int) -> Hinge:
        """Return the jaw joint of a head.

        Args:
            head: a head with a jaw joint.
            used: ``(m,)`` vertices.
            points: landmarks, with indices into `used`.
            n_identity: leading identity coefficients that are used.
            n_expression: leading expression coefficients that are used.
        """
        jaw, model = JOINTS.index("jaw"), head.model
        skin_weights = model.weights[used, jaw].astype(np.float64)
        skin_weight = (skin_weights[points.corners] * points.shares).sum(1)

        def levers(shapes: np.ndarray, joints: np.ndarray | None) -> np.ndarray:
            turned = points.of(skin_weights[:, None] * shapes.astype(np.float64))
            return turned if joints is None else turned - skin_weight[:, None] * joints[..., jaw, :][..., None, :]

        correctives = model.pose_basis[jaw - 1][:, used].astype(np.float64)
        return Hinge(
            levers(model.template[used], head.joints),
            levers(model.identity_basis[:n_identity, used], head.joint_identity[:n_identity]),
            levers(model.expression_basis[:n_expression, used], head.joint_expression[:n_expression]),
            skin_weight,
            points.of(correctives),
            levers(correctives, None),
        )

    def of_person(self, identity: np.ndarray) -> Hinge:
        """Return the joint for identity coefficients ``(I,)``."""
        return replace(self, rest=self.rest + np.einsum("i,inc->nc", identity, self.identity_basis))

    def shifted(self, offsets: np.ndarray) -> Hinge:
        """Return the joint for landmarks shifted by ``(n, 3)`` metres, with unchanged skinning weights."""
        return replace(self, rest=self.rest + self.skin_weight[:, None] * offsets)

    def added(self, weights: np.ndarray) -> np.ndarray:
        """Return the displacement of the landmarks by the rotation in weights ``(T, E + 3)``: ``(T, n, 3)`` metres."""
        turn = rotation_matrix(weights[:, -3:]) - np.eye(3)
        return self._moved(turn, self._lever(weights[:, :-3], turn))

    def derivative(self, weights: np.ndarray) -> np.ndarray:
        """Return the derivative of `added` by each weight, ``(T, E + 3, n, 3)`` metres per unit."""
        expression, pose = weights[:, :-3], weights[:, -3:]
        turn = rotation_matrix(pose) - np.eye(3)
        lever = self._lever(expression, turn)
        derivative = np.empty((len(weights), weights.shape[1], *self.rest.shape))
        derivative[:, :-3] = np.einsum("tij,enj->teni", turn, self.basis, optimize=True)
        for axis in range(3):
            step = np.zeros(3)
            step[axis] = STEP
            change = (rotation_matrix(pose + step) - rotation_matrix(pose - step)) / (2 * STEP)
            by_correctives = np.einsum("tb,bnc->tnc", change.reshape(-1, 9), self.lever_correctives, optimize=True)
            derivative[:, axis - 3] = self._moved(change, lever) + by_correctives @ turn.transpose(0, 2, 1)
        return derivative

    def identity_derivative(self, weights: np.ndarray) -> np.ndarray:
        """Return the derivative of `added` by each identity coefficient, ``(T, I, n, 3)`` metres per unit."""
        turn = rotation_matrix(weights[:, -3:]) - np.eye(3)
        return np.einsum("tij,enj->teni", turn, self.identity_basis, optimize=True)

    def _lever(self, expression: np.ndarray, turn: np.ndarray) -> np.ndarray:
        moved = np.einsum("te,enc->tnc", expression, self.basis, optimize=True)
        return self.rest + moved + np.einsum("tb,bnc->tnc", turn.reshape(-1, 9), self.lever_correctives, optimize=True)

    def _moved(self, turn: np.ndarray, lever: np.ndarray) -> np.ndarray:
        bent = np.einsum("tb,bnc->tnc", turn.reshape(-1, 9), self.correctives, optimize=True)
        return bent + lever @ turn.transpose(0, 2, 1)
