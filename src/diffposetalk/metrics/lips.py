"""How far apart the lips of a generated face are, in metres on its head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.head import HeadModel
from diffposetalk.motion import Motion

CHUNK = 128
"""Frames whose vertices are computed at a time."""


def mouth_gap(motion: Motion, head: HeadModel) -> np.ndarray:
    """Measure the inner-lip gap of a motion on the average face of a head, the head at rest.

    Args:
        motion: has the channels of the head.
        head: a head that defines ``lip_gap``, such as "anny".

    Returns:
        ``(T,)`` metres, 0 where lips touch or overlap.

    Raises:
        ModelError: the head does not define ``lip_gap``, or the motion lacks channels of the head.
    """
    if missing := set(head.expression_names) - set(motion.expression_names):
        raise ModelError(f"the motion lacks channels of the head '{head.name}': {', '.join(sorted(missing)[:5])}")
    columns = [motion.expression_names.index(name) for name in head.expression_names]
    parts = [
        np.asarray(head.lip_gap(head.vertices(motion.expression[start : start + CHUNK, columns])))
        for start in range(0, len(motion), CHUNK)
    ]
    return np.maximum(np.concatenate(parts), 0.0).astype(np.float64)


def mouth_gap_on(heads: Callable[[str], HeadModel]) -> Callable[[Motion], np.ndarray]:
    """Return a function that measures each motion on its own head.

    Args:
        heads: returns the head of a name, for example `head.shared.shared_head`.
    """
    return lambda motion: mouth_gap(motion, heads(motion.head))
