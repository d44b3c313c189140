"""Blend shapes and linear blend skinning, as pure functions.

Every function accepts numpy arrays or torch tensors, the same kind for all arguments of a call, and returns that kind. With
tensors it is differentiable. Shapes: ``K`` blend shapes, ``V`` vertices, ``J`` joints, ``...`` any leading dimensions that
are equal or can be broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor."""


def is_tensor(value: object) -> bool:
    """Return whether a value is a torch tensor, without importing torch."""
    return type(value).__module__.split(".")[0] == "torch"


def floating(value: Array) -> Array:
    """Convert an integer array to float32; return any other array unchanged."""
    if is_tensor(value):
        return value if value.is_floating_point() else value.float()
    value = np.asarray(value)
    return value if value.dtype.kind == "f" else value.astype(np.float32)


def like(value: Array, reference: Array) -> Array:
    """Convert a value to the kind of array of ``reference``, with its float type and device.

    Args:
        value: numpy array or torch tensor; a tensor keeps its gradient.
        reference: numpy array or torch tensor, floating.
    """
    if is_tensor(reference):
        import torch

        return torch.as_tensor(value, dtype=reference.dtype, device=reference.device)
    return np.asarray(value, dtype=reference.dtype)


def folded(value: Array) -> Array:
    """Return an array with expanded (repeated) leading dimensions reduced to 1, so that they are computed once."""
    strides = value.stride() if is_tensor(value) else value.strides
    for axis, (n, stride) in enumerate(zip(value.shape[:-1], strides[:-1])):
        if n > 1 and stride == 0:
            value = value[(slice(None),) * axis + (slice(0, 1),)]
    return value


def blend_shapes(coefficients: Array, basis: Array) -> Array:
    """Sum displacement fields: `d = sum_k c_k b_k`.

    Args:
        coefficients: ``(..., K)``.
        basis: ``(K, V, 3)`` metres per unit of coefficient.

    Returns:
        ``(..., V, 3)`` displacements, metres.
    """
    n_shapes, n_vertices, _ = basis.shape
    flat = coefficients.reshape((-1, n_shapes)) @ basis.reshape((n_shapes, n_vertices * 3))
    return flat.reshape((*coefficients.shape[:-1], n_vertices, 3))


def rotate_about(points: Array, rotation: Array, centre: Array) -> Array:
    """Rotate points about a centre: `R (p - c) + c`.

    Args:
        points: ``(..., V, 3)``.
        rotation: ``(..., 3, 3)``.
        centre: ``(..., 3)``.

    Returns:
        ``(..., V, 3)``.
    """
    pivot = centre[..., None, :]
    return (points - pivot) @ rotation.swapaxes(-1, -2) + pivot


def chain_transforms(
    rotations: list[Array], joints: Array, parents: Sequence[int] | None = None
) -> list[tuple[Array, Array]]:
    """Compose the transforms of a chain or tree of joints from the fixed base outward.

    Args:
        rotations: one ``(..., 3, 3)`` per joint, each relative to its parent.
        joints: ``(..., J, 3)`` rest positions, metres; `J = len(rotations)`.
        parents: for each joint the index of its parent, an earlier joint, or -1 for the base; None: the joint before it.

    Returns:
        Per joint `(rotation (..., 3, 3), translation (..., 3))`, so that a point `p` of the joint at rest moves to
        `R p + t`.
    """
    transforms: list[tuple[Array, Array]] = []
    for index, local in enumerate(rotations):
        pivot = joints[..., index, :]
        here = pivot - (local @ pivot[..., None])[..., 0]
        parent = index - 1 if parents is None else parents[index]
        if parent >= 0:
            rotation, translation = transforms[parent]
            transforms.append((rotation @ local, (rotation @ here[..., None])[..., 0] + translation))
        else:
            transforms.append((local, here))
    return transforms


def linear_blend_skinning(vertices: Array, weights: Array, transforms: list[tuple[Array, Array]]) -> Array:
    """Move vertices with their joints: `v' = v + sum_j w_j (R_j v + t_j - v)`; vertices without weight do not move.

    Args:
        vertices: ``(..., V, 3)`` metres, at rest.
        weights: ``(V, J)`` in [0, 1]; rows sum to at most 1; the remainder is the weight of the fixed base.
        transforms: per joint `(rotation (..., 3, 3), translation (..., 3))`, as returned by `chain_transforms`.

    Returns:
        ``(..., V, 3)`` metres.
    """
    moved = vertices
    for index, (rotation, translation) in enumerate(transforms):
        target = vertices @ rotation.swapaxes(-1, -2) + translation[..., None, :]
        moved = moved + weights[:, index, None] * (target - vertices)
    return moved
