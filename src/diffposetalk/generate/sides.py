"""Left against right under guidance by style.

Guidance exaggerates what tells a style from others. That suits openness or a smile. Applied to the difference of left and
right it turns a slightly uneven face, or a tracker's error, into a sneer: with a style scale of 2, the bundled model showed
2.8 times the difference of its references, over ten filmed people. This difference is therefore guided by 1 at most.
"""

from __future__ import annotations

import numpy as np

from diffposetalk.arkit import MIRROR
from diffposetalk.diffusion.noise import Array
from diffposetalk.motion import MotionSpace

SIDED = ("brow", "cheek", "jaw", "mouth", "nose")
"""Beginnings of channel names that count: eyes look aside and wink on purpose."""


def uneven_part(space: MotionSpace) -> np.ndarray | None:
    """Return the ``(D, D)`` matrix that takes out of a change of normalised motion what moves left against right.

    It is applied as ``change @ matrix``; adding the result's negative leaves left and right changed alike, in weights.

    Returns:
        None where the channels have no sides (FLAME coefficients).
    """
    column = {name: index for index, name in enumerate(space.channels)}
    matrix = np.zeros((space.dim, space.dim), np.float32)
    for name, mirrored in MIRROR.items():
        if name == mirrored or not name.startswith(SIDED) or name not in column or mirrored not in column:
            continue
        a, b = column[name], column[mirrored]
        matrix[a, a] = 0.5
        matrix[b, a] = -0.5 * float(space.std[b] / space.std[a])
    return matrix if matrix.any() else None


def evened(result: Array, at_scale_one: Array, uneven: Array) -> Array:
    """Return a guided prediction ``(B, T, D)`` whose difference of left and right is that of style scale 1.

    Args:
        result: guided by the style scale asked for.
        at_scale_one: guided by style scale 1.
        uneven: from `uneven_part`, as an array of the same kind.
    """
    return result - (result - at_scale_one) @ uneven
