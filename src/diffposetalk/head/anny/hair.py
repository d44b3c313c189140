"""Modelled hair of the free head: a bob and curls. (Cropped hair is painted on the skin.)

Each kind is a grid of columns that run from the crown down to the hair's edge. The grid follows the skull at a smooth
distance. At the forehead it tapers to the skin. The bob's sides and back hang freely, so they have an inner surface as
well, joined to the outer one at the edge. Hair follows the identity of the skin below it, and moves with the head as a
rigid whole.
"""

from __future__ import annotations

import numpy as np

from diffposetalk.head.anny import texture
from diffposetalk.head.anny.parts import MATERIALS, Part, material

KINDS = ("bob", "curls")
CENTRE_Y = 0.03
"""Above this height the skull is measured from one point on the axis, below it level by level; metres above the eyes."""
ARC = 0.1
"""A column's length grows by this much per radian from the crown, metres."""
EQUATOR = ARC * np.pi / 2
"""Length of a column where it passes `CENTRE_Y`, metres."""
BOB_EDGE = np.array([
    (0, 70), (24, 69), (38, 64), (46, 55), (52, 38), (57, 8), (62, -28), (67, -60), (72, -80), (78, -89), (90, -92),
    (120, -88), (150, -82), (180, -80),
], float)  # fmt: skip
CURLS_EDGE = np.array([
    (0, 67), (24, 67), (38, 62), (46, 54), (54, 42), (62, 33), (74, 31), (100, 31), (110, 26), (120, 4), (130, -30),
    (142, -52), (180, -60),
], float)  # fmt: skip
"""Angle from straight ahead in degrees -> height of the hair's edge above the eyes in millimetres."""
BOB_COLUMNS = (4, 12, 20, 28, 36, 42, 47, 51, 55, 59, 63, 67, 72, 78, 86, 97, 112, 130, 150, 170)
CURLS_COLUMNS = (4, 12, 20, 28, 36, 43, 50, 57, 64, 71, 78, 85, 92, 99, 106, 113, 121, 130, 140, 151, 162, 174)
"""Angles of the columns on one side of the face, degrees."""
BOB_ROWS = (0.07, 0.18, 0.29, 0.39, 0.48, 0.57, 0.66, 0.75, 0.84, 0.91, 0.96, 1.0)
CURLS_ROWS = (0.06, 0.13, 0.2, 0.275, 0.35, 0.425, 0.5, 0.575, 0.65, 0.725, 0.8, 0.87, 0.93, 0.97, 1.0)
"""Positions of the rows as shares of a column's length, without the crown."""
BOB_INNER = (0.0, 0.03, 0.08)
"""Positions of the rows of the inner surface, metres above the edge."""
HANGS_FROM = 44
"""Angle from straight ahead from which the bob hangs freely, degrees."""
BOB_THICKNESS, INNER_THICKNESS, CURLS_THICKNESS = 0.012, 0.008, 0.020
CLEAR = 0.006
"""Smallest distance of hanging hair from ears and neck, metres."""
HOLD = 0.022
"""Standard deviation of the Gaussian weights with which hair follows the identity of the skin nearby, metres."""


TURNS = np.radians(np.arange(-180, 180, 4.0))
"""``(n,)`` angles at which the skull is measured, radians from straight ahead, over the full circle."""
LENGTHS = np.concatenate([np.linspace(0, EQUATOR, 24), EQUATOR + np.arange(0.006, 0.14, 0.006)])
"""``(m,)`` lengths along a column at which it is measured, metres."""


def build(skin: Part) -> list[Part]:
    """Model all kinds of hair over the bare head."""
    skull = _measure(skin)
    return [_bob(skin, skull), _curls(skin, skull)]


def _interpolated(table: np.ndarray, turn: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Interpolate a table of radii ``(m, n)`` at `LENGTHS` and `TURNS`."""
    column = (turn - TURNS[0]) / (TURNS[1] - TURNS[0]) % len(TURNS)
    left, right_share = column.astype(int) % len(TURNS), column % 1
    row = np.clip(np.interp(length, LENGTHS, np.arange(len(LENGTHS))), 0, len(LENGTHS) - 1.001)
    above, below_share = row.astype(int), row % 1
    right = (left + 1) % len(TURNS)
    first = table[above, left] * (1 - right_share) + table[above, right] * right_share
    second = table[above + 1, left] * (1 - right_share) + table[above + 1, right] * right_share
    return first * (1 - below_share) + second * below_share


def _rays(turn: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return origins on the axis and directions of rays, each ``(..., 3)``."""
    polar = np.minimum(length / ARC, np.pi / 2)
    y = CENTRE_Y - np.maximum(length - EQUATOR, 0)
    origin = np.stack([0 * y, y, 0 * y + texture.AXIS_Z], -1)
    return origin, np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], -1)


def _place(turn: np.ndarray, length: np.ndarray, radius: np.ndarray) -> np.ndarray:
    origin, direction = _rays(turn, length)
    return origin + radius[..., None] * direction


def _measure(skin: Part) -> np.ndarray:
    """Return the distance of the outermost skin from the axis of the head at `LENGTHS` and `TURNS`, ``(m, n)`` metres."""
    grid = np.meshgrid(LENGTHS, TURNS, indexing="ij")
    origins, directions = (rays.reshape(-1, 3) for rays in _rays(grid[1], grid[0]))
    corners = skin.rest[skin.faces[skin.face_material == MATERIALS.index("skin")]].astype(np.float64)
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    reach = np.zeros(len(origins))
    for index, (origin, direction) in enumerate(zip(origins, directions, strict=True)):
        p = np.cross(direction, ac)
        scale = (ab * p).sum(1)
        scale = np.where(np.abs(scale) < 1e-15, 1e-15, scale)
        offset = origin - a
        u = (offset * p).sum(1) / scale
        q = np.cross(offset, ab)
        v, distance = (q @ direction) / scale, (ac * q).sum(1) / scale
        hit = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6)
        reach[index] = distance[hit].max(initial=0.0)
    return reach.reshape(grid[0].shape)


def _smooth(table: np.ndarray, down: float, across: float) -> np.ndarray:
    """Blur a table of radii by Gaussians of these deviations in cells; it wraps round across."""
    for axis, width in ((0, down), (1, across)):
        reach = int(3 * width) + 1
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        pad = [(reach, reach) if k == axis else (0, 0) for k in range(2)]
        padded = np.pad(table, pad, "edge" if axis == 0 else "wrap")
        table = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis) @ (weights / weights.sum())
    return table


def _widest(table: np.ndarray) -> np.ndarray:
    """Return the largest radius within two cells of each, across and down."""
    padded = np.pad(np.pad(table, [(2, 2), (0, 0)], "edge"), [(0, 0), (2, 2)], "wrap")
    return np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).max((2, 3))


def _edge_lengths(skull: np.ndarray, turns: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Return the lengths of columns at these angles down to the hair's edge: ``(n,)`` metres."""
    fine = np.arange(-200, 381, 2.0)
    bent = np.interp(np.minimum(np.abs(fine), 360 - np.abs(fine)), edge[:, 0], edge[:, 1]) / 1e3
    bent = np.convolve(np.pad(bent, 2, "edge"), np.array([1, 4, 6, 4, 1]) / 16, "valid")
    heights = np.interp(np.degrees(turns), fine, bent)
    lengths = np.linspace(0, LENGTHS[-1], 600)
    result = []
    for turn, height in zip(turns, heights, strict=True):
        turn_here = np.full(len(lengths), turn)
        y = _place(turn_here, lengths, _interpolated(skull, turn_here, lengths))[:, 1]
        result.append(lengths[int(np.flatnonzero(y <= height)[0])])
    return np.array(result)


def _columns(half: tuple[int, ...]) -> np.ndarray:
    """Return the angles of all columns, rising from the back round the face to the back; radians."""
    return np.radians(np.concatenate([-np.array(half[::-1], float), np.array(half, float)]))


def _fall(share: np.ndarray) -> np.ndarray:
    """Ease from 0 to 1."""
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _grid(n_rows: int, n_columns: int) -> np.ndarray:
    """Triangulate a closed grid under a crown that is vertex 0, facing outward."""
    at = 1 + np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    after = np.roll(at, -1, 1)
    cap = np.stack([0 * at[0], at[0], after[0]], -1)
    quads = np.stack([at[:-1], at[1:], after[1:], after[:-1]], -1).reshape(-1, 4)
    return np.concatenate([cap, quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _corner_uv(faces: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Lay strands along the columns: ``u`` in turns round the head, ``(f, 3, 2)``; at the back it may pass 1."""
    around = u[faces]
    around = np.where(np.ptp(around, axis=1, keepdims=True) > 0.5, np.where(around < 0.5, around + 1, around), around)
    crown = faces == 0
    beside = np.where(crown, 0, around).sum(1, keepdims=True) / np.maximum((~crown).sum(1, keepdims=True), 1)
    return np.stack([np.where(crown, beside, around), v[faces]], -1)


def _bob(skin: Part, skull: np.ndarray) -> Part:
    turns, rows = _columns(BOB_COLUMNS), np.array(BOB_ROWS)
    side = np.degrees(np.abs(TURNS))
    hangs_here = _fall((side - HANGS_FROM) / 16)
    ends = _edge_lengths(skull, TURNS, BOB_EDGE)
    to_edge = ends - LENGTHS[:, None]
    near = _smooth(skull, 1.2, 1.5)
    thick = BOB_THICKNESS * np.maximum(_fall((to_edge + 0.001) / 0.045), hangs_here) - 0.001 * (1 - hangs_here)
    outer = near + thick
    over = np.maximum(_widest(skull), near) + CLEAR
    pull = np.interp(side, [60, 100, 140], [0.12, 0.16, 0.30])
    for row in range(1, len(LENGTHS)):  # hair falls from whatever stands out above it, ears included
        if LENGTHS[row] > EQUATOR:
            step = LENGTHS[row] - LENGTHS[row - 1]
            fall = 0.2 + 1.6 * (LENGTHS[row] - EQUATOR) / 0.1
            outer[row] = np.maximum(np.maximum(over[row], skull[row] + 0.003), outer[row - 1] - pull * step * fall)
    outer[LENGTHS > EQUATOR - 0.03] = _smooth(outer, 1.0, 1.5)[LENGTHS > EQUATOR - 0.03]
    turn = np.tile(turns, (len(rows), 1))
    length = rows[:, None] * _edge_lengths(skull, turns, BOB_EDGE)
    loose = _fall((np.degrees(np.abs(turn)) - HANGS_FROM) / 16)
    tuck = np.clip(1 - (length[-1] - length) / 0.03, 0, 1) ** 2 * 0.007 * loose
    radius = _interpolated(outer, turn, length)
    # where hair hangs its edge turns inward; at the forehead it sinks into the skin
    points = _place(turn, length, radius - tuck)
    crown = _place(np.zeros(1), np.zeros(1), outer[:1].mean(1))
    hanging = np.flatnonzero(np.degrees(np.abs(turns)) > HANGS_FROM)
    inner_length = length[-1, hanging] - np.array(BOB_INNER)[:, None]
    inner_turn = np.tile(turns[hanging], (len(BOB_INNER), 1))
    inner_radius = _interpolated(outer, inner_turn, inner_length) - INNER_THICKNESS
    inner_radius[0] -= 0.004 * loose[-1, hanging]
    inner = _place(inner_turn, inner_length, inner_radius)
    everything = np.concatenate([crown, points.reshape(-1, 3), inner.reshape(-1, 3)])
    first = 1 + len(rows) * len(turns)
    at = first + np.arange(inner_length.size).reshape(inner_length.shape)
    at = np.concatenate([1 + (len(rows) - 1) * len(turns) + hanging[None], at])
    beside = np.diff(hanging) == 1
    left, right = at[:, :-1][:, beside], at[:, 1:][:, beside]
    ends_meet = np.stack([at[:, -1:], at[:, :1]])  # at the back the last column meets the first
    left, right = np.concatenate([left, ends_meet[0]], 1), np.concatenate([right, ends_meet[1]], 1)
    quads = np.stack([left[:-1], left[1:], right[1:], right[:-1]], -1).reshape(-1, 4)
    faces = np.concatenate([_grid(len(rows), len(turns)), quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    all_turns = np.concatenate([[0.0], turn.ravel(), inner_turn.ravel()])
    all_lengths = np.concatenate([[0.0], length.ravel(), inner_length.ravel()])
    uv = _corner_uv(faces, 0.5 + all_turns / (2 * np.pi), 1 - all_lengths / 0.28)
    return _part("bob", skin, everything, faces, uv)


def _curls(skin: Part, skull: np.ndarray) -> Part:
    rng = np.random.default_rng(1)
    turns, rows = _columns(CURLS_COLUMNS), np.array(CURLS_ROWS)
    turn = np.tile(turns, (len(rows), 1))
    length = rows[:, None] * _edge_lengths(skull, turns, CURLS_EDGE)
    smooth = _smooth(skull, 1.2, 1.5)
    side = np.degrees(np.abs(turn))
    share = _fall((length[-1] - length) / np.interp(side, [30, 55, 110, 140], [0.055, 0.065, 0.065, 0.05]))
    on_skin = _interpolated(skull, turn, length)
    base = on_skin + share * (_interpolated(smooth, turn, length) - on_skin)
    full = np.interp(side, [30, 70, 110, 180], [0.95, 0.52, 0.6, 0.85])
    full = CURLS_THICKNESS * (1 + _fall((length - 0.02) / 0.12) * (full - 1))
    plain = _place(turn, length, base)
    waves = rng.standard_normal((40, 3))
    waves *= rng.uniform(180, 330, (40, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    bumps = np.sin(plain @ waves.T + rng.uniform(0, 2 * np.pi, 40)).sum(-1) / np.sqrt(20)
    points = _place(
        turn, length, base - 0.0015 * (1 - share) + share * (full + 0.0014 * bumps * np.minimum(length / 0.03, 1))
    )
    crown = _place(np.zeros(1), np.zeros(1), smooth[:1].mean(1) + CURLS_THICKNESS)
    everything = np.concatenate([crown, points.reshape(-1, 3)])
    faces = _grid(len(rows), len(turns))
    flat = np.concatenate([[[0.0, 0.0]], np.stack([length * np.sin(turn), length * np.cos(turn)], -1).reshape(-1, 2)])
    return _part("curls", skin, everything, faces, (flat / 0.16)[faces])


def _part(name: str, skin: Part, points: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> Part:
    """Make a part that follows the identity of the skin nearby, as weighted means of its vertices."""
    outside = np.unique(skin.faces[skin.face_material == MATERIALS.index("skin")])
    squares = ((points[:, None] - skin.rest[outside][None]) ** 2).sum(-1)
    nearest = np.argsort(squares, axis=1, kind="stable")[:, :48]
    squares = np.take_along_axis(squares, nearest, 1)
    weights = np.exp((squares[:, :1] - squares) / (2 * HOLD**2))
    weights /= weights.sum(1, keepdims=True)
    holders = outside[nearest]
    return Part(
        name, points.astype(np.float32), faces, uv.astype(np.float32), material(name, len(faces)),
        np.full(len(points), -1), lambda field: np.einsum("nk,nkc->nc", weights, skin.carry(field)[holders]),
    )  # fmt: skip
