"""What the tests of data sets share: small FLAME clips, and where the reference numbers lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import Coefficients
from diffposetalk.data.tfhp import FRAME_SAMPLES, TfhpReader
from diffposetalk.data.tfhp_write import write_tfhp
from diffposetalk.speech import Speech

ROOT = Path(__file__).parents[2]


def flame_clip(name: str, n_frames: int, seed: int = 0, n_identity: int = 12, n_expression: int = 10) -> Clip:
    """Return a clip of noise: 16-bit sound, FLAME coefficients, one identity."""
    rng = np.random.default_rng([seed, n_frames])
    samples = rng.integers(-9000, 9000, n_frames * FRAME_SAMPLES).astype(np.float32) / 32768
    coefficients = Coefficients(
        np.tile(rng.standard_normal(n_identity).astype(np.float32), (n_frames, 1)),
        rng.standard_normal((n_frames, n_expression)).astype(np.float32),
        (0.1 * rng.standard_normal((n_frames, 6))).astype(np.float32),
    )
    return Clip(Speech(samples), coefficients.motion(), coefficients.shape[0], name.partition("/")[0], name)


LENGTHS = {"Ann/000": 61, "Ann/001": 45, "Bob/000": 30, "Cem/007": 50, "Dot/000": 90}
"""Frames of the clips of the small data set, by name."""


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """Clips of four speakers."""
    return [flame_clip(name, n_frames, seed) for seed, (name, n_frames) in enumerate(LENGTHS.items())]


@pytest.fixture(scope="session")
def tfhp(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small TFHP data set: three videos to train on, one each to validate and test."""
    path = tmp_path_factory.mktemp("tfhp") / "set"
    splits = {"train": ["Ann/000", "Bob/000", "Ann/001"], "val": ["Cem/007"], "test": ["Dot/000"]}
    write_tfhp(clips, path, seg_len=20, splits=splits)
    return path


@pytest.fixture
def reader(tfhp: Path) -> TfhpReader:
    """Reads the small data set."""
    return TfhpReader(tfhp)
