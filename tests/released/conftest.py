"""The reference checkpoints, converted."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.data.statistics import Statistics
from diffposetalk.generate import Talker
from diffposetalk.released.convert import convert

DENOISER = "experiments/DPT/head-SA-hubert-tiny/checkpoints/iter_0000123.pt"
LEGACY = "experiments/DPT/legacy-noise-tiny/checkpoints/iter_0000007.pt"
STYLE = "experiments/SE/head-tiny-L2H4-T0.1/checkpoints/iter_0000045.pt"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of numbers computed with the authors' code; skips where it is absent."""
    folder = Path(__file__).parents[3] / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("needs ../shared/reference, which is absent")
    return folder


@pytest.fixture(scope="session")
def statistics(reference: Path) -> Statistics:
    """Of the reference checkpoints' data."""
    return Statistics.load(reference / "stats_train.npz")


@pytest.fixture(scope="session")
def released(reference: Path, statistics: Statistics) -> Talker:
    """The newer denoiser with its style encoder."""
    return Talker(convert(reference / DENOISER, statistics, reference / STYLE).model)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def legacy(reference: Path, statistics: Statistics) -> Talker:
    """The old-style file: predicts noise, knows no styles."""
    return Talker(convert(reference / LEGACY, statistics).model)  # type: ignore[arg-type]
