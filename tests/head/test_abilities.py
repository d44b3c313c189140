"""What heads say they can do: callers ask the head instead of its class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import ModelError
from diffposetalk.head import HeadModel, load_head


@pytest.fixture(scope="module")
def flame(flame_path: Path) -> HeadModel:
    return load_head(str(flame_path))


def test_a_head_without_lip_gap_says_so(flame: HeadModel) -> None:
    with pytest.raises(ModelError, match="head flame does not define how far its lips are apart"):
        flame.lip_gap(flame.vertices(np.zeros((1, 4), np.float32)))
    with pytest.raises(ModelError, match="head flame does not say which points of its lips face each other"):
        _ = flame.lip_pairs
