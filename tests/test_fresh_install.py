"""The wheel in an environment of its own, without network: alone, and with `[track]` for a manner read from a video.

Needs a package index to install from, so it is not run by default (`pytest -m slow`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "src" / "diffposetalk" / "assets" / "sample.flac"


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


LARGEST_MB = 500
"""Largest size of an environment with the package alone, megabytes."""


@dataclass(frozen=True)
class Installed:
    """An environment with the package."""

    venv: Path
    home: Path

    @property
    def scripts(self) -> Path:
        return self.venv / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *words: str, fails: bool = False) -> str:
        """Run the command in the folder above without network; return what it prints, or its error."""
        usual = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "TEMP", "LANG")}
        done = subprocess.run(
            [*without_network(), self.scripts / "diffposetalk", *words],
            env={**usual, "HOME": str(self.home), "USERPROFILE": str(self.home)}, cwd=self.home.parent,
            capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout


def installed(python: str, folder: Path, *packages: str) -> Installed:
    """Make an environment with these packages."""
    made = Installed(folder / "venv", folder / "home")
    made.home.mkdir()
    subprocess.run([python, "-m", "venv", made.venv], check=True)
    subprocess.run([made.scripts / "python", "-m", "pip", "install", "-q", *packages], check=True)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("python", interpreters())
def test_without_torch(python: str, wheel: Path, tmp_path: Path) -> None:
    """The package alone animates, exports, draws and reads styles; what needs torch says so."""
    made = installed(python, tmp_path, str(wheel))
    size = sum(path.stat().st_size for path in made.venv.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < LARGEST_MB * 1e6
    assert not list(made.venv.rglob("site-packages/torch"))
    made.run("animate", str(SAMPLE), "--style", "lively", "-o", "a.mp4", "-o", "a.npz", "-o", "a.csv", "-o", "a.glb")
    made.run("info", "a.npz")
    made.run("export", "a.npz", "-o", "a_a2f.json")
    made.run("render", "a.npz", "--speech", str(SAMPLE), "--size", "64", "-o", "b.mp4")
    made.run("style", "a.npz", "-o", "a.style.safetensors")
    made.run("animate", str(SAMPLE), "--style", "a.style.safetensors", "-o", "b.npz")
    made.run("export-onnx", "-o", "onnx")
    assert "needs torch: pip install" in made.run("animate", str(SAMPLE), "--device", "cuda", "-o", "c.npz", fails=True)
    (tmp_path / "r.toml").write_text('kind = "lite"')
    assert "training needs torch: pip install" in made.run("train", "r.toml", "-o", "r", fails=True)


@pytest.mark.slow
@pytest.mark.parametrize("python", interpreters())
def test_style_from_a_video(python: str, wheel: Path, tmp_path: Path) -> None:
    made = installed(python, tmp_path, f"{wheel}[track]")
    made.run("animate", str(SAMPLE), "--style", "lively", "-o", "somebody.mp4")  # a video of a head that talks
    made.run("animate", str(SAMPLE), "--style", "somebody.mp4", "-o", "styled.npz")
    made.run("animate", str(SAMPLE), "-o", "neutral.npz")
    check = (
        "import numpy as np; from diffposetalk.motion import Motion;"
        "a, b = (Motion.load(f'{name}.npz') for name in ('styled', 'neutral'));"
        "assert len(a) == len(b) > 200; assert np.abs(a.expression - b.expression).mean() > 0.01;"
        "import mediapipe, importlib.metadata as m; print(m.version('mediapipe'), np.__version__)"
    )
    subprocess.run([made.scripts / "python", "-c", check], check=True, cwd=tmp_path)
