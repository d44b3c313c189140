"""Materials of a mesh for scene formats: triangles by material, encoded textures, physical material values."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from diffposetalk.geometry.mesh import Material, Mesh

PLAIN = Material("surface", (0.6, 0.6, 0.6))
"""Material of a mesh that has none."""
JPEG_QUALITY = 92
"""Quality of textures without alpha."""


@dataclass(frozen=True)
class Part:
    """The triangles of one material."""

    material: Material
    faces: np.ndarray
    """``(n,)`` numbers of the mesh's triangles."""
    flipped: bool = False
    """Whether the triangles face inwards: the dark inside of a head without mouth cavity."""

    def triangles(self, mesh: Mesh) -> np.ndarray:
        """Return ``(n, 3)`` vertex indices, counter-clockwise seen from the visible side."""
        triangles = mesh.faces[self.faces]
        return triangles[:, ::-1] if self.flipped else triangles

    def uv(self, mesh: Mesh) -> np.ndarray | None:
        """Return ``(n, 3, 2)`` texture coordinates of the corners, origin at the lower left; None if the mesh has none."""
        return None if mesh.uv is None else mesh.uv[self.faces]


def parts_of(mesh: Mesh) -> Iterator[Part]:
    """Yield the parts of a mesh by material: opaque ones first, those with transparent texture (hair) last."""
    materials = mesh.materials or (PLAIN,)
    of_face = np.zeros(len(mesh.faces), int) if mesh.face_material is None else np.asarray(mesh.face_material)
    for index in sorted(range(len(materials)), key=lambda k: has_holes(materials[k])):
        material, faces = materials[index], np.flatnonzero(of_face == index)
        if not len(faces):
            continue
        yield Part(material, faces)
        if material.inside is not None:
            dark = replace(PLAIN, name=f"{material.name}_inside", base_color=material.inside, roughness=1.0, specular=0)
            yield Part(dark, faces, flipped=True)


def has_holes(material: Material) -> bool:
    """Whether the material's texture has alpha, so that parts of the surface are transparent."""
    return material.texture is not None and material.texture.shape[2] == 4


def picture_of(texture: np.ndarray) -> tuple[bytes, str]:
    """Encode a texture: PNG if it has alpha, else JPEG, which is a tenth of the size.

    Args:
        texture: ``(H, W, 3)`` or ``(H, W, 4)`` uint8 sRGB.

    Returns:
        The file's bytes and its suffix, `.png` or `.jpg`.
    """
    from PIL import Image

    buffer = io.BytesIO()
    if texture.shape[2] == 4:
        Image.fromarray(texture).save(buffer, "PNG")
        return buffer.getvalue(), ".png"
    Image.fromarray(texture).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue(), ".jpg"


def repeats(uv: np.ndarray) -> bool:
    """Whether texture coordinates lie outside [0, 1], so that the texture must repeat."""
    return bool(uv.size) and (float(uv.min()) < 0 or float(uv.max()) > 1)


def open_air(part: Part, mesh: Mesh) -> np.ndarray:
    """Return the mean tint of a part, linear RGB: the share of light that vertex colours let through, up to 1."""
    if mesh.vertex_color is None or part.flipped:
        return np.ones(3)
    return np.clip(mesh.vertex_color[part.triangles(mesh)].mean((0, 1)), 0, 1)


def reflectance(part: Part, mesh: Mesh) -> float:
    """Return the share of light reflected head-on (0.04 is usual); it is lower in cavities such as the mouth."""
    return 0.11 * part.material.specular * float(open_air(part, mesh).max()) ** 2


def vertex_colors(mesh: Mesh) -> np.ndarray:
    """Return the colour of each vertex, including textures and tints, for formats without textures.

    Returns:
        ``(V, 3)`` float32 linear RGB in [0, 1].
    """
    color = np.ones((len(mesh.vertices), 3), np.float32)
    for part in reversed([part for part in parts_of(mesh) if not part.flipped]):
        corners, texture = part.triangles(mesh).reshape(-1), part.material.texture
        shade = np.tile(np.array(part.material.base_color, np.float32), (len(corners), 1))
        if texture is not None and mesh.uv is not None:
            across, up = (mesh.uv[part.faces].reshape(-1, 2) % 1.0).T
            rows = np.minimum(((1 - up) * texture.shape[0]).astype(int), texture.shape[0] - 1)
            columns = np.minimum((across * texture.shape[1]).astype(int), texture.shape[1] - 1)
            shade *= _linear(texture[rows, columns, :3])
        color[corners] = shade
    if mesh.vertex_color is not None:
        color *= mesh.vertex_color
    return np.clip(color, 0, 1)


def srgb_bytes(linear: np.ndarray) -> np.ndarray:
    """Turn linear RGB in [0, 1] into uint8 sRGB."""
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(curved * 255).astype(np.uint8)


def _linear(pixels: np.ndarray) -> np.ndarray:
    """Turn uint8 sRGB into linear RGB."""
    share = pixels.astype(np.float32) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
