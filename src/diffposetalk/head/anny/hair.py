"""Hair of the free head that stands off the skin: a bob and curls. Cropped hair is painted on the skin.

Each is a surface lifted off the scalp that tapers to the skin at the hairline; the bob also has a curtain that hangs
from the side and the back of the head. Hair moves with the head as a rigid whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.head.anny import texture
from diffposetalk.head.anny.parts import Part, grid_faces, material

KINDS = ("bob", "curls")
EAR_TOP, EAR_FRONT, EAR_BACK = 0.026, np.radians(62), np.radians(116)
"""Hair leaves the ears free: their top, metres above the eyes, and where they start and end from the front."""
SIDE = np.radians(50)
"""The front of the hairline reaches to here on either side."""
TAPER = 0.016
"""Hair reaches its full thickness this far from the hairline, metres."""
BOB_THICKNESS, CURLS_THICKNESS = 0.009, 0.021
CURTAIN_FROM, CURTAIN_TO = np.radians(80), np.radians(280)
"""The bob's curtain hangs from here to there, turning about the head's axis from the front."""
CURTAIN_TOP, CURTAIN_BOTTOM = 0.035, -0.085
"""Where the curtain starts and ends, metres above the eyes."""


def build(skin: Part) -> list[Part]:
    """Model all kinds of hair over the bare head."""
    return [_bob(skin), _curls(skin)]


def beyond_hairline(points: np.ndarray) -> np.ndarray:
    """Return how far points of the skin are inside the hair, metres; negative outside it."""
    turn = np.degrees(np.abs(np.arctan2(points[:, 0], points[:, 2] - texture.AXIS_Z)))
    line = np.interp(turn, texture.HAIRLINE[:, 0], texture.HAIRLINE[:, 1]) / 1e3
    return points[:, 1] - line


def _shell(skin: Part, lift: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> tuple[np.ndarray, ...]:
    """Lift the scalp: points ``(n, 3)``, triangles ``(f, 3)`` and which of the skin's vertices they come from."""
    inside = beyond_hairline(skin.rest)
    turn = np.abs(np.arctan2(skin.rest[:, 0], skin.rest[:, 2] - texture.AXIS_Z))
    behind, before = texture.RADIUS * (turn - EAR_BACK), texture.RADIUS * (EAR_FRONT - turn)
    inside = np.minimum(inside, np.max([skin.rest[:, 1] - EAR_TOP, behind, before], axis=0))
    scalp = (inside > -0.004) & (skin.rest[:, 1] > -0.07)
    # at the front all corners are hair, for a clean hairline; elsewhere one is enough, so that no edge stands off
    chosen = scalp[skin.faces].all(1) | (scalp[skin.faces].any(1) & (turn[skin.faces].min(1) > SIDE))
    used, faces = np.unique(skin.faces[chosen], return_inverse=True)
    normals = vertex_normals(skin.rest, skin.faces)[used]
    share = np.clip(inside[used] / TAPER, 0, 1)
    height = lift(skin.rest[used], share * share * (3 - 2 * share))
    return skin.rest[used] + height[:, None] * normals, faces.reshape(-1, 3), used


def _uv(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Lay strands from the crown downward: ``u`` turns about the head, ``v`` climbs; ``(f, 3, 2)``."""
    uv = texture.skin_uv(points[faces])
    uv[..., 0] = uv[..., 0] * 0.5
    return uv


def _curls(skin: Part) -> Part:
    rng = np.random.default_rng(1)
    waves = rng.standard_normal((24, 3)) * 180
    phases = rng.uniform(0, 2 * np.pi, 24)

    def lift(points: np.ndarray, share: np.ndarray) -> np.ndarray:
        bumps = np.sin(points @ waves.T + phases).sum(1) / np.sqrt(24)
        return 0.0005 + share * (CURLS_THICKNESS + 0.0022 * bumps)

    points, faces, used = _shell(skin, lift)
    return _part("curls", points, faces, _uv(points, faces), lambda field: skin.carry(field)[used])


def _bob(skin: Part, n_columns: int = 41, n_rows: int = 12) -> Part:
    def lift(points: np.ndarray, share: np.ndarray) -> np.ndarray:
        return 0.0005 + share * BOB_THICKNESS

    points, faces, used = _shell(skin, lift)
    turns = np.linspace(CURTAIN_FROM, CURTAIN_TO, n_columns)
    around = np.arctan2(skin.rest[:, 0], skin.rest[:, 2] - texture.AXIS_Z)
    radius = np.hypot(skin.rest[:, 0], skin.rest[:, 2] - texture.AXIS_Z)
    heights = np.linspace(CURTAIN_TOP, CURTAIN_BOTTOM, n_rows)
    rows, anchors = [], []
    level = np.abs(skin.rest[:, 1] - CURTAIN_TOP) < 0.008
    for turn in turns:
        away = np.abs(np.angle(np.exp(1j * (around - turn))))
        near = np.flatnonzero(level & (away < 0.25))
        anchors.append(near[away[near].argmin()])
    # down the side, hair lies on whatever stands out most above it, ears included
    top = np.array([radius[level & (np.abs(np.angle(np.exp(1j * (around - t)))) < 0.2)].max() for t in turns])
    reach = top + BOB_THICKNESS
    for height in heights:
        band = (np.abs(skin.rest[:, 1] - height) < 0.012) & (skin.rest[:, 1] > -0.1)
        out = []
        for turn, before in zip(turns, reach):
            near = band & (np.abs(np.angle(np.exp(1j * (around - turn)))) < 0.12)
            here = radius[near].max(initial=0.0) + 0.004
            out.append(max(before * 0.997, here))
        reach = np.convolve(np.pad(out, 2, "edge"), np.ones(5) / 5, "valid")
        rows.append(
            np.stack([reach * np.sin(turns), np.full(n_columns, height), texture.AXIS_Z + reach * np.cos(turns)], 1)
        )
    grid = np.array(rows, np.float32).reshape(-1, 3)
    hanging = grid_faces(n_rows, n_columns, closed=False)
    outward = grid[hanging].mean(1) - [0, 0, texture.AXIS_Z]
    across = np.cross(grid[hanging[:, 1]] - grid[hanging[:, 0]], grid[hanging[:, 2]] - grid[hanging[:, 0]])
    inward = (across[:, [0, 2]] * outward[:, [0, 2]]).sum(1) < 0
    hanging[inward] = hanging[inward][:, ::-1]
    everything = np.concatenate([points, grid])
    faces = np.concatenate([faces, hanging + len(points)])
    holders = np.concatenate([used, np.tile(anchors, n_rows)])
    return _part("bob", everything, faces, _uv(everything, faces), lambda field: skin.carry(field)[holders])


def _part(
    name: str, points: np.ndarray, faces: np.ndarray, uv: np.ndarray, carry: Callable[[np.ndarray], np.ndarray]
) -> Part:
    none = np.full(len(points), -1)
    return Part(name, points.astype(np.float32), faces, uv.astype(np.float32), material(name, len(faces)), none, carry)


def paint(seed: int, curl: float) -> np.ndarray:
    """Paint hair: ``(256, 512, 3)`` uint8 sRGB, strands running down; ``curl`` in [0, 1] makes them short and round."""
    rng = np.random.default_rng(seed)
    shape = (256, 512)
    long = texture.noise(rng, shape, (30 * (1 - curl) + 3, 0.8 + 2 * curl))
    wide = texture.noise(rng, shape, (40 * (1 - curl) + 8, 5.0))
    shade = np.clip(1 + 0.22 * long + 0.14 * wide, 0.45, 1.7)
    return np.clip(texture.HAIR * 1.15 * shade[..., None], 0, 255).astype(np.uint8)
