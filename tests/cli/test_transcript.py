"""`animate --transcript` together with other options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk import Motion, Speech
from diffposetalk.cli import run

TEXTGRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n1\n"IntervalTier"\n"phones"\n0\n2\n2\n'
    '0.3\n0.4\n"B"\n0.4\n0.9\n"AA1"\n'
)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two sounds, and one transcript."""
    for number, name in enumerate("ab"):
        samples = np.random.default_rng(number).uniform(-0.01, 0.01, 16000 + 3200 * number).astype(np.float32)
        Speech(samples).save(tmp_path / f"{name}.wav")
    (tmp_path / "a.TextGrid").write_text(TEXTGRID)
    return tmp_path


def animate(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run(["animate", *map(str, words), "--steps", "1", "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_with_samples_and_resting_mouth(
    capsys: pytest.CaptureFixture[str], sounds: Path, scripted_model_path: Path
) -> None:
    sound, words = sounds / "a.wav", ["--transcript", sounds / "a.TextGrid"]
    options = ["--model", scripted_model_path, "--samples", 2, "--non-speech", "rest"]
    code, result = animate(capsys, sound, *words, *options, "-o", sounds / "with.npz")
    assert code == 0 and [Path(path).name for path in result["outputs"]] == ["with-1.npz", "with-2.npz"]
    code, _ = animate(capsys, sound, *options, "-o", sounds / "without.npz")
    assert code == 0
    with_, without = (Motion.load(sounds / f"{name}-2.npz") for name in ("with", "without"))
    assert not np.array_equal(with_.expression, without.expression)


def test_several_sounds_take_a_folder(
    capsys: pytest.CaptureFixture[str], sounds: Path, scripted_model_path: Path
) -> None:
    out = ["-o", sounds / "out", "--format", "npz", "--model", scripted_model_path]
    both = [sounds / "a.wav", sounds / "b.wav"]
    code, result = animate(capsys, *both, "--transcript", sounds, *out)
    assert code == 2 and "no transcript for b.wav" in result["error"]
    code, result = animate(capsys, *both, "--transcript", sounds / "a.TextGrid", *out)
    assert code == 2 and "folder of transcripts" in result["error"]
    (sounds / "b.TextGrid").write_text(TEXTGRID)
    code, result = animate(capsys, *both, "--transcript", sounds, *out)
    assert code == 0 and len(result["results"]) == 2


@pytest.mark.parametrize("name", ["absent.txt", "talk.docx", "empty.srt"])
def test_a_bad_transcript_is_refused_before_the_model_is_read(
    capsys: pytest.CaptureFixture[str], sounds: Path, name: str
) -> None:
    (sounds / "talk.docx").write_bytes(b"PK")
    (sounds / "empty.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n\n")
    words = ["--transcript", sounds / name, "-o", sounds / "x.npz", "--model", sounds / "absent.safetensors"]
    code, result = animate(capsys, sounds / "a.wav", *words)
    assert code == 1 and name in result["error"] and not (sounds / "x.npz").exists()


def test_a_model_without_transcripts_says_so(
    capsys: pytest.CaptureFixture[str], sounds: Path, tiny_model_path: Path
) -> None:
    words = ["--transcript", sounds / "a.TextGrid", "-o", sounds / "x.npz", "--model", tiny_model_path]
    code, result = animate(capsys, sounds / "a.wav", *words)
    assert code == 2 and "takes no transcript" in result["error"]
