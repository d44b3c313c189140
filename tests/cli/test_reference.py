"""Files that show a manner of speaking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.cli.reference import is_reference
from diffposetalk.motion import Motion, flame_channels
from diffposetalk.style import Style


def test_names_tell() -> None:
    assert all(is_reference(Path(name)) for name in ("a.mp4", "a.MOV", "a.npz", "a.csv", "a.json"))
    assert not any(is_reference(Path(name)) for name in ("a.safetensors", "a.npy", "a.wav", "lively"))


def test_flame_motion_needs_its_head_to_be_said_in_arkit(
    tiny_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(tmp_path))
    pose = np.zeros((50, 3), np.float32)
    Motion(np.zeros((50, 50)), flame_channels(50, False)[:-1], pose, 25.0, "flame", pose).save(tmp_path / "a.npz")
    code = run(
        ["style", str(tmp_path / "a.npz"), "--model", str(tiny_model_path), "-o", str(tmp_path / "s.safetensors")]
    )
    message = capsys.readouterr().err.strip()
    assert code in (1, 2) and "FLAME" in message and len(message.splitlines()) == 1
    assert not (tmp_path / "s.safetensors").exists()


def test_a_video_without_a_face_is_refused(
    tiny_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    code = run(
        ["style", str(tmp_path / "a.mp4"), "--model", str(tiny_model_path), "-o", str(tmp_path / "s.safetensors")]
    )
    message = capsys.readouterr().err.strip()
    assert code == 1 and "a.mp4" in message and len(message.splitlines()) == 1


def test_styles_are_mixed(tiny_model_path: Path, motion: Motion, tmp_path: Path) -> None:
    motion.save(tmp_path / "m.npz")
    model = ["--model", str(tiny_model_path)]
    assert run(["style", str(tmp_path / "m.npz"), *model, "-o", str(tmp_path / "a.safetensors")]) == 0
    words = ["lively", str(tmp_path / "a.safetensors"), str(tmp_path / "m.npz")]
    out = tmp_path / "mix.safetensors"
    assert run(["style", *words, "--shares", "2,1,1", *model, "-o", str(out)]) == 0
    read, mixed = Style.load(tmp_path / "a.safetensors"), Style.load(out)
    assert mixed.encoder == read.encoder and "0.5" in mixed.source and "m.npz" in mixed.source
    assert run(["style", *words, "--shares", "1,1", *model, "-o", str(tmp_path / "x.safetensors")]) == 2
