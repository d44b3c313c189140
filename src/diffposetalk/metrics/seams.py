"""Joins between windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError


@dataclass(frozen=True)
class Seams:
    """Motion at the joins between windows against motion inside them."""

    at_joins: float
    """Mean speed over the step into each window's first frame, units per second."""
    inside: float
    """Mean speed over all other steps."""
    inside_p99: float
    """99th percentile of the speed over all other steps."""
    beyond: float
    """Share of joins faster than ``inside_p99``; about 0.01 where joins are like any other step."""
    acceleration_ratio: float
    """Mean acceleration over the two steps at each join, as a multiple of that elsewhere."""


def seams(values: np.ndarray, fps: float, window: int, first: int | None = None) -> Seams:
    """Compare speed at window joins with speed inside windows.

    Args:
        values: ``(T, D)`` channels or coordinates of one group (lips, upper face, head); speed is their norm.
        fps: frames per second.
        window: frames from one join to the next.
        first: first frame of the second window; default ``window``.

    Returns:
        Speeds and accelerations at the joins and elsewhere.

    Raises:
        InputError: the sequence holds no join.
    """
    values = np.asarray(values, np.float64).reshape(len(values), -1)
    starts = np.arange(window if first is None else first, len(values) - 1, window)
    if len(starts) == 0 or starts[0] < 1:
        raise InputError(f"no window join in {len(values)} frames with windows of {window}")
    step = np.diff(values, axis=0) * fps
    speed = np.linalg.norm(step, axis=-1)
    bend = np.linalg.norm(np.diff(step, axis=0), axis=-1) * fps
    join = np.zeros(len(speed), bool)
    join[starts - 1] = True
    bent = np.zeros(len(bend), bool)
    bent[np.clip(np.concatenate([starts - 2, starts - 1]), 0, len(bend) - 1)] = True
    top = float(np.percentile(speed[~join], 99))
    return Seams(
        at_joins=float(speed[join].mean()),
        inside=float(speed[~join].mean()),
        inside_p99=top,
        beyond=float((speed[join] > top).mean()),
        acceleration_ratio=float(bend[bent].mean() / max(bend[~bent].mean(), 1e-12)),
    )
