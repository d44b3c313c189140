"""Guidance by style does not exaggerate what is uneven, and leaves everything else as it was."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.generate.sides import evened, uneven_part
from diffposetalk.motion import MotionSpace
from diffposetalk.motion.space import flame_channels

NAMES = (*CHANNELS, "head_x", "head_y", "head_z")


def space(rng: np.random.Generator) -> MotionSpace:
    return MotionSpace(
        "anny", 25.0, NAMES, rng.random(55).astype(np.float32), (0.1 + rng.random(55)).astype(np.float32)
    )


def test_differences_of_sides_are_those_of_scale_one_and_their_means_those_asked_for() -> None:
    rng = np.random.default_rng(0)
    own = space(rng)
    asked, at_one = (rng.normal(size=(2, 9, 55)).astype(np.float32) for _ in range(2))
    uneven = uneven_part(own)
    assert uneven is not None
    result = evened(asked, at_one, uneven)
    raw = [(value * own.std + own.mean) for value in (result, asked, at_one)]
    for left, right in (
        ("mouthSmileLeft", "mouthSmileRight"),
        ("browDownLeft", "browDownRight"),
        ("jawLeft", "jawRight"),
    ):
        a, b = NAMES.index(left), NAMES.index(right)
        assert raw[0][..., a] - raw[0][..., b] == pytest.approx(raw[2][..., a] - raw[2][..., b], abs=1e-5)
        assert raw[0][..., a] + raw[0][..., b] == pytest.approx(raw[1][..., a] + raw[1][..., b], abs=1e-5)
    for name in ("jawOpen", "mouthPucker", "eyeBlinkLeft", "eyeLookOutRight", "head_y"):
        np.testing.assert_array_equal(result[..., NAMES.index(name)], asked[..., NAMES.index(name)])


def test_coefficients_without_sides_are_left_alone() -> None:
    names = flame_channels()
    assert uneven_part(MotionSpace("flame", 25.0, names, np.zeros(54, np.float32), np.ones(54, np.float32))) is None
