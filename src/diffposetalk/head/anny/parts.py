"""The separate surfaces of the free head: skin, shirt, tongue, eyeballs, lashes, brows (teeth: `head.anny.teeth`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.head.anny.source import BaseMesh

MATERIALS = ("skin", "mouth", "eye", "teeth", "gums", "tongue", "cloth", "lashes", "brows", "bob", "curls")
"""Materials in the order of the head file; lashes and brows are transparent layers over others."""

BUST_BOTTOM, BUST_SIDE = -0.25, 0.185
"""Planes at which the body is cut: metres below the eyes, and metres to either side."""
COLLAR_HEIGHT, COLLAR_SLOPE = -0.205, -0.5
"""The collar of the shirt lies in the plane ``y = height + slope * z``."""
CLOTH_THICKNESS = 0.004
BROW_BOX = (0.004, 0.062, 0.004, 0.040)
"""Left brow decal: minimum and maximum x, minimum and maximum y, metres. Its texture covers this box; the right is mirrored."""


@dataclass(frozen=True)
class Part:
    """One surface, and the map from displacements of the base mesh to this surface."""

    name: str
    rest: np.ndarray
    """``(n, 3)`` metres."""
    faces: np.ndarray
    """``(f, 3)`` indices into this part's vertices."""
    uv: np.ndarray
    """``(f, 3, 2)``."""
    face_material: np.ndarray
    """``(f,)`` index into `MATERIALS`."""
    base_index: np.ndarray
    """``(n,)`` index of the vertex in the base mesh, -1 for added vertices."""
    carry: Callable[[np.ndarray], np.ndarray]
    """Linear map: field on the base mesh ``(V_base, 3)`` -> field on this part ``(n, 3)``."""
    eye: int = -1
    """0: left eyeball, 1: right eyeball, -1: any other part."""


def material(name: str, n_faces: int) -> np.ndarray:
    """Return the material indices of faces that all have the same material."""
    return np.full(n_faces, MATERIALS.index(name))


def triangles(quads: np.ndarray) -> np.ndarray:
    """Split ``(Q, 4, ...)`` quads into ``(2 Q, 3, ...)`` triangles."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def from_group(base: BaseMesh, neutral: np.ndarray, name: str, group: str, material_name: str) -> Part:
    """Return a helper surface of the base mesh as a part, unchanged."""
    used, faces = np.unique(triangles(base.quads[group]), return_inverse=True)
    faces = faces.reshape(-1, 3)
    uv = base.uv[triangles(base.quad_uv[group])]
    return Part(name, neutral[used], faces, uv, material(material_name, len(faces)), used, lambda field: field[used])


@dataclass
class _Surface:
    """Triangles whose vertices are weighted means of base-mesh vertices, so that they can be cut exactly."""

    points: list[np.ndarray]
    mix: list[dict[int, float]]
    corners: list[tuple[int, int, int]]
    uv: list[np.ndarray]

    def cut(self, level: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Split the triangles along ``level = 0``; return for each resulting triangle whether its level is above 0."""
        height = level(np.array(self.points))
        made: dict[tuple[int, int], int] = {}
        corners, uvs, above = [], [], []

        def between(i: int, j: int) -> tuple[int, float]:
            t = float(height[i] / (height[i] - height[j]))
            key = (min(i, j), max(i, j))
            if key not in made:
                made[key] = len(self.points)
                self.points.append((1 - t) * self.points[i] + t * self.points[j])
                mixed: dict[int, float] = {}
                for source, share in ((i, 1 - t), (j, t)):
                    for vertex, amount in self.mix[source].items():
                        mixed[vertex] = mixed.get(vertex, 0.0) + share * amount
                self.mix.append(mixed)
            return made[key], t

        for corner, uv in zip(self.corners, self.uv, strict=True):
            up = height[list(corner)] > 0
            if up.all() or not up.any():
                corners.append(corner)
                uvs.append(uv)
                above.append(bool(up[0]))
                continue
            alone = int(np.flatnonzero(up == (up.sum() == 1))[0])
            a, b, c = (alone, (alone + 1) % 3, (alone + 2) % 3)
            ab, t = between(corner[a], corner[b])
            ac, s = between(corner[a], corner[c])
            uv_ab, uv_ac = (1 - t) * uv[a] + t * uv[b], (1 - s) * uv[a] + s * uv[c]
            for new, new_uv, side in (
                ((corner[a], ab, ac), (uv[a], uv_ab, uv_ac), up[a]),
                ((ab, corner[b], corner[c]), (uv_ab, uv[b], uv[c]), not up[a]),
                ((ab, corner[c], ac), (uv_ab, uv[c], uv_ac), not up[a]),
            ):
                corners.append(new)
                uvs.append(np.array(new_uv))
                above.append(bool(side))
        self.corners, self.uv = corners, uvs
        return np.array(above)

    def keep(self, chosen: np.ndarray) -> None:
        """Keep the chosen triangles and remove the others."""
        self.corners = [c for c, one in zip(self.corners, chosen, strict=True) if one]
        self.uv = [u for u, one in zip(self.uv, chosen, strict=True) if one]

    def part(self, name: str, chosen: np.ndarray, face_material: np.ndarray) -> Part:
        """Return the chosen triangles as a part."""
        used, faces = np.unique(np.array(self.corners)[chosen], return_inverse=True)
        mixes = [self.mix[i] for i in used]
        width = max(map(len, mixes))
        index = np.zeros((len(used), width), int)
        amount = np.zeros((len(used), width))
        for row, mixed in enumerate(mixes):
            index[row, : len(mixed)], amount[row, : len(mixed)] = list(mixed), list(mixed.values())
        single = np.where((amount > 0).sum(1) == 1, index[:, 0], -1)
        return Part(
            name,
            np.array(self.points, np.float32)[used],
            faces.reshape(-1, 3),
            np.array(self.uv, np.float32)[chosen],
            face_material,
            single,
            lambda field: np.einsum("nk,nkc->nc", amount, field[index]).astype(np.float32),
        )


def body(base: BaseMesh, neutral: np.ndarray, folder: Path) -> tuple[Part, Part]:
    """Cut the body to a bust; return the skin (head, neck, inside of the mouth) and a shirt."""
    quads, quad_uv = base.quads["body"], base.quad_uv["body"]
    middle = neutral[quads].mean(1)
    near = (middle[:, 1] > BUST_BOTTOM - 0.06) & (np.abs(middle[:, 0]) < BUST_SIDE + 0.06)
    used, corners = np.unique(triangles(quads[near]), return_inverse=True)
    surface = _Surface(
        list(neutral[used]),
        [{int(i): 1.0} for i in used],
        [(int(a), int(b), int(c)) for a, b, c in corners.reshape(-1, 3)],
        list(base.uv[triangles(quad_uv[near])]),
    )
    surface.keep(surface.cut(lambda p: p[:, 1] - BUST_BOTTOM))
    surface.keep(surface.cut(lambda p: BUST_SIDE - np.abs(p[:, 0])))
    bare = surface.cut(lambda p: p[:, 1] - COLLAR_HEIGHT - COLLAR_SLOPE * p[:, 2])
    inside = read_mask(folder, "inside-mouth", np.array(surface.uv)[bare].mean(1)) > 0.5
    look = np.where(inside, MATERIALS.index("mouth"), MATERIALS.index("skin"))
    shirt = surface.part("shirt", ~bare, material("cloth", int((~bare).sum())))
    return surface.part("skin", bare, look), _thicken(shirt)


def _thicken(shirt: Part) -> Part:
    """Offset the cloth from the body and close the collar with a rim."""
    edges = np.concatenate([shirt.faces[:, [k, (k + 1) % 3]] for k in range(3)])
    edge_uv = np.concatenate([shirt.uv[:, [k, (k + 1) % 3]] for k in range(3)])
    known = {tuple(edge) for edge in edges.tolist()}
    border = np.array([(b, a) not in known for a, b in edges.tolist()])
    level = shirt.rest[:, 1] - COLLAR_HEIGHT - COLLAR_SLOPE * shirt.rest[:, 2]
    collar = border & (np.abs(level[edges]) < 1e-5).all(1)
    ring, index = np.unique(edges[collar], return_inverse=True)
    index = index.reshape(-1, 2) + len(shirt.rest)
    rim = np.stack([edges[collar][:, 1], edges[collar][:, 0], index[:, 0], index[:, 1]], 1)
    rim_uv = edge_uv[collar][:, [1, 0, 0, 1]]
    lifted = shirt.rest + CLOTH_THICKNESS * vertex_normals(shirt.rest, shirt.faces)
    faces = np.concatenate([shirt.faces, triangles(rim)])
    return replace(
        shirt,
        rest=np.concatenate([lifted, shirt.rest[ring]]),
        faces=faces,
        uv=np.concatenate([shirt.uv, triangles(rim_uv)]),
        face_material=material("cloth", len(faces)),
        base_index=np.full(len(lifted) + len(ring), -1),
        carry=lambda field: np.concatenate([shirt.carry(field), shirt.carry(field)[ring]]),
    )


def read_mask(folder: Path, name: str, uv: np.ndarray) -> np.ndarray:
    """Sample one of the package's mask images at texture coordinates ``(..., 2)``; values in [0, 1]."""
    from PIL import Image

    image = np.asarray(Image.open(folder / f"mpfb2/textures/mpfb_{name}.jpg").convert("L"), np.float32) / 255
    height, width = image.shape
    x = np.clip(uv[..., 0] * width - 0.5, 0, width - 1.001)
    y = np.clip((1 - uv[..., 1]) * height - 0.5, 0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    right, down = x - column, y - row
    above = image[row, column] * (1 - right) + image[row, column + 1] * right
    below = image[row + 1, column] * (1 - right) + image[row + 1, column + 1] * right
    return above * (1 - down) + below * down


def skin_masks(base: BaseMesh, index: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """Sample the masks at vertices of the body: name -> ``(n,)`` in [0, 1]."""
    uv = np.zeros((len(base.vertices), 2), np.float32)
    uv[base.quads["body"].ravel()] = base.uv[base.quad_uv["body"].ravel()]
    names = {"lips": "lips", "eyelids": "eyelids", "mouth": "inside-mouth", "ears": "ears"}
    return {name: read_mask(folder, file, uv[index]) for name, file in names.items()}


def eyeball(base: BaseMesh, neutral: np.ndarray, group: str, side: int, n_rings: int = 20, n_sides: int = 32) -> Part:
    """Return a finely divided sphere in place of the base mesh's coarse eyeball.

    Its texture coordinates are polar about the line of sight: the centre is (0.5, 0.5), the back of the eye has radius 0.5.
    """
    members = base.members(group)
    points = neutral[members]
    centre = points.mean(0)
    radius = np.linalg.norm(points - centre, axis=1).mean()
    polar = np.pi * np.linspace(0, 1, n_rings + 1)[:, None] ** 1.3
    turn = 2 * np.pi * np.arange(n_sides) / n_sides
    ring = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], -1)
    offset = ring.reshape(-1, 3) * radius
    faces = grid_faces(n_rings + 1, n_sides)
    reach = polar / np.pi / 2
    uv = np.stack([0.5 + reach * np.cos(turn), 0.5 + reach * np.sin(turn)], -1).reshape(-1, 2)
    spread = ((points - centre) ** 2).sum()

    def carry(field: np.ndarray) -> np.ndarray:
        moved = field[members]
        growth = ((moved - moved.mean(0)) * (points - centre)).sum() / spread
        return (moved.mean(0) + growth * offset).astype(np.float32)

    name = ("left_eye", "right_eye")[side]
    none = np.full(len(offset), -1)
    rest = (centre + offset).astype(np.float32)
    return Part(name, rest, faces, uv[faces], material("eye", len(faces)), none, carry, side)


def grid_faces(n_rows: int, n_columns: int, closed: bool = True) -> np.ndarray:
    """Triangulate a grid of vertices, row after row; `closed` joins the last column to the first."""
    at = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    after = np.roll(at, -1, 1)
    if not closed:
        at, after = at[:, :-1], after[:, :-1]
    return triangles(np.stack([at[:-1], at[1:], after[1:], after[:-1]], -1).reshape(-1, 4))


def lash_strip(base: BaseMesh, neutral: np.ndarray, side: str, lid: int) -> Part:
    """Return a two-sided strip of lashes; texture `u` runs along the lid, `v` from root to tip.

    The lower lid (1) uses the lower half of the texture, the upper lid (2) the upper half.
    """
    group = f"helper-{side}-eyelashes-{lid}"
    one = from_group(base, neutral, "lashes", group, "lashes")
    quads = np.searchsorted(one.base_index, base.quads[group])
    valence = np.bincount(quads.ravel())
    sides = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    known = {tuple(edge) for edge in sides.tolist()}
    follow = {a: b for a, b in sides.tolist() if (b, a) not in known}
    corner = int(np.flatnonzero(valence == 1)[0])
    loop = [corner]
    while (after := follow[loop[-1]]) != corner:
        loop.append(after)
    turns = [i for i, vertex in enumerate(loop) if valence[vertex] == 1] + [len(loop)]
    runs = [(loop + loop[:1])[a : b + 1] for a, b in pairwise(turns)]
    runs.sort(key=len)
    eye = neutral[base.members(f"helper-{side}-eye")].mean(0)
    root, tip = sorted(runs[2:], key=lambda run: np.linalg.norm(one.rest[run] - eye, axis=1).mean())
    ends = sorted(runs[:2], key=lambda run: abs(one.rest[run, 0].mean()))
    v = _steps(len(one.rest), quads, root) / _steps(len(one.rest), quads, root)[tip].max()
    u = _steps(len(one.rest), quads, ends[0]) / _steps(len(one.rest), quads, ends[0])[ends[1]].max()
    low, high = (0.02, 0.48) if lid == 1 else (0.52, 0.98)
    uv = np.stack([0.02 + 0.96 * u, low + (high - low) * v], -1)
    faces = np.concatenate([one.faces, one.faces[:, ::-1]])
    look = material("lashes", len(faces))
    return replace(one, name=f"lashes_{side}{lid}", faces=faces, uv=uv[faces], face_material=look)


def _steps(n: int, quads: np.ndarray, start: list[int]) -> np.ndarray:
    """Return the number of grid edges from a set of vertices to every vertex."""
    edges = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    distance = np.full(n, n)
    distance[start] = 0
    for _ in range(n):
        nearer = distance.copy()
        np.minimum.at(nearer, edges[:, 0], distance[edges[:, 1]] + 1)
        np.minimum.at(nearer, edges[:, 1], distance[edges[:, 0]] + 1)
        if (nearer == distance).all():
            break
        distance = nearer
    return distance


def brow_decals(skin: Part) -> Part:
    """Return a transparent sheet over each brow, slightly above the skin; it moves with the skin."""
    x0, x1, y0, y1 = BROW_BOX
    where = skin.rest * [1, 1, 1]
    normals = vertex_normals(skin.rest, skin.faces)
    across = np.abs(where[:, 0])
    inside = (across > x0) & (across < x1) & (where[:, 1] > y0) & (where[:, 1] < y1) & (normals[:, 2] > 0)
    chosen = inside[skin.faces].all(1) & (skin.face_material == MATERIALS.index("skin"))
    used, faces = np.unique(skin.faces[chosen], return_inverse=True)
    faces = faces.reshape(-1, 3)
    uv = np.stack([(across[used] - x0) / (x1 - x0), (where[used, 1] - y0) / (y1 - y0)], -1)
    lifted = skin.rest[used] + 0.0006 * normals[used]
    return Part(
        "brows", lifted.astype(np.float32), faces, uv[faces], material("brows", len(faces)), np.full(len(used), -1),
        lambda field: skin.carry(field)[used],
    )  # fmt: skip
