"""The nine mouth shapes of Rhubarb Lip Sync: which phone takes which, and how each looks in ARKit weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.motion import Motion
from diffposetalk.speech.transcript.phones import SYMBOLS

STEPS_PER_S = 50
"""Steps of shapes a second; two for a frame of motion."""
FPS = 25.0
"""Frames of motion a second."""
TWEEN_STEPS = 2.0
"""Standard deviation of the Gaussian that blends shapes into one another, steps: 40 ms."""

SHAPES: dict[str, dict[str, float]] = {
    "A": {"jawOpen": 0.03, "mouthClose": 0.03, "mouthPressLeft": 0.35, "mouthPressRight": 0.35, "mouthRollLower": 0.15},
    "B": {"jawOpen": 0.09, "mouthStretchLeft": 0.15, "mouthStretchRight": 0.15, "mouthLowerDownLeft": 0.15,
          "mouthLowerDownRight": 0.15},
    "C": {"jawOpen": 0.24, "mouthLowerDownLeft": 0.15, "mouthLowerDownRight": 0.15},
    "D": {"jawOpen": 0.42, "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2},
    "E": {"jawOpen": 0.24, "mouthFunnel": 0.3, "mouthPucker": 0.15},
    "F": {"jawOpen": 0.1, "mouthFunnel": 0.25, "mouthPucker": 0.6},
    "G": {"jawOpen": 0.06, "mouthRollLower": 0.5, "mouthUpperUpLeft": 0.2, "mouthUpperUpRight": 0.2},
    "H": {"jawOpen": 0.22, "tongueOut": 0.05, "mouthLowerDownLeft": 0.1, "mouthLowerDownRight": 0.1},
    "X": {},
}  # fmt: skip
"""ARKit weights of each shape. A: lips pressed, B: teeth nearly shut, C: open, D: wide open, E: slightly rounded, F: puckered,
G: teeth on the lower lip, H: tongue at the upper teeth, X: rest. The list is Rhubarb's; the weights are ours."""
NAMES = tuple(SHAPES)
"""Names of the shapes; the position is the shape's number."""

PHONES_OF_SHAPE = {
    "A": "p b m",
    "C": "ae eh e ah ax ey hh",
    "D": "aa ay aw",
    "E": "ao er oy o oe uh r",
    "F": "uw ow w ue sh zh ch jh",
    "G": "f v",
    "H": "l",
    "X": "sil",
}
"""Phones of each shape; all others take B."""
SHAPE_OF_PHONE = np.array(
    [
        NAMES.index(next((shape for shape, phones in PHONES_OF_SHAPE.items() if symbol in phones.split()), "B"))
        for symbol in SYMBOLS
    ]
)
"""Number of the shape of each phone number."""


def motion_of_shapes(numbers: np.ndarray) -> Motion:
    """Blend shapes into motion.

    Args:
        numbers: ``(2 T,)`` shape numbers, 50 a second.

    Returns:
        T frames on the head "anny" at 25 fps; the head and the upper face stay at rest.
    """
    poses = np.zeros((len(NAMES), len(CHANNELS)))
    for row, weights in zip(poses, SHAPES.values()):
        for name, value in weights.items():
            row[INDEX[name]] = value
    reach = int(np.ceil(3 * TWEEN_STEPS))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / TWEEN_STEPS) ** 2)
    kernel /= kernel.sum()
    steps = np.pad(poses[numbers], ((reach, reach), (0, 0)), mode="edge")
    blended = np.stack([np.convolve(column, kernel, "valid") for column in steps.T], 1)
    frames = blended.reshape(-1, 2, len(CHANNELS)).mean(1)
    return Motion(frames.astype(np.float32), CHANNELS, np.zeros((len(frames), 3), np.float32), FPS)


def shapes_of_cues(cues: Iterable[tuple[float, float, str]], n_steps: int) -> np.ndarray:
    """Return the shape at the middle of each step ``(n_steps,)`` of cues (start, end, shape), seconds; X elsewhere."""
    numbers = np.full(n_steps, NAMES.index("X"))
    times = (np.arange(n_steps) + 0.5) / STEPS_PER_S
    for start, end, shape in cues:
        numbers[(times >= start) & (times < end)] = NAMES.index(shape)
    return numbers
