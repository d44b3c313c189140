"""What tests of heads share: expressions of the free head by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX


def expression(**weights: float) -> np.ndarray:
    """Return ARKit weights ``(52,)`` by name; a name without side stands for both sides."""
    values = np.zeros(len(CHANNELS), np.float32)
    for name, value in weights.items():
        for each in [name] if name in INDEX else [f"{name}Left", f"{name}Right"]:
            values[INDEX[each]] = value
    return values


@pytest.fixture(scope="session")
def face() -> Callable[..., np.ndarray]:
    """`face(jawOpen=0.5, eyeBlink=1)`: see `expression`."""
    return expression
