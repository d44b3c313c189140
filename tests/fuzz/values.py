"""Values that a parser may not expect, put into trees of dictionaries and lists, and into arrays."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np

NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3.7, 2**31, 2**53, -(2**63), 10**400, 5 * 10**8, 1e308, 1e-300, float("nan"),
    float("inf"), float("-inf"), "", "x", "nan", "../x", "a" * 300, "\x00", "\ud7ff", "0" * 5000, "[" * 3000, [], {}, [[]],
    [1, 1, 1], ["x", "x", "x"], {"a": 1}, [[1], 1, 1], {"x": {"x": []}}, [None], [float("nan")], [10**400],
)  # fmt: skip
"""Wrong types, numbers without end, and texts that are not names."""


def deep(levels: int = 3000) -> list[Any]:
    """Return a list in a list in a list ..."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def nasty(rng: Random, json: bool = True) -> Any:
    """Return a value that a parser may not expect."""
    if json and rng.random() < 0.02:
        return deep(rng.choice((50, 900, 3000)))
    return copy.deepcopy(rng.choice(NASTY))


def changed(tree: Any, rng: Random) -> Any:
    """Return a copy of a tree in which one to three nodes are replaced, dropped, doubled or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not places or rng.random() < 0.02:
            tree = nasty(rng)
            continue
        holder, key = rng.choice(places)
        act = rng.random()
        if act < 0.62:
            holder[key] = nasty(rng)
        elif act < 0.75:
            del holder[key]
        elif act < 0.85:
            other, name = rng.choice(places)
            holder[key] = copy.deepcopy(other[name]) if name in _keys(other) else 0
        elif isinstance(holder, dict):
            holder[rng.choice(("x", "", str(key) + "x", "kind", "0"))] = holder.pop(key)
        else:
            holder.insert(key, copy.deepcopy(holder[key]))
    return tree


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def _places(tree: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    if depth > 30 or not isinstance(tree, (dict, list)):
        return
    for key in list(_keys(tree)):
        yield tree, key
        yield from _places(tree[key], depth + 1)


def changed_array(array: np.ndarray, rng: Random) -> np.ndarray:
    """Return an array of other numbers, kind or shape."""
    size = max(array.size, 1)
    acts = (
        lambda: np.zeros(rng.choice([(), (0,), (1,), (3,), (2, 2), (1, 1, 1, 1), (0, 5), (7,) * 3]), array.dtype),
        lambda: array.astype(np.dtype(rng.choice(["U4", "S3", "c16", "?", "u1", "i8", "f2", "m8[s]", "M8[D]"]))),
        lambda: array.reshape(-1),
        lambda: array[None],
        lambda: array[..., None],
        lambda: array[: rng.randrange(0, max(len(array), 1) + 1)] if array.ndim else array[None],
        lambda: array.T,
        lambda: np.full(array.shape, rng.choice([np.nan, np.inf, -1, 1e300, 2**31, 0])),
        lambda: np.full(array.shape, rng.choice([-1, 2**40, 10**9, 255, -(2**62)]), np.int64),
        lambda: np.array(rng.choice(["x", "", "nan", "a" * 500])),
        lambda: np.array(["x"] * min(size, 60)),
        lambda: np.zeros(3, [("a", "f4"), ("b", "i2")]),
        lambda: np.array(rng.choice([10**9, -5, 3.5, float("nan"), float("inf"), 2**62])),
        lambda: np.concatenate([array, array]) if array.ndim else array,
    )
    try:
        return np.asarray(rng.choice(acts)())
    except (ValueError, TypeError, OverflowError):
        return np.zeros(0)
