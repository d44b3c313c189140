"""The face's surface as the vertex losses need it: the head at rest, only what can differ, folded where it is linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from diffposetalk.errors import UsageError
from diffposetalk.head.flame_files import JOINTS
from diffposetalk.head.skinning import rotation_matrix


class Surface(Protocol):
    """Coordinates of a surface, of which losses compare the differences."""

    @property
    def n_values(self) -> int:
        """What a sum over the coordinates is divided by: three times the vertices of the whole head."""

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        """Return coordinates ``(B, T, C)`` of expression ``(B, T, E)``, jaw ``(B, T, 3)`` rad, identity ``(B, I)``."""


@dataclass(frozen=True)
class HeadSurface:
    """All vertices of any head, one identity per frame: the plain formulation, for comparison and for other heads."""

    head: Any
    """A `HeadModel`."""
    n_values: int
    """Three times its vertices."""

    @staticmethod
    def of(head: Any) -> HeadSurface:
        """Wrap a head."""
        return HeadSurface(head, 3 * int(np.max(head.faces) + 1))

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        """Return ``(B, T, 3 V)`` metres."""
        if identity is not None:
            identity = identity[:, None].expand(*expression.shape[:2], -1)
        return self.head.vertices(expression, None, jaw_pose, identity).flatten(-2)


@dataclass(frozen=True)
class JawSurface:
    """A FLAME-like head at rest whose jaw alone turns, in as few numbers as losses allow.

    With the shaped face ``u = base(identity) + E e + P r``, ``r`` the entries of the jaw's ``R - I``, a vertex of jaw
    weight ``w`` lies at ``u + w (R - I) (u - J)``, ``J`` the jaw joint. Vertices without ``E``, ``P`` and ``w`` never
    differ and are left out. For squared errors, all vertices with ``w = 0`` are replaced by a factor of the Gram
    matrix of ``(E, P)``: their differences do not depend on the base, so squared lengths stay exactly what they were.
    """

    n_values: int
    """Three times the vertices of the whole head."""
    weight: Tensor
    """``(K,)`` jaw weights of the vertices kept one by one."""
    template: Tensor
    """``(3, K)`` metres."""
    identity_basis: Tensor
    """``(I, 3 K)`` metres per unit, planes x, y, z."""
    shapes: Tensor
    """``(E + 9, 3 K)`` displacements of expression and of the entries of ``R - I``."""
    joint: Tensor
    """``(3,)`` jaw joint of the template, metres."""
    identity_joint: Tensor
    """``(I, 3)`` its shift with identity."""
    expression_joint: Tensor
    """``(E, 3)`` its shift with expression."""
    factor: Tensor
    """``(E + 9, C)`` coordinates that stand for the vertices without jaw weight; C 0 if none are folded."""

    @staticmethod
    def of(
        template: np.ndarray,
        identity_basis: np.ndarray,
        expression_basis: np.ndarray,
        pose_basis: np.ndarray,
        joint_regressor: np.ndarray,
        jaw_weight: np.ndarray,
        fold: bool,
    ) -> JawSurface:
        """Prepare a head.

        Args:
            template: ``(V, 3)`` metres.
            identity_basis: ``(I, V, 3)`` metres per unit.
            expression_basis: ``(E, V, 3)`` metres per unit.
            pose_basis: ``(9, V, 3)`` metres per unit of the entries of the jaw's ``R - I``, row by row.
            joint_regressor: ``(V,)`` row of the jaw joint.
            jaw_weight: ``(V,)`` skinning weights of the jaw.
            fold: fold what is linear; right for squared errors alone.
        """
        shapes = np.concatenate([expression_basis, pose_basis]).astype(np.float64)
        moved = np.abs(shapes).max(axis=(0, 2)) > 0
        single = jaw_weight != 0 if fold else (jaw_weight != 0) | moved
        folded = moved & ~single
        factor = np.zeros((len(shapes), 0))
        if folded.any():
            flat = shapes[:, folded].reshape(len(shapes), -1)
            values, vectors = np.linalg.eigh(flat @ flat.T)
            kept = values > values.max() * 1e-12
            factor = vectors[:, kept] * np.sqrt(values[kept])

        def planes(basis: np.ndarray) -> Tensor:
            return _float32(basis[..., single, :].swapaxes(-1, -2))

        def joint(basis: np.ndarray) -> Tensor:
            return _float32(np.einsum("v,...vk->...k", joint_regressor, basis))

        return JawSurface(
            3 * len(template),
            _float32(jaw_weight[single]),
            planes(template),
            planes(identity_basis).flatten(1),
            planes(shapes).flatten(1),
            joint(template),
            joint(identity_basis),
            joint(expression_basis),
            _float32(factor),
        )

    def to(self, device: torch.device | str) -> JawSurface:
        """Return the surface on a device."""
        moved = {name: value.to(device) for name, value in self.__dict__.items() if isinstance(value, Tensor)}
        return JawSurface(n_values=self.n_values, **moved)

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        """Return ``(B, T, C)`` coordinates, metres."""
        n_batch, n_frames = expression.shape[:2]
        turn = rotation_matrix(jaw_pose) - torch.eye(3, device=jaw_pose.device)
        amounts = torch.cat([expression, turn.flatten(-2)], dim=-1)
        joint = self.joint + expression @ self.expression_joint
        base = self.template.flatten()
        if identity is not None:
            base = base + identity @ self.identity_basis
            joint = joint + (identity @ self.identity_joint)[:, None]
        base = base.expand(n_batch, -1)
        shaped = torch.baddbmm(base[:, None], amounts, self.shapes.expand(n_batch, -1, -1))
        shaped = shaped.unflatten(-1, (3, -1)).flatten(0, 1)
        turn, joint = turn.flatten(0, 1), joint.flatten(0, 1)
        turned = torch.baddbmm(turn @ joint[..., None], turn, shaped, beta=-1)
        vertices = torch.addcmul(shaped, turned, self.weight).flatten(1).unflatten(0, (n_batch, n_frames))
        return torch.cat([vertices, amounts @ self.factor], dim=-1) if self.factor.shape[1] else vertices


class NoSurface:
    """Stands in where no vertices are compared."""

    n_values = 1

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        """Return no coordinates ``(B, T, 0)``."""
        return expression[..., :0]


def surface_of(head: Any, n_identity: int, n_expression: int, fold: bool) -> JawSurface | HeadSurface:
    """Return the surface of a head: FLAME's in as few numbers as possible, any other's in full.

    Args:
        head: a `HeadModel`.
        n_identity: identity coefficients that are given.
        n_expression: expression coefficients that are given.
        fold: see `JawSurface.of`.

    Raises:
        UsageError: the head has fewer coefficients.
    """
    from diffposetalk.head.flame import FlameHead

    if not isinstance(head, FlameHead):
        return HeadSurface.of(head)
    model, jaw = head.model, JOINTS.index("jaw")
    for name, given, there in (
        ("identity", n_identity, len(model.identity_basis)),
        ("expression", n_expression, len(model.expression_basis)),
    ):
        if given > there:
            raise UsageError(f"the head has {there} {name} coefficients, the data {given}; choose another head")
    return JawSurface.of(
        model.template,
        model.identity_basis[:n_identity],
        model.expression_basis[:n_expression],
        model.pose_basis[jaw - 1],
        model.joint_regressor[jaw],
        model.weights[:, jaw],
        fold,
    )


def _float32(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
