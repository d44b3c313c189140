"""VRM animation (`.vrma`): neck, head, direction of gaze and expressions, for any VRM avatar.

It is a glTF file without meshes. As the standard requires, each expression is a node whose x translation is the weight. Two
variants: the presets of VRM (aa, ih, ou, ee, oh, blinkLeft, blinkRight), which all avatars have; and Perfect Sync, the 52
ARKit names in PascalCase as custom expressions, for avatars that have them.
Source: VRMC_vrm_animation 1.0 (VRM Consortium).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange.angles import gaze_of, rotation_of
from diffposetalk.exchange.names import arkit_weights, pascal
from diffposetalk.exchange.scenes.glb import Binary
from diffposetalk.exchange.visemes.oculus import solved
from diffposetalk.geometry.rotations import quaternions_of

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

BONES = (("hips", -1, 1.0), ("spine", 0, 0.1), ("chest", 1, 0.15), ("neck", 2, 0.25), ("head", 3, 0.08))
"""Humanoid bones: name, parent, height above the parent in metres (players use the avatar's own lengths)."""
NECK_SHARE = 0.4
"""Share of the head's rotation that the neck takes, as in our own head."""
MOUTHS: dict[str, dict[str, float]] = {
    "aa": {"jawOpen": 0.6, "mouthLowerDown": 0.2},
    "ih": {"jawOpen": 0.2, "mouthStretch": 0.3, "mouthSmile": 0.3, "mouthUpperUp": 0.1},
    "ou": {"jawOpen": 0.15, "mouthPucker": 0.8, "mouthFunnel": 0.2},
    "ee": {"jawOpen": 0.3, "mouthStretch": 0.4, "mouthSmile": 0.1, "mouthLowerDown": 0.3},
    "oh": {"jawOpen": 0.4, "mouthFunnel": 0.6},
}
"""ARKit weights that each mouth preset of VRM stands for."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write the presets of VRM."""
    curves = dict(zip(MOUTHS, solved(motion, MOUTHS).T))
    curves |= {f"blink{side}": arkit_weights(motion, (f"eyeBlink{side}",))[:, 0] for side in ("Left", "Right")}
    _write(motion, {"preset": curves}, path, scene)


def write_perfect_sync(motion: Motion, path: Path, scene: Scene) -> None:
    """Write all 52 channels as custom expressions."""
    weights = arkit_weights(motion)
    used = [i for i in range(len(CHANNELS)) if not scene.options.used_only or np.abs(weights[:, i]).max() > 1e-4]
    _write(motion, {"custom": {pascal(CHANNELS[i]): weights[:, i] for i in used}}, path, scene)


def _write(motion: Motion, expressions: dict[str, dict[str, np.ndarray]], path: Path, scene: Scene) -> None:
    binary = Binary()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "diffposetalk"},
        "extensionsUsed": ["VRMC_vrm_animation"],
        "nodes": [],
    }
    if scene.residual is not None:
        document["asset"]["extras"] = {"residual": scene.residual.to_dict()}

    def accessor(values: np.ndarray, bounds: bool = False) -> int:
        return binary.accessor(np.ascontiguousarray(values, np.float32), bounds=bounds)

    nodes = document["nodes"]
    for name, _, height in BONES:
        nodes.append({"name": name, "translation": [0.0, height, 0.0]})
    for child, (_, parent, _) in enumerate(BONES[1:], 1):
        nodes[parent]["children"] = [child]
    neck, head = (next(i for i, bone in enumerate(BONES) if bone[0] == name) for name in ("neck", "head"))
    look_at = len(nodes)
    nodes.append({"name": "lookAt", "translation": [0.0, 0.06, 0.0]})
    nodes[head]["children"] = [look_at]
    times = accessor(np.arange(len(motion)) / motion.fps, bounds=True)
    gaze = rotation_of(gaze_of(motion).mean(1))
    turns = {neck: motion.head_pose * NECK_SHARE, head: motion.head_pose * (1 - NECK_SHARE), look_at: gaze}
    tracks = [(node, "rotation", accessor(quaternions_of(turn))) for node, turn in turns.items()]
    nodes_by_name: dict[str, dict[str, Any]] = {}
    for group, curves in expressions.items():
        nodes_by_name[group] = {}
        for name, curve in curves.items():
            nodes_by_name[group][name] = {"node": len(nodes)}
            tracks.append((len(nodes), "translation", accessor(np.pad(curve[:, None], ((0, 0), (0, 2))))))
            nodes.append({"name": name})
    roots = [0, *range(look_at + 1, len(nodes))]
    document |= {
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "animations": [
            {
                "name": "talk",
                "samplers": [{"input": times, "output": out, "interpolation": "LINEAR"} for _, _, out in tracks],
                "channels": [
                    {"sampler": i, "target": {"node": node, "path": what}} for i, (node, what, _) in enumerate(tracks)
                ],
            }
        ],
        "extensions": {
            "VRMC_vrm_animation": {
                "specVersion": "1.0",
                "humanoid": {"humanBones": {name: {"node": i} for i, (name, _, _) in enumerate(BONES)}},
                "expressions": nodes_by_name,
                "lookAt": {"node": look_at, "offsetFromHeadBone": [0.0, 0.06, 0.0]},
            }
        },
    }
    path.write_bytes(binary.file(document))
