"""`animate` of several sounds in one call, and its help."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk import Motion, SamplingOptions, Speech
from diffposetalk.cli import run
from diffposetalk.cli.main import build_parser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good sounds, a damaged one, and something else."""
    place = tmp_path / "sounds"
    place.mkdir()
    for name, seconds in (("a.wav", 1.0), ("b.flac", 0.5)):
        Speech(np.random.default_rng(1).uniform(-0.1, 0.1, int(16000 * seconds)).astype(np.float32)).save(place / name)
    (place / "c.mp3").write_bytes(b"no sound at all")
    (place / "notes.txt").write_text("not for animate")
    return place


def animate(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    """Run `animate --json`; return its exit code, its one JSON object, and what stands on stderr."""
    capsys.readouterr()
    code = run(["animate", *map(str, words), "--steps", "1", "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_a_folder_of_sounds(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, tiny_model_path: Path, monkeypatch: Any
) -> None:
    """Each sound becomes its files; a damaged one is told at the end and the exit code; the model is read once."""
    from diffposetalk.generate import talker

    loaded = []
    real = talker.loaded_model
    monkeypatch.setattr(talker, "loaded_model", lambda *args: loaded.append(args) or real(*args))
    out = tmp_path / "new" / "out"
    code, result, err = animate(
        capsys, folder, "-o", out, "--format", "npz,livelink,lam", "--model", tiny_model_path, "--style", "lively"
    )
    assert code == 1 and result["exit_code"] == 1 and len(loaded) == 1
    names = [f"{stem}{end}" for stem in "ab" for end in (".npz", ".csv", "_lam.json")]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert [Path(each["speech"]).name for each in result["results"]] == ["a.wav", "b.flac"]
    assert [len(Motion.load(out / f"{stem}.npz")) for stem in "ab"] == [25, 13]
    assert {each["style"] for each in result["results"]} == {"lively"}
    (failure,) = result["errors"]
    assert failure["speech"].endswith("c.mp3") and "c.mp3" in failure["error"]
    assert "1 of 3 sounds failed" in err.splitlines()[-1]


def test_an_interrupted_folder_goes_on_where_it_stopped(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, tiny_model_path: Path
) -> None:
    """With --resume, sounds whose files are all there are left alone; others are made, also those that failed."""
    (folder / "c.mp3").unlink()
    words = (folder, "-o", tmp_path / "out", "--format", "npz,csv", "--samples", 2, "--model", tiny_model_path)
    assert animate(capsys, *words)[0] == 0
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").iterdir()}
    assert len(files) == 8
    lost = tmp_path / "out" / "b-2.csv"
    lost.unlink()
    code, result, _ = animate(capsys, *words, "--resume")
    assert code == 0 and [Path(each["speech"]).name for each in result["results"]] == ["b.flac"]
    assert [Path(each).name for each in result["skipped"]] == ["a.wav"]
    for path, (content, time_ns) in files.items():
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns == time_ns) == path.name.startswith("a")
    code, result, _ = animate(capsys, *words, "--resume")
    assert code == 0 and result["results"] == [] and len(result["skipped"]) == 2


def test_several_files_into_an_existing_folder(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, tiny_model_path: Path
) -> None:
    """All good: exit code 0. One sound into a folder gives the result of one sound."""
    sounds = (folder / "a.wav", folder / "b.flac")
    code, result, _ = animate(capsys, *sounds, "-o", tmp_path, "--format", "npz", "--model", tiny_model_path)
    assert code == 0 and result["errors"] == [] and (tmp_path / "b.npz").is_file()
    code, alone, _ = animate(capsys, sounds[0], "-o", f"{tmp_path}/one/", "--format", "npz", "--model", tiny_model_path)
    assert code == 0 and alone["outputs"] == [str(tmp_path / "one" / "a.npz")]
    first, again = (Motion.load(place / "a.npz") for place in (tmp_path, tmp_path / "one"))
    np.testing.assert_array_equal(first.expression, again.expression)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{f}/a.wav", "{f}/b.flac", "-o", "out.npz"], "need one folder"),
        (["{f}/a.wav", "{f}/b.flac"], "need one folder"),
        (["{f}/a.wav", "{f}/b.flac", "-o", "x/", "-o", "y/"], "need one folder"),
        (["{f}/a.wav", "{f}/b.flac", "-o", "x/", "--format", "psd"], "unknown format 'psd'"),
        (["{f}/a.wav", "{f}/b.flac", "-o", "x/", "--contact-sheet", "s.png"], "--contact-sheet goes with one sound"),
        (["{f}/a.wav", "{f}/a.mp3", "-o", "x/"], "under one name"),
        (["{f}/empty", "-o", "x/"], "no sound or video files"),
        (["{f}/a.wav", "{f}/b.flac", "-o", "{f}/notes.txt"], "need one folder"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    (folder / "empty").mkdir()
    (folder / "a.mp3").touch()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, result, _ = animate(capsys, *(word.format(f=folder) for word in words))
    assert code in (1, 2) and told in result["error"]
    assert sorted(tmp_path.rglob("*")) == before


def test_help_says_every_default_of_the_sampling_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["animate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for field in fields(SamplingOptions):
        option = f"--{field.name.replace('_', '-')} "
        about = text[text.rindex(option) :].split(" --", 1)[0]
        assert "default:" in about, about
    assert "(default: dpmpp)" in text and "default: the model's own" in text and "(default: 1)" in text
