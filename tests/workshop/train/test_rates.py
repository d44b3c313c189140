"""Learning rates: the released curves to the digit, ours without their slips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.workshop.train.loop import LoopConfig
from diffposetalk.workshop.train.rates import RATE_SCHEDULES, learning_rate


def curve(schedule: str, n: int, **changes: float) -> np.ndarray:
    options = {"peak": 1e-4, "warmup": 50, "end": 200, "floor": 0.02, **changes}
    return np.array([learning_rate(step, schedule, **options) for step in range(n)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "name"), [("released-warmup", "Warmup"), ("released-warmup-cosine", "WarmupThenDecay")]
)
def test_released_curves(reference: Path, schedule: str, name: str) -> None:
    expected = np.load(reference / "lr_schedules.npz")[name]
    np.testing.assert_allclose(curve(schedule, len(expected)), expected, rtol=1e-6)


def test_the_right_curve_peaks_once_and_reaches_its_floor() -> None:
    rates = curve("warmup-cosine", 210)
    assert rates[0] == pytest.approx(2e-6) and (rates == rates.max()).sum() == 1
    assert rates.argmax() == 49 and rates[199] == pytest.approx(2e-6) and (rates[199:] == rates[199]).all()
    assert (np.diff(rates[:50]) > 0).all() and (np.diff(rates[49:200]) < 0).all()


def test_plain_curves() -> None:
    assert (curve("constant", 5) == 1e-4).all()
    assert (curve("warmup", 300)[49:] == 1e-4).all()
    rates = curve("cosine", 200, floor=0.05)
    assert rates[49] == rates[50] == 1e-4 and rates[199] > 5e-6


@pytest.mark.parametrize("schedule", RATE_SCHEDULES)
def test_no_warmup_is_allowed(schedule: str) -> None:
    rates = curve(schedule, 220, warmup=0)
    assert np.isfinite(rates).all() and rates[0] == pytest.approx(1e-4, rel=2e-4)


def test_unknown_schedules_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown learning rate schedule 'cosinus'"):
        learning_rate(0, "cosinus", 1e-4, 5, 10)
    with pytest.raises(UsageError, match="training: floor"):
        LoopConfig(1, 1, floor=2)
