"""Teeth and gums of the free head, modelled tooth by tooth along the arches of the base mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.head.anny import texture
from diffposetalk.head.anny.parts import MATERIALS, Part, grid_faces, material
from diffposetalk.head.anny.source import BaseMesh

WIDTHS = {"upper": (8.6, 6.7, 7.7, 7.1, 6.8, 10.2, 9.6), "lower": (5.3, 5.9, 6.9, 7.0, 7.2, 10.8, 10.2)}
"""Mesiodistal widths from the middle to the back, millimetres (Wheeler's averages); scaled to the arch."""
DEPTHS = {"upper": (6.4, 5.8, 7.4, 8.6, 8.6, 10.0, 10.0), "lower": (5.6, 5.8, 7.0, 7.4, 7.8, 9.6, 9.4)}
"""Thickness from lip or cheek to tongue, millimetres."""
HEIGHTS = {"upper": (10.2, 9.0, 9.8, 8.2, 7.6, 7.0, 6.6), "lower": (8.8, 9.0, 10.0, 8.4, 7.8, 7.2, 6.8)}
"""Crown heights, millimetres."""
SET_BACK = {"upper": 0.0005, "lower": 0.0028}
"""Distance of the labial faces inside the base mesh's arch, metres: the lower teeth bite behind the upper."""
EDGE = {
    "upper": (15069, 15086, 15071, 15070, 15085, 15078, 15077, 15076, 15080),
    "lower": (15010, 15001, 15002, 15003, 15004, 15005, 15006, 15007, 15008),
}
"""Vertices of the base mesh along the biting edge on the cheek side, from the middle to the back on the left."""
LOWERED = {"upper": 0.0018, "lower": 0.0}
"""Downward shift of the teeth from those of the base mesh, metres, so that the upper teeth show a little under an open lip."""
SHOWN, OVERBITE = 0.0028, 0.0022
"""How far the upper incisors reach below the upper lip at rest, and how far they cover the lower ones, metres."""
BACK, FRONT, MOLARS_MOVE = -0.012, 0.008, 0.45
"""In front of `FRONT` (z, metres) teeth move by the whole way to their place, behind `BACK` by this share of it."""
JAWS = {"upper": (3, 4), "lower": (5, 6)}
"""Rows of the array `parts`: the teeth and the gums of each jaw."""
MOLAR = (
    (-0.25, 0.7, 0.7, 0.0),
    (0.3, 0.93, 1.0, 0.0),
    (0.75, 1.0, 0.98, 0.0),
    (0.95, 0.9, 0.8, 0.0),
    (0.97, 0.3, 0.3, 0.0),
)
INCISOR = ((-0.25, 0.68, 0.8, 0.0), (0.2, 0.88, 0.92, 0.0), (0.65, 0.99, 0.62, 0.13), (0.94, 0.97, 0.3, 0.22),
           (1.0, 0.86, 0.14, 0.24))  # fmt: skip
"""Rings of a crown: position from neck (0) to edge (1), share of the width, share of the depth, shift toward the lips as a
share of the depth."""
ROUND = 10
"""Number of vertices around each tooth."""


@dataclass(frozen=True)
class _Arch:
    """A dental arch as a curve: position, outward normal and biting edge by arc length from the middle."""

    length: np.ndarray
    outer: np.ndarray
    """``(n, 3)`` on the labial side at the biting edge."""

    def at(self, s: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return position, unit tangent and unit outward normal, each ``(..., 3)``."""

        def place(t: np.ndarray | float) -> np.ndarray:
            return np.stack([np.interp(t, self.length, self.outer[:, k]) for k in range(3)], -1)

        ahead = place(np.asarray(s) + 0.0015) - place(np.asarray(s) - 0.0015)
        ahead[..., 1] = 0
        tangent = ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
        outward = np.stack([-tangent[..., 2], 0 * tangent[..., 0], tangent[..., 0]], -1)
        return place(s), tangent, outward


def _arch(neutral: np.ndarray, which: str) -> _Arch:
    """Follow the labial biting edge of the base mesh's teeth from the right to the left."""
    left = neutral[list(EDGE[which])] - [0, LOWERED[which], 0]
    knots = np.concatenate([(left * [-1, 1, 1])[:0:-1], left])
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    places = np.linspace(0, chord[-1], 200)
    curve = np.stack([np.interp(places, chord, knots[:, k]) for k in range(3)], -1)
    for _ in range(60):  # round off the corners
        curve[1:-1] = (curve[:-2] + 2 * curve[1:-1] + curve[2:]) / 4
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return _Arch(length - length[-1] / 2, curve)


def build(base: BaseMesh, neutral: np.ndarray) -> list[Part]:
    """Model both jaws: upper and lower teeth, upper and lower gums.

    Each jaw follows the base mesh's teeth of that jaw as a rigid whole would, plus an affine change of shape.
    """
    parts = []
    for which in ("upper", "lower"):
        members = base.members(f"helper-{which}-teeth")
        points = neutral[members]
        arch = _arch(neutral, which)
        carry = _affine(members, points)
        for name, look, (rest, faces) in (
            (f"{which}_teeth", "teeth", _teeth(arch, which)),
            (f"{which}_gums", "gums", _gums(arch, which)),
        ):
            rest = rest.astype(np.float32)
            uv = np.zeros((len(faces), 3, 2), np.float32)
            none = np.full(len(rest), -1)
            parts.append(Part(name, rest, faces, uv, material(look, len(faces)), none, carry(rest)))
    return parts


def placed(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a head file with the teeth at the height that people's have; all else stays as it is.

    The base mesh's upper teeth hardly reach below the upper lip, so that an open mouth would show the lower teeth alone.
    What is done twice changes nothing more.
    """
    vertices = arrays["vertices"].astype(np.float64)
    lip = vertices[arrays["lip_columns"][1, 0], 1].min()
    rows = {jaw: [slice(*arrays["parts"][row]) for row in JAWS[jaw]] for jaw in JAWS}
    for jaw, edge, extreme in (("upper", lip - SHOWN, np.min), ("lower", lip - SHOWN + OVERBITE, np.max)):
        teeth = vertices[rows[jaw][0]]
        way = edge - extreme(teeth[np.abs(teeth[:, 0]) < 0.006, 1])
        for part in rows[jaw]:
            ahead = np.clip((vertices[part, 2] - BACK) / (FRONT - BACK), 0, 1)
            vertices[part, 1] += way * (MOLARS_MOVE + (1 - MOLARS_MOVE) * ahead)
    result = arrays | {"vertices": vertices.astype(arrays["vertices"].dtype), "tint": arrays["tint"].copy()}
    materials = np.zeros(len(vertices), np.int64)
    materials[arrays["faces"].ravel()] = np.repeat(arrays["face_material"], 3)
    parted = vertices + texture.PARTED * arrays["expression"][INDEX["jawOpen"]]
    bald = ~np.isin(arrays["face_material"], [MATERIALS.index(name) for name in ("bob", "curls")])
    tint = texture.tint(parted, arrays["faces"][bald], materials)
    for part in (*rows["upper"], *rows["lower"]):
        result["tint"][part] = tint[part]
    return result


def _affine(members: np.ndarray, points: np.ndarray) -> Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """Return a map of fields on the base mesh's teeth to these teeth: the least-squares affine map."""
    centre = points.mean(0)
    solve = np.linalg.pinv(np.concatenate([points - centre, np.full((len(points), 1), 0.03)], 1))

    def onto(rest: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        arms = np.concatenate([rest - centre, np.full((len(rest), 1), 0.03)], 1)
        return lambda field: (arms @ (solve @ field[members])).astype(np.float32)

    return onto


def _teeth(arch: _Arch, which: str) -> tuple[np.ndarray, np.ndarray]:
    widths = np.array(WIDTHS[which]) * 1e-3
    widths *= min(1.0, 0.97 * arch.length[-1] / widths.sum())
    down = -1.0 if which == "upper" else 1.0
    points, faces, total = [], [], 0
    for side in (-1, 1):
        for k, width in enumerate(widths):
            place, tangent, outward = arch.at(side * (widths[:k].sum() + width / 2))
            crown = _crown(width, DEPTHS[which][k] * 1e-3, HEIGHTS[which][k] * 1e-3, molar=k >= 3)
            local = place - outward * (SET_BACK[which] + DEPTHS[which][k] * 0.5e-3)
            local = local + crown[..., :1] * tangent + crown[..., 1:2] * outward
            local = local + (crown[..., 2:] * down) * np.array([0.0, 1.0, 0.0])
            one = grid_faces(*crown.shape[:2])
            if down < 0:
                one = one[:, ::-1]
            points.append(local.reshape(-1, 3))
            faces.append(one + total)
            total += crown.shape[0] * crown.shape[1]
    return np.concatenate(points), np.concatenate(faces)


def _crown(width: float, depth: float, height: float, molar: bool) -> np.ndarray:
    """Model a crown as rings from the root to the biting edge: ``(rings, ROUND, 3)`` along, outward, toward the edge."""
    turn = 2 * np.pi * (np.arange(ROUND) + 0.5) / ROUND
    cosine, sine = np.cos(turn), np.sin(turn)
    square = 0.55  # exponent of the rounded rectangle
    along = np.sign(cosine) * np.abs(cosine) ** square
    across = np.sign(sine) * np.abs(sine) ** square
    rings = []
    for place, wide, deep, shift in MOLAR if molar else INCISOR:
        level = np.full(ROUND, (place - 1) * height)
        rings.append(np.stack([along * wide * width * 0.49, (across * deep * 0.5 + shift) * depth, level], -1))
    rings.append(np.broadcast_to(rings[-1].mean(0), (ROUND, 3)))
    return np.array(rings)


def _gums(arch: _Arch, which: str, n: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """Loft a rounded ridge along the roots, scalloped between the teeth."""
    s = np.linspace(arch.length[0], arch.length[-1], n) * 0.99
    place, _, outward = arch.at(s)
    down = -1.0 if which == "upper" else 1.0
    span = np.abs(s) / arch.length[-1]
    depth = np.interp(span, [0, 1], [DEPTHS[which][0], DEPTHS[which][-1]]) * 1e-3
    height = np.interp(span, [0, 1], [HEIGHTS[which][0], HEIGHTS[which][-1]]) * 1e-3
    turn = np.linspace(np.pi, 2 * np.pi, 9)
    rows = []
    for angle in turn:
        out = np.cos(angle) * (depth * 0.42 + 0.0010)
        deep = -height * 0.84 - (0.010 if abs(np.cos(angle)) > 0.99 else 0.0012 * np.cos(angle) ** 2)
        row = place - outward * (SET_BACK[which] + depth * 0.5)[:, None] + out[:, None] * outward
        rows.append(row + down * deep[:, None] * np.array([0.0, 1.0, 0.0]))
    grid = np.stack(rows)
    faces = grid_faces(len(rows), n, closed=False)
    return grid.reshape(-1, 3), faces if down > 0 else faces[:, ::-1]
