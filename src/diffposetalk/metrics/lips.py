"""How far apart the lips of a generated face are, in metres on its head."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.head import load_head
from diffposetalk.motion import Motion

_CHUNK = 128


def mouth_gap(motion: Motion) -> np.ndarray:
    """Measure the inner-lip gap of a motion on the average face of its head, the head being at rest.

    Args:
        motion: for a head that knows its lips (``lip_gap``), such as "anny".

    Returns:
        ``(T,)`` metres, 0 where lips touch or overlap.

    Raises:
        ModelError: the head cannot tell.
    """
    head = _head(motion.head)
    if not hasattr(head, "lip_gap"):
        raise ModelError(f"the head '{motion.head}' does not tell how far its lips are apart")
    columns = [motion.expression_names.index(name) for name in head.expression_names]
    parts = [
        np.asarray(head.lip_gap(head.vertices(motion.expression[start : start + _CHUNK, columns])))
        for start in range(0, len(motion), _CHUNK)
    ]
    return np.maximum(np.concatenate(parts), 0.0).astype(np.float64)


@cache
def _head(name: str) -> Any:
    return load_head(name)
