"""The 15 visemes of Oculus, fitted to the ARKit channels of the mouth.

Each viseme is a mix of ARKit channels. For every frame, a least-squares fit finds the viseme weights whose mix is nearest to
the motion. The weights are at least 0 and slightly smoothed in time. The mixes are our own: they follow the look of the
phones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.exchange.documents import sound_name, write_json
from diffposetalk.exchange.names import arkit_weights

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

NAMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")
"""Names of the visemes in the order of Oculus Lipsync."""
MORPHS = tuple("viseme_" + {"ih": "I", "oh": "O", "ou": "U"}.get(name, name) for name in NAMES)
"""Names of their morph targets on avatars."""
RECIPES: dict[str, dict[str, float]] = {
    "PP": {"mouthPress": 0.4, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},
    "FF": {"mouthRollLower": 0.7, "mouthUpperUp": 0.3, "jawOpen": 0.05},
    "TH": {"jawOpen": 0.18, "tongueOut": 0.5, "mouthLowerDown": 0.2},
    "DD": {"jawOpen": 0.12, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15},
    "kk": {"jawOpen": 0.2, "mouthLowerDown": 0.2, "mouthUpperUp": 0.2},
    "CH": {"jawOpen": 0.08, "mouthFunnel": 0.5, "mouthShrugUpper": 0.2},
    "SS": {"jawOpen": 0.03, "mouthStretch": 0.35, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
    "nn": {"jawOpen": 0.1, "mouthLowerDown": 0.25},
    "RR": {"jawOpen": 0.12, "mouthFunnel": 0.3, "mouthPucker": 0.15},
    "aa": {"jawOpen": 0.6, "mouthLowerDown": 0.2},
    "E": {"jawOpen": 0.3, "mouthStretch": 0.3, "mouthSmile": 0.2, "mouthLowerDown": 0.2},
    "ih": {"jawOpen": 0.2, "mouthStretch": 0.2, "mouthSmile": 0.3, "mouthUpperUp": 0.1},
    "oh": {"jawOpen": 0.4, "mouthFunnel": 0.6},
    "ou": {"jawOpen": 0.15, "mouthPucker": 0.8, "mouthFunnel": 0.2},
}
"""ARKit weights of each viseme at 1; a name without a side means both sides."""
_ABSOLUTE = {"mouthClose": {"jawOpen": -1.0}}
"""Channels that cancel another channel: `mouthClose` closes the lips even if the jaw is open."""


def mixed(recipes: dict[str, dict[str, float]]) -> np.ndarray:
    """Return recipes as ``(n, 52)`` float64 weights."""
    weights = np.zeros((len(recipes), len(CHANNELS)))
    for row, recipe in zip(weights, recipes.values()):
        for name, amount in recipe.items():
            for channel in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
                row[INDEX[channel]] = amount
    return weights


def solved(motion: Motion, recipes: dict[str, dict[str, float]]) -> np.ndarray:
    """Return the weight of each recipe in a motion, ``(T, n)`` float64 in [0, 1]."""
    from diffposetalk.geometry.least_squares import solve_weights

    weights = arkit_weights(motion).astype(np.float64)
    for name, cancelled in _ABSOLUTE.items():
        for other, amount in cancelled.items():
            weights[:, INDEX[other]] = np.maximum(0, weights[:, INDEX[other]] + amount * weights[:, INDEX[name]])
    basis = mixed(recipes)
    used = basis.any(0)
    importance = np.where(np.array(CHANNELS) == "jawOpen", 1.5, 1.0)[used]
    return solve_weights(
        basis[:, used] * importance, weights[:, used] * importance, ridge=0.02, temporal=0.02, sparsity=0.01
    )


def viseme_weights(motion: Motion) -> np.ndarray:
    """Return all 15 visemes, ``(T, 15)`` float64 in [0, 1]; `sil` is 1 minus the sum of the others."""
    spoken = solved(motion, RECIPES)
    return np.concatenate([np.clip(1 - spoken.sum(1, keepdims=True), 0, 1), spoken], 1)


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the visemes of each frame, with the names of Oculus and of morph targets."""
    document = {
        "fps": motion.fps,
        "soundFile": sound_name(scene),
        "visemes": list(NAMES),
        "morphTargets": list(MORPHS),
        "frames": viseme_weights(motion).round(5).tolist(),
    }
    if scene.residual is not None:
        document["residual"] = scene.residual.to_dict()
    write_json(document, path)
