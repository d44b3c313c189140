"""Rig of a head for scene formats. GLB, USD and BVH are written from it."""

from __future__ import annotations

import numpy as np

from diffposetalk.errors import InputError, ModelError
from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.head import HeadModel
from diffposetalk.head.rig import Rig
from diffposetalk.motion import Motion


def rig_of(head: HeadModel, motion: Motion, identity: np.ndarray | None = None, used_only: bool = False) -> Rig:
    """Return the rig of a head with the animation of a motion.

    Args:
        head: any head.
        motion: made for this head.
        identity: ``(I,)`` identity coefficients, which change the surface and joints at rest; None for the mean person.
        used_only: whether to leave out targets that the motion never uses.

    Raises:
        InputError: the motion has no frames.
        ModelError: motion or identity do not fit the head.
    """
    check_fits(head, motion, identity)
    rig = head.rig(motion, identity)
    return rig.without_unused_shapes() if used_only else rig


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
