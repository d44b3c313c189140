"""The wheel with `[track]` in an environment of its own, without network: a manner of speaking read from a video.

Needs a package index to install from, so it is not run by default (`pytest -m slow`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "src" / "diffposetalk" / "assets" / "sample.flac"
TORCH = os.environ.get("TORCH", "torch==2.13.0")


def interpreters() -> list[str]:
    """Pythons of the supported versions that start; the running one first."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for version in ("3.11", "3.12", "3.13"):
        path = shutil.which(f"python{version}")
        if path and version not in found and not subprocess.run([path, "-c", ""], capture_output=True).returncode:
            found[version] = path
    return list(found.values())


def without_network() -> list[str]:
    """Words before a command that take the network from it; none where the system cannot."""
    words = ["unshare", "-rn"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        return []
    return words


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
@pytest.mark.parametrize("python", interpreters())
def test_style_from_a_video(python: str, wheel: Path, tmp_path: Path) -> None:
    venv, home = tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    subprocess.run([python, "-m", "venv", venv], check=True)
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([scripts / "python", "-m", "pip", "install", "-q", *TORCH.split(), f"{wheel}[track]"], check=True)

    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "TEMP", "LANG")}

    def run(*words: str) -> str:
        done = subprocess.run(
            [*without_network(), scripts / "diffposetalk", *words],
            env={**kept, "HOME": str(home), "USERPROFILE": str(home)}, cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("animate", str(SAMPLE), "--style", "lively", "-o", "somebody.mp4")  # a video of a head that talks
    run("animate", str(SAMPLE), "--style", "somebody.mp4", "-o", "styled.npz")
    run("animate", str(SAMPLE), "-o", "neutral.npz")
    check = (
        "import numpy as np; from diffposetalk.motion import Motion;"
        "a, b = (Motion.load(f'{name}.npz') for name in ('styled', 'neutral'));"
        "assert len(a) == len(b) > 200; assert np.abs(a.expression - b.expression).mean() > 0.01;"
        "import mediapipe, importlib.metadata as m; print(m.version('mediapipe'), np.__version__)"
    )
    subprocess.run([scripts / "python", "-c", check], check=True, cwd=tmp_path)
