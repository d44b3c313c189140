"""Outputs, folders and command lines that a comparison refuses, each in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.workshop.evaluate.performances import (
    varied,
    vertices_of,
    write_outputs,
    write_system,
)

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.motion import Motion

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")


def vertex_file(**changes: Any) -> Callable[[Path, Motion], None]:
    """Return a writer of vertices, changed."""

    def write(path: Path, motion: Motion) -> None:
        arrays = {"vertices": vertices_of(motion), "fps": 25.0} | {
            name: change(vertices_of(motion)) if callable(change) else change for name, change in changes.items()
        }
        np.savez(path, **arrays)

    return write


def holed(vertices: np.ndarray) -> np.ndarray:
    vertices[3, 5, 1] = np.nan
    return vertices


def moved(motion: Motion, **changes: Any) -> Motion:
    return replace(motion, **changes)


BAD: dict[str, tuple[Callable[[Path, Motion], Any], str]] = {
    "shorter": (
        lambda path, motion: motion.slice(0, 60).save(path),
        r"60 frames at 25 a second last 2\.40 s, the clip",
    ),
    "wrong rate": (
        lambda path, motion: moved(motion.resampled(30), fps=25.0).save(path),
        "at 30 frames a second it would fit",
    ),
    "millimetres": (vertex_file(vertices=lambda v: 1000 * v), "are they millimetres"),
    "centimetres": (vertex_file(vertices=lambda v: 100 * v), "are they centimetres"),
    "points": (vertex_file(vertices=lambda v: 0 * v), "all vertices are in one place"),
    "nan": (vertex_file(vertices=holed), r"vertices holds NaN or infinity, first at index \(3, 5, 1\)"),
    "topology": (
        vertex_file(vertices=lambda v: v[:, :500]),
        "its meshes have 500 vertices; the protocol knows meshes with",
    ),
    "flat": (vertex_file(vertices=lambda v: v[:, 0, 0]), "vertices must be"),
    "rate": (vertex_file(fps=-1.0), "fps must be one number above 0"),
    "text": (lambda path, motion: path.write_text("no"), "ann/1.npz"),
    "percent": (lambda path, motion: moved(motion, expression=100 * motion.expression).save(path), "are they per cent"),
    "degrees": (
        lambda path, motion: moved(motion, head_pose=np.rad2deg(motion.head_pose)).save(path),
        "is it in degrees",
    ),
    "nothing known": (lambda path, motion: np.savez(path, hello=np.zeros(3)), "outputs are motion files"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_outputs(case: str, material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write, message = BAD[case]
    folder = write_system(tmp_path / "bad", material, write)
    out = tmp_path / "out"
    assert run(["evaluate", str(folder), "--data", str(material / "set.toml"), "-o", str(out), "--quiet"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    with pytest.raises(InputError, match=message):
        raise InputError(error)
    assert not (out / "report.json").exists()


def test_bad_folders(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(folder: Path) -> str:
        command = [
            "evaluate",
            str(folder),
            "--data",
            str(material / "set.toml"),
            "-o",
            str(tmp_path / "out"),
            "--quiet",
        ]
        assert run(command) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    folder = write_outputs(tmp_path / "system", material, varied, 2)
    (folder / "bob/1.1.npz").unlink()
    assert "has 1 samples of clip 'bob/1' but 2 of 'ann/1'" in refused(folder)
    (folder / "bob/1.0.npz").unlink()
    assert "lacks 1 of 6 clips (bob/1); nothing is scored over a part" in refused(folder)
    (folder / "ann/1.0.csv").write_text("")
    (folder / "bob/1.0.npz").write_bytes((folder / "bob/2.0.npz").read_bytes())
    assert "keep one of them" in refused(folder)
    (tmp_path / "empty").mkdir()
    assert "holds no outputs" in refused(tmp_path / "empty")


def test_wrong_command_lines(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = str(material / "set.toml"), str(tmp_path / "out")
    for command, message in (
        (["lite"], "needs --data SET"),
        (["--data", data, "-o", out], "needs a model or folder"),
        (["lite", "--data", str(tmp_path / "no.toml"), "-o", out], "no such protocol file or folder"),
        (["no-such-model", "--data", data, "-o", out], "no-such-model"),
        (["energy", "energy", "--data", data, "-o", out], "two systems are called 'energy'"),
        (["energy", "--leaderboard", data, "-o", out], "leave out models"),
    ):
        assert run(["evaluate", *command]) != 0
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
