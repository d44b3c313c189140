"""What renderers and mesh exporters take: triangles, materials and, over time, vertices. No head model in sight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from diffposetalk.errors import InputError


@dataclass(frozen=True)
class Material:
    """How one part of the surface looks under light."""

    name: str
    base_color: tuple[float, float, float]
    """Linear RGB in [0, 1]; multiplies the texture if there is one."""
    roughness: float = 0.6
    """0 mirror-like, 1 chalk."""
    specular: float = 0.3
    """Strength of the highlight in [0, 1]."""
    subsurface: float = 0.0
    """How far light bleeds past the shadow line (skin about 0.5), in [0, 1]."""
    inside: tuple[float, float, float] | None = None
    """Linear RGB of the surface seen from behind, unlit, where a head has no mouth inside; none: not drawn."""
    texture: np.ndarray | None = None
    """``(H, W, 3)`` or ``(H, W, 4)`` uint8 sRGB; the fourth channel is coverage."""


@dataclass(frozen=True)
class Mesh:
    """One still surface."""

    vertices: np.ndarray
    """``(V, 3)`` float32, metres."""
    faces: np.ndarray
    """``(F, 3)`` int32 indices into ``vertices``, counter-clockwise seen from outside."""
    uv: np.ndarray | None = None
    """``(F, 3, 2)`` float32 texture coordinates of each corner, origin at the lower left."""
    materials: tuple[Material, ...] = ()
    face_material: np.ndarray | None = None
    """``(F,)`` int32 index into ``materials``."""
    vertex_color: np.ndarray | None = None
    """``(V, 3)`` float32 tint that multiplies the material's colour (lips, cheeks, shade in the mouth)."""

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise InputError(f"mesh vertices must be (V, 3), got {self.vertices.shape}")
        if self.faces.size and (self.faces.min() < 0 or self.faces.max() >= len(self.vertices)):
            raise InputError(f"mesh faces point outside its {len(self.vertices)} vertices")

    def __repr__(self) -> str:
        return f"Mesh({len(self.vertices)} vertices, {len(self.faces)} faces)"

    def without_loose_vertices(self) -> tuple[Mesh, np.ndarray]:
        """Return the mesh without the vertices that no triangle has, such as hair of other kinds.

        Returns:
            The mesh, and ``(n,)`` the numbers that its vertices have in this one, increasing.
        """
        used, corners = np.unique(self.faces, return_inverse=True)
        tint = None if self.vertex_color is None else self.vertex_color[used]
        faces = corners.reshape(self.faces.shape).astype(self.faces.dtype)
        return replace(self, vertices=self.vertices[used], faces=faces, vertex_color=tint), used


@dataclass(frozen=True)
class MeshSequence:
    """A surface of fixed triangles whose vertices move."""

    mesh: Mesh
    """Triangles, materials and rest shape."""
    vertices: np.ndarray
    """``(T, V, 3)`` float32, metres."""
    fps: float
    """Frames per second."""

    def __post_init__(self) -> None:
        if self.vertices.ndim != 3 or self.vertices.shape[1:] != self.mesh.vertices.shape:
            raise InputError(
                f"a mesh sequence needs (T, {len(self.mesh.vertices)}, 3) vertices, got {self.vertices.shape}"
            )

    def __repr__(self) -> str:
        return f"MeshSequence({len(self.vertices)} frames at {self.fps:g} fps of {self.mesh})"

    @staticmethod
    def of(mesh: Mesh, pieces: Iterable[np.ndarray], fps: float) -> MeshSequence:
        """Join pieces ``(n, V, 3)`` of a motion's vertices, as heads yield them."""
        joined = [np.zeros((0, *mesh.vertices.shape), np.float32), *pieces]
        return MeshSequence(mesh, np.concatenate(joined), fps)

    def __len__(self) -> int:
        return len(self.vertices)

    def frame(self, index: int) -> Mesh:
        """Return the surface at frame ``index``."""
        return replace(self.mesh, vertices=self.vertices[index])
