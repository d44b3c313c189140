"""Finding faces: the bundled model needs no file; a file of the user comes first; failures say what to do."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import InputError
from diffposetalk.media import read_frames
from diffposetalk.track import detection
from diffposetalk.track.landmarks import eye_distance


@pytest.fixture(autouse=True)
def no_assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(tmp_path / "assets"))


def test_without_mediapipe_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(InputError, match=r"diffposetalk\[track\]"):
        detection.open_finder()


def test_which_model_is_used(tmp_path: Path) -> None:
    assert detection.model_file() == detection.BUNDLED and detection.BUNDLED.is_file()
    own = tmp_path / "assets" / "face_landmarker.task"
    own.parent.mkdir()
    own.write_bytes(b"x")
    assert detection.model_file() == own
    other = tmp_path / "other.task"
    with pytest.raises(InputError, match=r"other\.task: no such file"):
        detection.model_file(other)
    other.write_bytes(b"x")
    assert detection.model_file(other) == other


@pytest.mark.parametrize("data", [b"", b"no bundle", detection.BUNDLED.read_bytes()[:100_000]])
def test_a_file_that_is_no_model_is_named(data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs MediaPipe, which is not installed")
    path = tmp_path / "wrong.task"
    path.write_bytes(data)
    with (
        pytest.raises(InputError, match=r"wrong\.task: not a readable face_landmarker\.task") as raised,
        detection.open_finder(path) as finder,
    ):
        finder.find(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert "\n" not in str(raised.value)


def test_an_empty_picture_shows_no_face() -> None:
    pytest.importorskip("mediapipe", reason="needs MediaPipe, which is not installed")
    with detection.open_finder(still=True) as finder:
        assert finder.find(np.full((120, 160, 3), 128, np.uint8), 0.0) == []
        assert "bundled" in finder.how


def test_the_bundled_model_is_the_published_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text()
    assert hashlib.sha256(detection.BUNDLED.read_bytes()).hexdigest() in page


def test_the_bundled_model_sees_what_the_face_landmarker_sees(shared: Path) -> None:
    """The same model was run on the same clips elsewhere."""
    pytest.importorskip("mediapipe", reason="needs MediaPipe, which is not installed")
    reference = np.load(shared / "tracks" / "grid_sbia1a.npz")
    theirs, index = reference["landmarks_px"], reference["landmark_idx"]
    with detection.open_finder() as finder:
        found = [finder.find(picture, time_s) for time_s, picture in read_frames(shared / "clips" / "grid_sbia1a.mpg")]
    assert all(len(faces) == 1 for faces in found)
    ours = np.array([faces[0] for faces in found])
    off = np.linalg.norm(ours[:, index, :2] - theirs[..., :2], axis=-1) / eye_distance(ours[..., :2])[:, None]
    assert off.mean() < 0.01
