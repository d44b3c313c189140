"""How far apart the lips of a generated face are, in metres on its head."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.head import load_head
from diffposetalk.motion import Motion

_CHUNK = 128


def mouth_gap(motion: Motion, head: Any = None) -> np.ndarray:
    """Measure the inner-lip gap of a motion on the average face of a head, the head being at rest.

    Args:
        motion: of the channels of a head that knows its lips (``lip_gap``), such as "anny".
        head: that head; None for the one that the motion is for.

    Returns:
        ``(T,)`` metres, 0 where lips touch or overlap.

    Raises:
        ModelError: the head cannot tell.
    """
    head = head or _head(motion.head)
    if not hasattr(head, "lip_gap"):
        raise ModelError(f"the head '{head.name}' does not define lip_gap, which mouth_gap needs")
    if missing := set(head.expression_names) - set(motion.expression_names):
        raise ModelError(f"the motion lacks channels of the head '{head.name}': {', '.join(sorted(missing)[:5])}")
    columns = [motion.expression_names.index(name) for name in head.expression_names]
    parts = [
        np.asarray(head.lip_gap(head.vertices(motion.expression[start : start + _CHUNK, columns])))
        for start in range(0, len(motion), _CHUNK)
    ]
    return np.maximum(np.concatenate(parts), 0.0).astype(np.float64)


@cache
def _head(name: str) -> Any:
    return load_head(name)
