"""On which head a reference's motion is read: the one that the model speaks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from diffposetalk.cli.console import Console
from diffposetalk.cli.reference import is_reference, read_style
from diffposetalk.errors import InputError
from diffposetalk.model.style_encoder import StyleEncoder, StyleEncoderConfig
from diffposetalk.model.style_reader import StyleModel
from diffposetalk.motion import Motion, MotionSpace, flame_channels


def reader(head: str) -> StyleModel:
    names = flame_channels(5) if head == "flame" else ("jawOpen", "mouthClose")
    space = MotionSpace(head, 25.0, names, np.zeros(len(names), np.float32), np.ones(len(names), np.float32))
    return StyleModel(StyleEncoder(StyleEncoderConfig(len(names), dim=8, n_layers=1, n_heads=2)).eval(), space)


@pytest.mark.parametrize(
    ("space", "given", "tracked_on"),
    [("anny", None, "anny"), ("anny", "mine.pkl", "anny"), ("flame", None, "flame"), ("flame", "mine.pkl", "mine.pkl")],
)
def test_a_video_is_tracked_on_the_models_head(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, space: str, given: str | None, tracked_on: str
) -> None:
    asked: list[str] = []

    def track(video: Path, head: str, **_: Any) -> SimpleNamespace:
        asked.append(head)
        flame = head != "anny"
        names = (
            tuple(name for name in flame_channels(5) if name.startswith("exp")) if flame else ("jawOpen", "mouthClose")
        )
        motion = Motion(
            np.random.default_rng(0).random((50, len(names))).astype(np.float32),
            names,
            np.zeros((50, 3), np.float32),
            25.0,
            "flame" if flame else "anny",
            jaw_pose=np.zeros((50, 3), np.float32) if flame else None,
        )
        return SimpleNamespace(motion=motion, quality=SimpleNamespace(warnings=()))

    monkeypatch.setattr("diffposetalk.track.track", track)
    path = tmp_path / "somebody.mp4"
    style = read_style(path, reader(space), Console(quiet=True), given)
    assert asked == [tracked_on] and style.vector.shape == (8,) and style.source == "somebody.mp4"


def test_motion_of_flame_is_solved_for_on_the_head_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def to_arkit(motion: Motion, head: str) -> tuple[Motion, None]:
        asked.append(head)
        return Motion(np.zeros((50, 2)), ("jawOpen", "mouthClose"), motion.head_pose, motion.fps), None

    monkeypatch.setattr("diffposetalk.retarget.solve.to_arkit", to_arkit)
    monkeypatch.setattr("diffposetalk.head.load_head", lambda name: name)
    path = tmp_path / "smirk.npz"
    np.savez(path, expression_params=np.zeros((50, 5)), pose_params=np.zeros((50, 3)), jaw_params=np.zeros((50, 3)))
    for given in (None, "mine.pkl"):
        assert read_style(path, reader("anny"), Console(quiet=True), given).source == "smirk.npz"
    assert asked == ["flame", "mine.pkl"]
    assert read_style(path, reader("flame"), Console(quiet=True)).vector.shape == (8,) and len(asked) == 2


def test_motion_of_another_head_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "avatar.npz"
    Motion(np.zeros((50, 1)), ("jawOpen",), np.zeros((50, 3)), 25.0, "avatar").save(path)
    with pytest.raises(InputError, match=r"^avatar\.npz: .*'avatar'.*diffposetalk retarget"):
        read_style(path, reader("anny"), Console(quiet=True))


def test_what_is_a_reference() -> None:
    assert all(is_reference(Path(name)) for name in ("a.mp4", "a.MOV", "a.csv", "a.npz"))
    assert not is_reference(Path("a.safetensors"))
