"""The face's surface as the vertex losses need it: the head at rest, only what can differ, folded where it is linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from diffposetalk.errors import UsageError
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head import HeadModel
from diffposetalk.head.flame.files import JOINTS

NEGLIGIBLE = 1e-6
"""Share of the largest singular value below which a direction in which nothing moves is left out."""


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

    head: HeadModel
    n_values: int
    """Three times its vertices."""

    @staticmethod
    def of(head: HeadModel) -> HeadSurface:
        """Wrap a head."""
        return HeadSurface(head, 3 * int(np.max(head.faces) + 1))

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        """Return ``(B, T, 3 V)`` metres."""
        if identity is not None:
            identity = identity[:, None].expand(*expression.shape[:2], -1)
        return self.head.vertices(expression, None, jaw_pose, identity).flatten(-2)


@dataclass(frozen=True)
class JawSurface:
    """How far a FLAME-like head's face is moved by expression and jaw, in as few numbers as losses allow.

    With the shaped face ``u = base(identity) + E e + P r``, ``r`` the entries of the jaw's ``A = R - I``, a vertex of jaw
    weight ``w`` lies at ``u + w A (u - J)``, ``J`` the jaw joint. The base cancels in all differences that losses look
    at, but for its turning. So the coordinates are ``E e + P r + A (w u) - A J w``, and vertices without ``E``, ``P`` and
    ``w`` are left out.

    Squared errors ask only for lengths, so whole sets of vertices may be replaced by coordinates along an orthonormal
    basis of all that they can do ("modes"): for those with ``w = 0`` the span of ``(E, P)``; for the others, axis by
    axis, that of ``E``, ``P``, ``w E``, ``w P``, ``w base`` and ``w``, up to directions that are `NEGLIGIBLE`.
    """

    n_values: int
    """Three times the vertices of the whole head."""
    shapes: Tensor
    """``(E + 9, 3 K)`` what expression and entries of ``A`` do to K turning vertices or modes, planes x, y, z."""
    weighted_shapes: Tensor
    """``(E + 9, 3 K)`` the same times ``w``."""
    weighted_template: Tensor
    """``(3 K,)`` template times ``w``."""
    weighted_identity: Tensor
    """``(I, 3 K)`` identity basis times ``w``."""
    weight: Tensor
    """``(K,)`` ``w`` itself."""
    joint: Tensor
    """``(3,)`` jaw joint of the template, metres."""
    identity_joint: Tensor
    """``(I, 3)`` its shift with identity."""
    expression_joint: Tensor
    """``(E, 3)`` its shift with expression."""
    rigid: Tensor
    """``(E + 9, C)`` coordinates that stand for the vertices without ``w``; C 0 if they are among the K."""

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
            fold: replace vertices by modes; right for squared errors alone.
        """
        shapes = np.concatenate([expression_basis, pose_basis]).astype(np.float64)
        moved = np.abs(shapes).max(axis=(0, 2)) > 0
        turning = jaw_weight != 0
        moving = turning if fold else turning | moved
        weight = jaw_weight[moving].astype(np.float64)
        fields = {
            "shapes": shapes[:, moving],
            "weighted_shapes": weight[:, None] * shapes[:, moving],
            "weighted_template": weight[:, None] * template[moving],
            "weighted_identity": weight[:, None] * identity_basis[:, moving],
            "weight": weight,
        }
        rigid = np.zeros((len(shapes), 0))
        if fold:
            fields = _in_modes(fields)
            still = shapes[:, moved & ~turning].reshape(len(shapes), -1)
            values, vectors = np.linalg.eigh(still @ still.T)
            some = values > max(values.max(), 0) * 1e-12
            rigid = vectors[:, some] * np.sqrt(values[some])

        def joint(basis: np.ndarray) -> Tensor:
            return _float32(np.einsum("v,...vk->...k", joint_regressor, basis))

        return JawSurface(
            n_values=3 * len(template),
            joint=joint(template),
            identity_joint=joint(identity_basis),
            expression_joint=joint(expression_basis),
            rigid=_float32(rigid),
            **{
                name: _float32(value if value.ndim == 1 else value.swapaxes(-1, -2).reshape(*value.shape[:-2], -1))
                for name, value in fields.items()
            },
        )

    @property
    def n_coordinates(self) -> int:
        """Numbers in place of `n_values`."""
        return self.shapes.shape[1] + self.rigid.shape[1]

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
        base = self.weighted_template
        if identity is not None:
            base = base + identity @ self.weighted_identity
            joint = joint + (identity @ self.identity_joint)[:, None]
        base = base.expand(n_batch, -1)[:, None]
        weighted = torch.baddbmm(base, amounts, self.weighted_shapes.expand(n_batch, -1, -1))
        weighted = weighted.unflatten(-1, (3, -1)).flatten(0, 1)
        turn, joint = turn.flatten(0, 1), joint.flatten(0, 1)
        placed = (amounts @ self.shapes).unflatten(-1, (3, -1)).flatten(0, 1)
        placed = torch.baddbmm(placed, turn, weighted) - (turn @ joint[..., None]) * self.weight
        coordinates = placed.flatten(1).unflatten(0, (n_batch, n_frames))
        return torch.cat([coordinates, amounts @ self.rigid], dim=-1) if self.rigid.shape[1] else coordinates


def _in_modes(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Replace the K vertices of fields ``(..., K, 3)`` or ``(K,)`` by coordinates along a basis that holds them all.

    Returns:
        The same with fewer rows if there are fewer modes, else as they were.
    """
    flat = {
        name: value if value.ndim == 1 else np.moveaxis(value, -2, -1).reshape(-1, value.shape[-2])
        for name, value in fields.items()
    }
    rows = np.concatenate([value.reshape(-1, value.shape[-1]) for value in flat.values()])
    sizes = np.linalg.norm(rows, axis=1)
    if not sizes.any():
        return fields
    rows = rows[sizes > 0] / sizes[sizes > 0, None]
    _, spread, basis = np.linalg.svd(rows, full_matrices=False)
    basis = basis[spread > spread[0] * NEGLIGIBLE]
    if len(basis) > 0.9 * rows.shape[1]:
        return fields
    return {
        name: value @ basis.T if value.ndim == 1 else np.moveaxis(np.moveaxis(value, -2, -1) @ basis.T, -1, -2)
        for name, value in fields.items()
    }


class NoSurface:
    """Stands in where no vertices are compared."""

    n_values = 1

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        """Return no coordinates ``(B, T, 0)``."""
        return expression[..., :0]


def surface_of(head: HeadModel, n_identity: int, n_expression: int, fold: bool) -> JawSurface | HeadSurface:
    """Return the surface of a head: FLAME's in as few numbers as possible, any other's in full.

    Args:
        head: any head.
        n_identity: identity coefficients that are given.
        n_expression: expression coefficients that are given.
        fold: see `JawSurface.of`.

    Raises:
        UsageError: the head has fewer coefficients.
    """
    if head.jointed is None:
        return HeadSurface.of(head)
    model, jaw = head.jointed.model, JOINTS.index("jaw")
    for name, n_data, n_head in (
        ("identity", n_identity, len(model.identity_basis)),
        ("expression", n_expression, len(model.expression_basis)),
    ):
        if n_data > n_head:
            raise UsageError(f"the head has {n_head} {name} coefficients, the data {n_data}; choose another head")
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
