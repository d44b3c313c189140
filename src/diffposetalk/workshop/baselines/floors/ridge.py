"""Ridge regression over many clips, in sums that never hold all frames at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from diffposetalk.errors import InputError

RIDGE = 1e-3
"""Weight of the penalty, as a share of the mean square of the inputs."""


def with_neighbours(values: np.ndarray, n_before: int, n_after: int) -> np.ndarray:
    """Join each frame with its neighbours and a 1: ``(T, F)`` -> ``(T, (before + 1 + after) F + 1)`` float32.

    The first and the last frame stand for what lies outside.
    """
    frames = np.arange(len(values))
    columns = [values[np.clip(frames + shift, 0, len(values) - 1)] for shift in range(-n_before, n_after + 1)]
    return np.concatenate([*columns, np.ones((len(values), 1))], 1).astype(np.float32)


def ridge(pairs: Iterable[tuple[np.ndarray, np.ndarray]], penalty: float = RIDGE) -> np.ndarray:
    """Fit a linear map by least squares with a penalty on its square.

    Args:
        pairs: inputs ``(T, N)`` and outputs ``(T, M)`` of each clip.
        penalty: as a share of the mean square of the inputs.

    Returns:
        Weights ``(N, M)`` float32.

    Raises:
        InputError: there are no pairs.
    """
    squares = products = None
    for inputs, outputs in pairs:
        inputs = inputs.astype(np.float64)
        square, product = inputs.T @ inputs, inputs.T @ outputs.astype(np.float64)
        squares = square if squares is None else squares + square
        products = product if products is None else products + product
    if squares is None or products is None:
        raise InputError("a linear map needs at least one clip to be fitted")
    squares += np.eye(len(squares)) * (penalty * np.trace(squares) / len(squares))
    weights: np.ndarray = np.linalg.solve(squares, products).astype(np.float32)
    return weights
