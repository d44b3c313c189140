"""Joins between windows."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError

FPS = 25.0


def test_seams_see_a_jump_at_the_join_and_only_there():
    rng = np.random.default_rng(4)
    values = np.cumsum(rng.normal(size=(400, 2)), axis=0)
    assert metrics.seams(values, FPS, 100).beyond == 0
    jumping = values + 30.0 * (np.arange(400) // 100)[:, None]
    found = metrics.seams(jumping, FPS, 100)
    assert found.beyond == 1 and found.at_joins > 5 * found.inside_p99 and found.acceleration_ratio > 5
    with pytest.raises(InputError):
        metrics.seams(values[:100], FPS, 100)
