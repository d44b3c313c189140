"""Hair colours of people: for hair, brows and the hair painted on the skin."""

from __future__ import annotations

import numpy as np

from diffposetalk.head.anny import texture

HAIR = {
    "black": (31.0, 27.0, 26.0),
    "dark brown": tuple(float(value) for value in texture.HAIR),
    "brown": (62.0, 46.0, 37.0),
    "blond": (116.0, 96.0, 72.0),
    "grey": (112.0, 110.0, 108.0),
}
"""sRGB values in [0, 255]; a head without identity has dark brown hair, the colour of the painted textures."""
BROWS_DARKER = 0.75
"""Factor on the hair's sRGB values that gives the colour of the brows."""
STRANDS = 170.0
"""Mean sRGB value of the grey textures of modelled hair (bob, curls)."""


def material_color(name: str) -> tuple[float, float, float]:
    """Return the linear RGB factor that turns the grey hair textures into this colour."""
    red, green, blue = (_linear(value) / _linear(STRANDS) for value in HAIR[name])
    return red, green, blue


def skin_with(name: str, painted: np.ndarray) -> np.ndarray:
    """Return the skin's texture ``(H, W, 3)`` with the painted hair in this colour."""
    n = len(painted)
    v, u = 1 - (np.arange(n) + 0.5) / n, (np.arange(n) + 0.5) / n
    up = texture.LOWEST + v * (texture.HIGHEST - texture.LOWEST)
    line = np.interp(np.degrees(np.abs(texture.u_to_turn(u))), texture.HAIRLINE[:, 0], texture.HAIRLINE[:, 1])
    height = np.where(up > 0, np.tan(np.clip(up / texture.RADIUS, 0, 1.5)) * texture.RADIUS * 0.9, up) * 1e3
    near = np.clip((height[:, None] - line[None] + 12) / 4, 0, 1)
    brightness = painted.mean(-1)
    skin, hair = texture.SKIN.mean() * 0.92, texture.HAIR.mean()
    share = near * np.clip((skin - brightness) / (skin - hair), 0, 1) * np.clip(brightness / hair, 0.75, 1.15)
    change = np.array(HAIR[name]) - texture.HAIR
    return np.clip(painted + share[..., None] * change, 0, 255).astype(np.uint8)


def brows_with(name: str, painted: np.ndarray) -> np.ndarray:
    """Return the brows' texture ``(H, W, 4)`` for hair of this colour."""
    recoloured = painted.copy()
    recoloured[..., :3] = np.round(BROWS_DARKER * np.array(HAIR[name]))
    return recoloured


def _linear(value: float) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
