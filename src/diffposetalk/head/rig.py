"""Rig of a head: a skinned mesh with morph targets and joints, and their animation.

Nothing is baked: the formula of a head becomes morph weights and joint motion, so that a player computes the vertices of
`HeadModel.vertices` at each frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from diffposetalk.geometry import skinning
from diffposetalk.geometry.mesh import Mesh
from diffposetalk.geometry.rotations import continuous_quaternions, matrices_of

USED = 1e-6
"""A morph target is used if the absolute value of its weight exceeds this in some frame."""


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

    def without_unused_shapes(self) -> Rig:
        """Return the rig without the targets whose weight is never above `USED`."""
        used = np.flatnonzero(np.abs(self.weights).max(0) > USED)
        names = tuple(self.shape_names[index] for index in used)
        return replace(self, shape_names=names, shapes=self.shapes[used], weights=self.weights[:, used])


def quaternions_of(turns: np.ndarray) -> np.ndarray:
    """Return `Rig.rotations` of rotation vectors ``(T, J, 3)``, radians."""
    return continuous_quaternions(turns).astype(np.float32)


def offsets_of(joints: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Return the position of each joint relative to its parent, ``(..., J, 3)``."""
    offsets = np.array(joints)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            offsets[..., joint, :] = joints[..., joint, :] - joints[..., parent, :]
    return offsets


def shifts_of(turns: np.ndarray, pivots: np.ndarray, rest: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
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
