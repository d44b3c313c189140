"""Files of the user stay: no command writes over what it reads, over another output, or over files beside it."""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diffposetalk.cli import run
from diffposetalk.cli.files import role
from diffposetalk.cli.main import build_parser
from diffposetalk.motion import Motion

Captured = pytest.CaptureFixture[str]

COMMANDS = [
    line.split()
    for line in """
    export {m} -o {m}
    export {m} -o {dots}
    export {m} -o {link}
    export {m} -o {hard}
    export {link} -o {m}
    render {m} --speech {v} -o {v}
    render {m} --identity {m} -o {hard}
    animate {v} -o {v}
    animate {w} --style {m} -o {m}
    animate {w} --style {v} -o {v}
    animate {w} --style {m1} --samples 2 -o {m}
    style {s} -o {s}
    retarget {m} -o {m}
    retarget {w} --head {m} -o {m}
    track {v} -o {w}.npz --overlay {v}
    convert {s} -o {s}
    convert {w} --style-encoder {s} -o {s}
    dataset convert {d} {d}
    dataset show {h} -o {h}
    dataset stats {d} -o {d}
    dataset build {v} {v}
    dataset from-corpus {d} -o {d}
    train {t} -o {t}
    """.strip().splitlines()
]


@pytest.fixture
def places(tmp_path: Path, motion: Motion) -> dict[str, Path]:
    """Files of a user by the letters of `COMMANDS`; their content does not matter."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "keep").write_bytes(b"mine")
    files = {
        "m": "m.npz",
        "m1": "m-1.npz",
        "v": "v.mp4",
        "w": "w.wav",
        "s": "s.safetensors",
        "t": "t.toml",
        "h": "h.html",
    }
    for name in files.values():
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "link.npz").symlink_to("m.npz")
    os.link(tmp_path / "m.npz", tmp_path / "hard.npz")
    more = {"d": "d", "link": "link.npz", "hard": "hard.npz", "dots": "sub/../m.npz"}
    return {key: tmp_path / name for key, name in {**files, **more}.items()}


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_writes_over_its_inputs(
    capsys: Captured, tmp_path: Path, places: dict[str, Path], words: list[str]
) -> None:
    before = everything(tmp_path)
    assert run([word.format(**places) for word in words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "would overwrite the input" in err
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["-o", "f.obj", "-o", "f.ply"], "named twice"),
        (["-o", "a.csv", "-o", "sub/../a.csv"], "named twice"),
        (["-o", "x" * 300 + ".csv"], "too long"),
        (["-o", ""], "the name of a file is empty"),
        (["-o", "a.csv", "--speech", ""], "the name of a file is empty"),
        (["-o", "folder.csv"], "is a folder"),
        (["-o", "loop.csv"], "leads to itself"),
        (["-o", "null.glb"], "device or a pipe"),
        (["-o", "a.csv", "--speech", "pipe"], "is a pipe"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "null.glb").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run(["export", "not-even-looked-at.npz", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and what in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for option in parser._actions:
        if isinstance(option, argparse._SubParsersAction):
            for inner in option.choices.values():
                yield from options(inner)
        else:
            yield option


def test_every_option_that_names_a_file_says_whether_it_is_read_or_written() -> None:
    """So that a new option of a new command takes part in the checks."""
    words = ("FILE", "OUT", "PATH", "FOLDER", "NPZ", "PNG", "JSON", "PT", "HEAD", "SPEECH", "MOTION", "VIDEO", "SOURCE",
             "TARGET", "REFERENCE", "CORPUS", "RECIPE")  # fmt: skip
    seen = 0
    for option in options(build_parser()):
        if option.nargs == 0:
            continue
        if any(word in str(option.metavar).upper() for word in words):
            assert role(option) is not None, (
                f"{option.option_strings or option.dest} names a file: say reads() or writes()"
            )
            seen += 1
    assert seen > 40


def process(*words: object, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "diffposetalk", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **how)  # type: ignore[call-overload, no-any-return]


def test_links_modes_colons_and_companions_of_a_real_run(tmp_path: Path, motion: Motion, sample_path: Path) -> None:
    """One export to many awkward places; a second one replaces all of it."""
    motion.save(tmp_path / "m.npz")
    (tmp_path / "far").mkdir()
    (tmp_path / "link.csv").symlink_to("far/real.csv")
    (tmp_path / "null.bvh").symlink_to("/dev/null")
    (tmp_path / "secret.json").write_text("old")
    (tmp_path / "secret.json").chmod(0o600)
    words = ["m.npz", "-o", "link.csv", "-o", "null.bvh", "-o", "secret.json", "-o", "12:30.tsv", "-o", "12:30.pc2"]
    for again in (False, True):
        speech = "w.wav" if again else sample_path
        done = process("export", *words, "--speech", speech, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "far" / "real.csv").stat().st_size > 1000
        assert stat.S_ISCHR(os.stat(tmp_path / "null.bvh").st_mode) and stat.S_ISCHR(os.stat("/dev/null").st_mode)
        assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600
        assert not list(tmp_path.rglob("*.partial*"))
        if not again:
            shutil.copy(tmp_path / "12:30_speech.wav", tmp_path / "w.wav")


@pytest.mark.parametrize("name", ["talk_speech.wav", "talk_rest.obj", "talk_rest.mtl"])
def test_a_file_of_the_users_beside_an_output_stays(
    capsys: Captured, tmp_path: Path, motion: Motion, sample_path: Path, name: str
) -> None:
    motion.save(tmp_path / "m.npz")
    (tmp_path / name).write_bytes(b"mine")
    words = ["export", tmp_path / "m.npz", "--speech", sample_path, "-o", tmp_path / "talk.pc2"]
    assert run([str(word) for word in words]) == 2
    assert f"{name}: already exists" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["m.npz", name])
    assert (tmp_path / name).read_bytes() == b"mine"


def test_two_commands_that_write_one_file_never_mix(tmp_path: Path, motion: Motion, speech: object) -> None:
    """The companions of a point cache are those of the run whose main file is there."""
    runs = []
    for index, n in enumerate((10, 30)):
        Motion.joined([motion] * n).slice(0, 40 * n).save(tmp_path / f"{index}.npz")
        speech.slice(0, 0.5 + index).save(tmp_path / f"{index}.wav")  # type: ignore[attr-defined]
        words = ["export", f"{index}.npz", "--speech", f"{index}.wav", "-o", "talk.pc2", "-o", "talk.csv"]
        command = [sys.executable, "-m", "diffposetalk", *words]
        runs.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True))
    for each in runs:
        assert each.communicate(timeout=120)[1] == "" and each.returncode == 0
    frames = int.from_bytes((tmp_path / "talk.pc2").read_bytes()[28:32], "little")
    from diffposetalk.media import probe

    assert round(probe(tmp_path / "talk_speech.wav").duration, 2) == {400: 0.5, 1200: 1.5}[frames]
    assert len((tmp_path / "talk.csv").read_text().splitlines()) - 1 in (400, 1200)
    assert not list(tmp_path.glob(".*"))
