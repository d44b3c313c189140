"""Whether an encoder cares about disturbance: what the table says of readers that do and that do not."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import UsageError
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.workshop.evaluate.style_robustness import DISTURBANCES, disturbed, measure, report

NAMES = (*CHANNELS, "head_x", "head_y", "head_z")
SPACE = MotionSpace("anny", 25.0, NAMES, np.full(55, 0.3, np.float32), np.full(55, 0.1, np.float32))


def person(smile: float, brow: float) -> Motion:
    rng = np.random.default_rng(int(100 * smile + 1000 * brow))
    expression = (rng.random((120, 52)) * 0.1 + 0.3).astype(np.float32)
    expression[:, INDEX["mouthSmileLeft"]] += smile
    expression[:, INDEX["browInnerUp"]] += brow
    return Motion(expression, CHANNELS, np.zeros((120, 3), np.float32), 25.0)


PEOPLE = {f"{s}/{b}": person(s, b) for s in (0.0, 0.2, 0.4) for b in (0.0, 0.3)}


def posture(motion: Motion) -> np.ndarray:
    mean = motion.expression.mean(0)
    return np.array([1, 8 * mean[INDEX["mouthSmileLeft"]] - 3, 8 * mean[INDEX["browInnerUp"]] - 3])


def trembling(motion: Motion) -> np.ndarray:
    return np.append(posture(motion) * 0.05, 100 * np.abs(np.diff(motion.expression[:, :8], axis=0)).mean(0) - 3)


def test_a_reader_of_posture_withstands_and_a_reader_of_trembling_does_not() -> None:
    good, bad = (measure(read, PEOPLE, SPACE)["disturbances"] for read in (posture, trembling))
    assert set(good) == set(DISTURBANCES)
    assert good["nothing"]["retrieved"] == 1 and good["nothing"]["same"] == pytest.approx(1)
    assert good["trembling"]["retrieved"] > 0.9 and good["smoothed"]["same"] > 0.99
    assert bad["trembling"]["same"] < 0.9 and bad["trembling"]["retrieved"] < 0.7
    assert "another rest" in report({"disturbances": good, "n": 6})


def test_disturbed_motion_stays_motion() -> None:
    rng = np.random.default_rng(0)
    motion = disturbed(PEOPLE["0.0/0.0"], DISTURBANCES["all at once"], SPACE, rng)
    assert len(motion) == 120 and motion.expression_names == CHANNELS
    assert motion.expression.min() >= 0 and motion.expression.max() <= 1
    assert np.abs(motion.expression - PEOPLE["0.0/0.0"].expression).max() > 0.05


def test_one_person_is_refused() -> None:
    with pytest.raises(UsageError, match="two references"):
        measure(posture, {"one": PEOPLE["0.0/0.0"]}, SPACE)
