"""References of styles: a folder of people, and manners that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.motion import Motion
from diffposetalk.workshop.corpus.voices import list_voices
from diffposetalk.workshop.evaluate.references import filmed, synthetic


def test_people_are_read_from_a_folder(tmp_path: Path) -> None:
    still = Motion(np.zeros((8, 52), np.float32), CHANNELS, np.zeros((8, 3), np.float32), 25.0)
    still.save(tmp_path / "one.npz")
    (tmp_path / "notes.txt").write_text("not motion")
    assert list(filmed(tmp_path)) == ["one"]
    (tmp_path / "one.npz").unlink()
    for empty in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="neither videos nor motion"):
            filmed(empty)


@pytest.mark.skipif(not list_voices(), reason="no speech synthesiser is installed")
def test_manners_are_drawn_that_differ() -> None:
    found = synthetic(3, sentences=1)
    assert list(found) == ["manner 0", "manner 1", "manner 2"] and min(map(len, found.values())) >= 100
    means = [motion.expression.mean(0) for motion in found.values()]
    assert min(np.abs(a - b).max() for a, b in zip(means, [*means[1:], means[0]])) > 0.05
