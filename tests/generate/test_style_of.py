"""What may stand for a style, and on which head its motion is read: the one that the model speaks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.generate import Talker
from diffposetalk.generate.style_of import style_of
from diffposetalk.model.configs import StyleEncoderConfig
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.motion import Motion, MotionSpace, flame_channels
from diffposetalk.style import Style


def reader(head: str) -> StyleReader:
    names = flame_channels(5) if head == "flame" else ("jawOpen", "mouthClose")
    space = MotionSpace(head, 25.0, names, np.zeros(len(names), np.float32), np.ones(len(names), np.float32))
    return StyleReader(
        StyleEncoder(StyleEncoderConfig(motion_dim=len(names), dim=8, n_layers=1, n_heads=2)).eval(), space
    )


@pytest.mark.parametrize(
    ("space", "given", "tracked_on"),
    [("anny", None, "anny"), ("anny", "mine.pkl", "anny"), ("flame", None, "flame"), ("flame", "mine.pkl", "mine.pkl")],
)
def test_a_video_is_tracked_on_the_models_head(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, space: str, given: str | None, tracked_on: str
) -> None:
    asked: list[str] = []

    def track(video: Path, head: str, landmarker: str | None, **_: Any) -> SimpleNamespace:
        asked.append(head)
        assert landmarker == "my.task"
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
        return SimpleNamespace(reference=motion, quality=SimpleNamespace(warnings=()))

    monkeypatch.setattr("diffposetalk.track.track", track)
    path = tmp_path / "somebody.mp4"
    path.touch()
    style = style_of(path, reader(space), {}, head=given, landmarker="my.task")
    assert asked == [tracked_on] and style.vector.shape == (8,) and style.source == "somebody.mp4"


def test_motion_of_flame_is_solved_for_on_the_head_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def to_arkit(motion: Motion, head: str) -> tuple[Motion, None]:
        asked.append(head)
        return Motion(np.zeros((50, 2)), ("jawOpen", "mouthClose"), motion.head_pose, motion.fps), None

    monkeypatch.setattr("diffposetalk.retarget.to_arkit", to_arkit)
    monkeypatch.setattr("diffposetalk.head.load_head", lambda name: name)
    path = tmp_path / "smirk.npz"
    np.savez(path, expression_params=np.zeros((50, 5)), pose_params=np.zeros((50, 3)), jaw_params=np.zeros((50, 3)))
    for given in (None, "mine.pkl"):
        assert style_of(path, reader("anny"), {}, head=given).source == "smirk.npz"
    assert asked == ["flame", "mine.pkl"]
    assert style_of(path, reader("flame"), {}).vector.shape == (8,) and len(asked) == 2


def test_motion_of_another_head_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "avatar.npz"
    Motion(np.zeros((50, 1)), ("jawOpen",), np.zeros((50, 3)), 25.0, "avatar").save(path)
    with pytest.raises(InputError, match=r"^avatar\.npz: .*'avatar'.*diffposetalk retarget"):
        style_of(path, reader("anny"), {})


@pytest.fixture(scope="module")
def tiny(tiny_model: Any) -> Talker:
    return Talker(tiny_model)


def test_everything_that_shows_a_manner_is_the_same_style(
    tiny: Talker, motion: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `Motion`, its file, another program's file of it, a video of it, the style read from it, its file, its vector."""
    from diffposetalk.exchange import export

    expected = tiny.style(motion)
    assert expected is not None
    motion.save(tmp_path / "m.npz")
    export(motion, tmp_path / "m_a2f.json")
    expected.save(tmp_path / "s.safetensors")
    np.save(tmp_path / "v.npy", expected.vector)
    (tmp_path / "Somebody.MP4").touch()
    tracked = SimpleNamespace(reference=motion, quality=SimpleNamespace(warnings=("the face is small",)))
    monkeypatch.setattr("diffposetalk.track.track", lambda *_, **__: tracked)
    with pytest.warns(match="Somebody.MP4: the face is small"):
        np.testing.assert_allclose(tiny.style(tmp_path / "Somebody.MP4").vector, expected.vector, atol=1e-5)
    files = [tmp_path / name for name in ("m.npz", "s.safetensors", "v.npy")]
    for source in (*files, *map(str, files), motion, expected, expected.vector):
        np.testing.assert_allclose(tiny.style(source).vector, expected.vector, atol=1e-5)
    near = tiny.style(tmp_path / "m_a2f.json").vector  # a2f keeps no head rotation
    assert np.corrcoef(near, expected.vector)[0, 1] > 0.9


def test_a_preset_goes_by_its_name(tiny: Talker) -> None:
    style = tiny.style("lively")
    assert style is not None and style.source == "lively"
    np.testing.assert_array_equal(style.vector, tiny.model.presets["lively"].vector)


def test_what_shows_no_manner_is_refused_in_one_line(tiny: Talker, motion: Motion, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="no style 'grumpy': the presets are neutral, lively, and there is no such file"
    ):
        tiny.style("grumpy")
    sound = tmp_path / "talk.wav"
    sound.touch()
    with pytest.raises(UsageError, match=r"talk\.wav: cannot read a style from a '\.wav' file; use a preset or one of"):
        tiny.style(sound)
    with pytest.raises(ModelError, match="no style encoder"):
        style_of(motion, None, {})
    with pytest.raises(ModelError, match="16"):
        tiny.style(Style(np.zeros(5), tiny.style("lively").encoder, "short"))


@pytest.mark.parametrize("source", [5, ["lively"], {"lively": 1.0}, Style, ""])
def test_what_is_no_style_is_said(source: object) -> None:
    with pytest.raises(UsageError, match=r"a style must be|the name of a style is empty"):
        style_of(source, None, {})  # type: ignore[arg-type]
