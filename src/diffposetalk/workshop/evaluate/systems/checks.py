"""Checks that an output fits its clip: length, rate, units. Each failure is one line that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.motion import Motion
from diffposetalk.workshop.evaluate.protocol.contents import TOLERANCE_S
from diffposetalk.workshop.evaluate.systems.base import Output, VertexMotion

RATES = (20.0, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 90.0, 100.0, 120.0)
"""Usual frame rates, to suggest one."""
FACE_M = (0.02, 1.5)
"""Smallest and largest side of the box around a face or a bust, metres."""
TYPICAL_M = 0.25
"""Side of the box around a head, metres."""
LARGEST_WEIGHT = 2.5
"""An ARKit weight above is no share: 0 to 1 are usual, a little more occurs."""
LARGEST_TURN = 2 * np.pi
"""A head or jaw angle above is not in radians."""


def check_length(output: Output, seconds: float, path: Path) -> None:
    """Refuse an output of another length than its clip.

    Raises:
        InputError: it is more than `TOLERANCE_S` shorter or longer.
    """
    if abs(output.duration - seconds) <= TOLERANCE_S + 1e-6:
        return
    frames = len(output)
    nearest = min(RATES, key=lambda rate: abs(frames / rate - seconds))
    fits = abs(frames / nearest - seconds) <= TOLERANCE_S and nearest != output.fps
    hint = f"; at {nearest:g} frames a second it would fit, so check the rate" if fits else ""
    raise InputError(
        f"{path}: its {frames} frames at {output.fps:g} a second last {output.duration:.2f} s, "
        f"the clip lasts {seconds:.2f} s{hint}"
    )


def check_motion(motion: Motion, path: Path) -> None:
    """Refuse motion in other units than radians and weights from 0 to 1.

    Raises:
        InputError: weights look like per cent, or angles like degrees.
    """
    arkit = [k for k, name in enumerate(motion.expression_names) if name in CHANNELS]
    largest = float(np.abs(motion.expression[:, arkit]).max()) if arkit and len(motion) else 0.0
    if largest > LARGEST_WEIGHT:
        raise InputError(
            f"{path}: its ARKit weights reach {largest:.4g}; weights go from 0 to 1 (are they per cent or 0 to 255?)"
        )
    check_angles(motion.head_pose, "head_pose", path)
    check_angles(motion.jaw_pose, "jaw_pose", path)


def check_angles(angles: np.ndarray | None, name: str, path: Path) -> None:
    """Refuse angles that cannot be radians.

    Raises:
        InputError: a rotation is larger than a full turn.
    """
    if angles is not None and len(angles) and float(np.linalg.norm(angles, axis=-1).max()) > LARGEST_TURN:
        raise InputError(
            f"{path}: {name} reaches {float(np.linalg.norm(angles, axis=-1).max()):.4g}; it must be axis-angle in "
            "radians (is it in degrees?)"
        )


def check_units(motion: VertexMotion, path: Path) -> None:
    """Refuse vertices that are not in metres.

    Raises:
        InputError: the face is far too large or too small.
    """
    size = float(np.ptp(motion.vertices[0], axis=0).max())
    if FACE_M[0] <= size <= FACE_M[1]:
        return
    if size <= 0:
        raise InputError(f"{path}: all vertices are in one place")
    power = round(float(np.log10(size / TYPICAL_M)))
    guess = {3: " (are they millimetres?)", 2: " (are they centimetres?)"}.get(power, "")
    factor = f"multiply them by {10.0**-power:g}" if power else "scale them"
    raise InputError(
        f"{path}: its vertices span {size:.4g} units; vertices must be in metres, in which a head spans about "
        f"{TYPICAL_M:g}{guess}; {factor}"
    )
