"""Learning rates as functions of the iteration: pure, so a resumed run needs no scheduler state.

The released code of the paper steps its scheduler after the optimiser, from a rate of 0. Its first step therefore
changes nothing, its peak comes twice where the decay begins, and its last rate stays above the floor. The curves named
``released-...`` reproduce that to the last digit; the others do what their names say.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

from diffposetalk.errors import UsageError

RateSchedule: TypeAlias = Literal[
    "constant", "warmup", "warmup-cosine", "cosine", "released-warmup", "released-warmup-cosine"
]
RATE_SCHEDULES: tuple[str, ...] = get_args(RateSchedule)


def learning_rate(
    iteration: int, schedule: RateSchedule | str, peak: float, warmup: int, end: int, floor: float = 0.05
) -> float:
    """Return the rate with which the optimiser makes its step number ``iteration``.

    Args:
        iteration: from 0.
        schedule: ``constant``: the peak throughout. ``warmup``: a line that reaches the peak in step ``warmup - 1``,
            then the peak. ``warmup-cosine``: the same line, then half a cosine that reaches the floor in step
            ``end - 1``. ``cosine``: as the bundled model was trained: the same, but the peak comes twice and the floor
            would come in step ``end``. ``released-warmup`` and ``released-warmup-cosine``: as the released code
            executes them.
        peak: the largest rate.
        warmup: iterations of the line; 0 for none.
        end: iterations over which the cosine falls, those of the line among them.
        floor: last rate of the cosine over the peak.

    Raises:
        UsageError: an unknown schedule.

    Source: DiffPoseTalk trains with Adam at 1e-4 after 5,000 iterations of warm-up.
    """
    if schedule not in RATE_SCHEDULES:
        raise UsageError(f"unknown learning rate schedule {schedule!r}: choose from {', '.join(RATE_SCHEDULES)}")
    if schedule == "constant":
        return peak
    if schedule.startswith("released"):
        if iteration <= warmup:
            return peak * iteration / warmup if warmup else peak
        if schedule == "released-warmup":
            return peak
        return peak * _cosine((min(iteration, end) - warmup - 1) / max(1, end - warmup), floor)
    if iteration < warmup:
        return peak * (iteration + 1) / warmup
    if schedule == "warmup":
        return peak
    if schedule == "cosine":
        return peak * _cosine((iteration - warmup) / max(1, end - warmup), floor)
    return peak * _cosine((iteration - warmup + 1) / max(1, end - warmup), floor)


def _cosine(share: float, floor: float) -> float:
    """Fall from 1 at share 0 to ``floor`` at share 1."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, share))))
