"""Without torch: what users do most works, and what needs torch says so in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diffposetalk.motion import Motion

PROCESS = """
import sys
sys.modules["torch"] = None  # as if it were not installed
from diffposetalk.cli import run
sys.exit(run(sys.argv[1:]))
"""


def command(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that has no torch."""
    return subprocess.run([sys.executable, "-c", PROCESS, *map(str, words)], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path, motion: Motion, speech: object) -> Path:
    """A folder with a motion and a sound."""
    motion.slice(0, 40).save(tmp_path / "m.npz")
    speech.slice(0, 1.5).save(tmp_path / "w.wav")  # type: ignore[attr-defined]
    (tmp_path / "r.toml").write_text('kind = "lite"')
    return tmp_path


def test_a_head_talks(folder: Path, tiny_model_path: Path, gl: None) -> None:
    outputs = [word for name in ("a.npz", "a.csv", "a.glb", "a.mp4") for word in ("-o", name)]
    for words in (
        ["animate", "w.wav", "--model", tiny_model_path, "--size", 64, "--samples", 1, *outputs],
        ["info", "a.npz"],
        ["export", "a.npz", "-o", "b_a2f.json"],
        ["render", "a.npz", "--size", 64, "-o", "b.png"],
        ["style", "a.npz", "--model", tiny_model_path, "-o", "a.style.safetensors"],
        ["animate", "w.wav", "--model", tiny_model_path, "--style", "a.style.safetensors", "-o", "b.npz"],
        ["export-onnx", "--model", tiny_model_path, "-o", "onnx"],
    ):
        done = command(folder, *words)
        assert done.returncode == 0, done.stderr
    assert len(Motion.load(folder / "b.npz")) == 38


def test_a_stream_speaks(tiny_model_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import numpy as np; from diffposetalk import Talker;"
        f"stream = Talker.from_pretrained({str(tiny_model_path)!r}).stream('lively');"
        "chunk = stream.feed(np.zeros(16000, np.float32)); assert len(chunk) and len(stream.finish())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "words",
    [
        ["animate", "w.wav", "--device", "cuda", "-o", "a.npz"],
        ["train", "r.toml", "-o", "r"],
        ["convert", "w.wav", "-o", "m.safetensors"],
    ],
    ids=" ".join,
)
def test_what_needs_torch_says_so(folder: Path, words: list[str]) -> None:
    done = command(folder, *words)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "torch" in line and "pip install 'diffposetalk[" in line, line
