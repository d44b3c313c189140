"""Short commands load only what they need: what a process has imported at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diffposetalk.motion import Motion

NEVER = {"torch", "sympy", "anny", "warp", "transformers",
         "scipy", "matplotlib", "mediapipe", "cv2", "pandas", "IPython", "numba", "rich"}  # fmt: skip
"""What no short command needs, each as slow to load as all of ours."""
DRAWING = {"moderngl", "PIL"}
MODEL = {"onnxruntime", "safetensors"}
PROCESS = """
import sys
from diffposetalk.cli import run
assert run(sys.argv[1:]) == 0
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (["--help"], {"numpy", "av"} | DRAWING | MODEL),
        (["info", "m.npz"], DRAWING | MODEL),
        (["export", "m.npz", "-o", "a.csv"], DRAWING | MODEL),
        (["export", "m.npz", "--fps", "30", "-o", "a.csv"], DRAWING | MODEL),
        (["export", "m.npz", "-o", "a_a2f.json", "-o", "a.bvh"], DRAWING | MODEL),
        (["animate", "w.wav", "--model", "{model}", "-o", "a.npz", "-o", "a.csv"], DRAWING),
        (["animate", "w.wav", "-o", "a.npz"], DRAWING),
        (["animate", "w.wav", "--model", "{model}", "--size", "64", "-o", "a.mp4"], set()),
    ],
)
def test_nothing_heavy_is_loaded_in_vain(
    tmp_path: Path, motion: Motion, speech: object, tiny_model_path: Path, gl: None, words: list[str], never: set[str]
) -> None:
    motion.slice(0, 5).save(tmp_path / "m.npz")
    speech.slice(0, 0.5).save(tmp_path / "w.wav")  # type: ignore[attr-defined]
    command = [sys.executable, "-c", PROCESS, *(word.format(model=tiny_model_path) for word in words)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert not loaded & (NEVER | never)
