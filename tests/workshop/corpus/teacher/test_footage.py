"""Lip gaps beside footage: the file of a folder, and the motion that the tracker writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.errors import InputError
from diffposetalk.files.npz import write_npz
from diffposetalk.motion import Motion
from diffposetalk.workshop.corpus.teacher.footage import load_gaps, read_motion_gap


def tracked(path: Path, jaw: np.ndarray, fps: float, **arrays: Any) -> None:
    """Write tracked motion whose jaw opens as given."""
    from diffposetalk.arkit import CHANNELS

    expression = np.zeros((len(jaw), len(CHANNELS)), np.float32)
    expression[:, CHANNELS.index("jawOpen")] = jaw
    Motion(expression, tuple(CHANNELS), np.zeros((len(jaw), 3), np.float32), fps, "anny").save(path)
    with np.load(path) as saved:
        write_npz(path, {**saved, **arrays})


def test_the_gap_of_tracked_motion_lies_at_the_times_of_the_video(tmp_path: Path) -> None:
    seen = np.ones(60, bool)
    seen[40:44] = False
    tracked(tmp_path / "a.npz", np.linspace(0, 0.6, 60), 30.0, start_s=np.float64(0.4), seen=seen)
    gap = read_motion_gap(tmp_path / "a.npz")
    assert len(gap) == 60  # 2.4 s of video at 25 frames a second
    assert np.isnan(gap[:10]).all() and np.isfinite(gap[10:42]).all()
    assert np.isnan(gap[44:47]).all() and np.isfinite(gap[48:]).all()  # unseen from 1.73 to 1.87 s
    assert np.nanargmax(gap) == 59 and gap[10] < 0.1 * gap[59]


def test_a_folder_with_tracked_videos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_gaps(tmp_path / "none")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match="diffposetalk track"):
        load_gaps(tmp_path)
    tracked(tmp_path / "a.npz", np.full(5, 0.3), 25.0)
    tracked(tmp_path / "of_no_video.npz", np.full(5, 0.3), 25.0)
    assert list(load_gaps(tmp_path)) == ["a"]
    np.savez(tmp_path / "tracks.npz", **{"b/gap": np.zeros(4), "b/other": np.zeros((4, 2))})
    assert list(load_gaps(tmp_path)) == ["b"]


@pytest.mark.parametrize("gap", [np.zeros((4, 2)), np.zeros(0), np.array(["open"])])
def test_gaps_are_numbers_for_each_frame(tmp_path: Path, gap: np.ndarray) -> None:
    np.savez(tmp_path / "tracks.npz", **{"b/gap": gap})
    with pytest.raises(InputError, match="b/gap must be"):
        load_gaps(tmp_path)
