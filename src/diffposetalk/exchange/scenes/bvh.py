"""BVH: an animated skeleton of the head (neck, head, eyes, FLAME's jaw); the format has no blend shapes.

Angles are in degrees; rotations apply in the order of the channels: Z, X, Y. Lengths are in centimetres, as MotionBuilder,
Maya and Unreal assume; the format defines no unit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

CM = 100.0
"""Centimetres in a metre."""
TIP_CM = {"Head": (0.0, 15.0, 0.0), "Neck": (0.0, 15.0, 0.0), "Jaw": (0.0, -3.0, 6.0)}
"""End points of joints without children, centimetres."""
EYE_TIP_CM = (0.0, 0.0, 2.0)
"""End point of an eye, centimetres."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write skeleton and motion."""
    from diffposetalk.exchange.scenes.rig import rig_of

    rig = rig_of(scene.head_of(motion), motion, scene.identity)
    lines = ["HIERARCHY"]
    order: list[int] = []

    def joint(index: int, depth: int) -> None:
        pad = "  " * depth
        parent = rig.parents[index]
        offset = (rig.joints[index] - rig.joints[parent]) * CM if parent >= 0 else np.zeros(3)
        channels = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        order.append(index)
        lines.append(f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {rig.joint_names[index]}")
        lines.append(pad + "{")
        lines.append(f"{pad}  OFFSET {_three(offset)}")
        lines.append(f"{pad}  CHANNELS {channels} Zrotation Xrotation Yrotation")
        children = [child for child, above in enumerate(rig.parents) if above == index]
        for child in children:
            joint(child, depth + 1)
        if not children:
            tip = TIP_CM.get(rig.joint_names[index], EYE_TIP_CM)
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {_three(np.array(tip))}", f"{pad}  }}"])
        lines.append(pad + "}")

    joint(0, 0)
    angles = np.rad2deg(_zxy(rig.rotations[:, order]))
    root = np.broadcast_to(rig.translations[:, 0] * CM, (len(rig), 3))
    values = np.concatenate([root, angles.reshape(len(rig), -1)], 1) + 0.0
    row = " ".join(["%.6f"] * values.shape[1])
    lines += ["MOTION", f"Frames: {len(rig)}", f"Frame Time: {1 / rig.fps:.8f}"]
    lines += [row % tuple(frame) for frame in values.tolist()]
    path.write_bytes(("\n".join(lines) + "\n").encode())


def _three(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def _zxy(quaternions: np.ndarray) -> np.ndarray:
    """Turn ``(T, J, 4)`` quaternions into angles about z, x, y, ``(T, J, 3)`` radians, of the rotation `Rz @ Rx @ Ry`."""
    x, y, z, w = np.moveaxis(quaternions.astype(np.float64), -1, 0)
    about_x = np.arcsin(np.clip(2 * (y * z + w * x), -1, 1))
    about_y = np.arctan2(2 * (w * y - x * z), 1 - 2 * (x * x + y * y))
    about_z = np.arctan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
    return np.unwrap(np.stack([about_z, about_x, about_y], -1), axis=0)
