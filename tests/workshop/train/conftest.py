"""What the training tests share: where the reference numbers lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]


def flame_recipe(n_vertices: int, seed: int) -> dict[str, np.ndarray]:
    """Return a random head of FLAME's layout by the recipe of the reference numbers."""
    rs = np.random.RandomState(seed)
    head = {
        "template": rs.standard_normal((n_vertices, 3)) * 0.08,
        "shapes": rs.standard_normal((n_vertices, 3, 400)) * 0.002,
        "poses": rs.standard_normal((n_vertices, 3, 36)) * 0.003,
    }
    regressor = rs.uniform(size=(5, n_vertices)) ** 4
    weights = rs.uniform(size=(n_vertices, 5)) ** 6
    head["regressor"] = regressor / regressor.sum(1, keepdims=True)
    head["weights"] = weights / weights.sum(1, keepdims=True)
    return head


@pytest.fixture(scope="session")
def flame_head() -> dict[str, np.ndarray]:
    """The head of 5023 vertices that the reference losses use."""
    return flame_recipe(5023, 7)
