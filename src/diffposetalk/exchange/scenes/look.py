"""A mesh's look as scene formats say it: parts of one material, textures as picture files, physical material values."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from diffposetalk.geometry.mesh import Material, Mesh

PLAIN = Material("surface", (0.6, 0.6, 0.6))
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Part:
    """The triangles of one material."""

    material: Material
    faces: np.ndarray
    """`(n,)` which of the mesh's triangles."""
    flipped: bool = False
    """Seen from behind: the dark inside of a head that has no mouth."""

    def triangles(self, mesh: Mesh) -> np.ndarray:
        """Return `(n, 3)` vertex indices, counter-clockwise as seen."""
        chosen = mesh.faces[self.faces]
        return chosen[:, ::-1] if self.flipped else chosen

    def uv(self, mesh: Mesh) -> np.ndarray | None:
        """Return `(n, 3, 2)` texture coordinates of the corners, origin at the lower left; none without any."""
        return None if mesh.uv is None else mesh.uv[self.faces]


def parts_of(mesh: Mesh) -> Iterator[Part]:
    """Cut a mesh by material, opaque ones first, hair with holes last."""
    materials = mesh.materials or (PLAIN,)
    of_face = np.zeros(len(mesh.faces), int) if mesh.face_material is None else np.asarray(mesh.face_material)
    for index in sorted(range(len(materials)), key=lambda k: has_holes(materials[k])):
        material, chosen = materials[index], np.flatnonzero(of_face == index)
        if not len(chosen):
            continue
        yield Part(material, chosen)
        if material.inside is not None:
            dark = replace(PLAIN, name=f"{material.name}_inside", base_color=material.inside, roughness=1.0, specular=0)
            yield Part(dark, chosen, flipped=True)


def has_holes(material: Material) -> bool:
    """Tell whether the material's texture leaves parts of the surface away."""
    return material.texture is not None and material.texture.shape[2] == 4


def picture_of(texture: np.ndarray) -> tuple[bytes, str]:
    """Encode a texture: PNG where it has coverage, else JPEG, which is a tenth as large.

    Args:
        texture: `(H, W, 3)` or `(H, W, 4)` uint8 sRGB.

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
    """Tell whether texture coordinates leave the picture, so that it has to be repeated."""
    return bool(uv.size) and (float(uv.min()) < 0 or float(uv.max()) > 1)


def open_air(part: Part, mesh: Mesh) -> np.ndarray:
    """Return the mean tint of a part, linear RGB: how much light its colours and hollows leave, 1 all of it."""
    if mesh.vertex_color is None or part.flipped:
        return np.ones(3)
    return np.clip(mesh.vertex_color[part.triangles(mesh)].mean((0, 1)), 0, 1)


def reflectance(part: Part, mesh: Mesh) -> float:
    """Return the share of light reflected head-on (0.04 is what most programs assume); less in hollows such as the mouth."""
    return 0.11 * part.material.specular * float(open_air(part, mesh).max()) ** 2


def vertex_colors(mesh: Mesh) -> np.ndarray:
    """Return the colour of each vertex, textures and tints included, for formats and views that know no textures.

    Returns:
        `(V, 3)` float32 linear RGB in [0, 1].
    """
    color = np.ones((len(mesh.vertices), 3), np.float32)
    for part in reversed([part for part in parts_of(mesh) if not part.flipped]):
        corners, texture = part.triangles(mesh).reshape(-1), part.material.texture
        shown = np.tile(np.array(part.material.base_color, np.float32), (len(corners), 1))
        if texture is not None and mesh.uv is not None:
            across, up = (mesh.uv[part.faces].reshape(-1, 2) % 1.0).T
            rows = np.minimum(((1 - up) * texture.shape[0]).astype(int), texture.shape[0] - 1)
            columns = np.minimum((across * texture.shape[1]).astype(int), texture.shape[1] - 1)
            shown *= _linear(texture[rows, columns, :3])
        color[corners] = shown
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
