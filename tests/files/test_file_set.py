"""Inputs as outputs, and outputs named twice, whatever their spelling."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from diffposetalk.errors import UsageError
from diffposetalk.files import paths
from diffposetalk.files.file_set import FileSet
from diffposetalk.files.paths import same_file


def plain(folder: Path) -> Path:
    return folder / "a.npz"


def through_dots(folder: Path) -> Path:
    return folder / "sub" / ".." / "a.npz"


def symbolic(folder: Path) -> Path:
    (folder / "s.npz").symlink_to("a.npz")
    return folder / "s.npz"


def hard(folder: Path) -> Path:
    os.link(folder / "a.npz", folder / "h.npz")
    return folder / "h.npz"


def linked_folder(folder: Path) -> Path:
    (folder / "again").symlink_to(folder)
    return folder / "again" / "a.npz"


def relative(folder: Path) -> Path:
    return Path(os.path.relpath(folder / "a.npz"))


SPELLINGS = [plain, through_dots, symbolic, hard, linked_folder, relative]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_an_input_is_never_an_output(tmp_path: Path, spell: Callable[[Path], Path]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.npz").write_bytes(b"mine")
    files = FileSet()
    files.reads(tmp_path / "a.npz", "--style")
    with pytest.raises(UsageError, match=r"would overwrite the input .*--style"):
        files.writes(spell(tmp_path))
    files.writes(tmp_path / "b.npz")


@pytest.mark.parametrize("spell", [plain, through_dots, symbolic, linked_folder, relative])
@pytest.mark.parametrize("there", [True, False])
def test_no_output_is_named_twice(tmp_path: Path, spell: Callable[[Path], Path], there: bool) -> None:
    (tmp_path / "sub").mkdir()
    if there:
        (tmp_path / "a.npz").write_bytes(b"mine")
    files = FileSet()
    files.writes(tmp_path / "a.npz")
    with pytest.raises(UsageError, match="named twice"):
        files.writes(spell(tmp_path))
    files.writes(tmp_path / "sub" / "a.npz")
    files.writes(tmp_path / "A.npz")


def test_disks_that_ignore_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not same_file(tmp_path / "A.npz", tmp_path / "a.npz")
    monkeypatch.setattr(paths, "ignores_case", lambda folder: True)
    assert same_file(tmp_path / "A.npz", tmp_path / "a.npz")
    assert same_file(tmp_path / "\u00e4.npz", tmp_path / "a\u0308.npz")
    assert not same_file(tmp_path / "b.npz", tmp_path / "a.npz")


def test_this_disk_minds_case_or_says_so(tmp_path: Path) -> None:
    (tmp_path / "Name").mkdir()
    assert paths.ignores_case(tmp_path / "Name") == (tmp_path / "nAME").exists()


def test_empty_names_long_names_and_pipes(tmp_path: Path) -> None:
    files = FileSet()
    with pytest.raises(UsageError, match="--style: the name of a file is empty"):
        files.reads("", "--style")
    with pytest.raises(UsageError, match="-o: the name of a file is empty"):
        files.writes("")
    with pytest.raises(UsageError, match="too long"):
        files.reads("x" * 5000, "--style")
    files.reads("neutral", "--style")
    files.writes("/dev/null")
    files.writes("/dev/null")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
def test_a_pipe_is_no_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UsageError, match="is a pipe"):
        FileSet().reads(tmp_path / "pipe.wav", "SPEECH")
