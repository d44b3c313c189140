"""`study tally`: from files of answers to reports, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.workshop.study.examples import plan, written

from diffposetalk.cli import run
from diffposetalk.workshop.study.answers import Answers
from diffposetalk.workshop.study.design import pages_for
from diffposetalk.workshop.study.plan import ANCHOR, FIVE, REFERENCE
from diffposetalk.workshop.study.study_file import StudyFile

VALUES = {REFERENCE: 5.0, "s0": 4.0, "s1": 2.0, ANCHOR: 1.0}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> StudyFile:
    return written(plan(FIVE, 2, 3, questions=("lips", "natural")), tmp_path_factory.mktemp("study") / "mine.pyz")


def rate(file: StudyFile, path: Path, n_raters: int, pages: int | None = None) -> Path:
    """Store the answers of raters who all agree; the last one answers only the first pages."""
    store = Answers(path, file.study)
    for number in range(n_raters):
        rater = store.begin(f"request {number} of {path.name}")
        last = number == n_raters - 1
        for index, page in enumerate(rater.pages[: pages if last else None]):
            store.show(rater, index)
            store.answer(rater, index, {question: [VALUES[page.systems[0]]] for question in page.questions})
    return path


def test_from_two_hosts_to_reports(file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = rate(file, tmp_path / "one.sqlite", 3), rate(file, tmp_path / "other.sqlite", 2, pages=9)
    outputs = [str(tmp_path / f"report{ending}") for ending in (".html", ".md", ".svg", ".csv")]
    words = ["study", "tally", str(file.path), "--answers", str(one), "--answers", str(other), "--json"]
    assert run([*words, *(word for path in outputs for word in ("-o", path))]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["raters"], result["finished"], result["counted"]) == (5, 4, 5)
    means = {(row["question"], row["system"]): row["mean"] for row in result["ratings"]}
    assert means == {(question, name): value for question in ("lips", "natural") for name, value in VALUES.items()}
    assert result["outputs"] == outputs and all(Path(path).stat().st_size for path in outputs)
    rows = list(csv.DictReader(Path(outputs[3]).read_text().splitlines()))
    assert {row["rater"] for row in rows} == {"1", "2", "3", "4", "5"}
    assert len(rows) == 2 * (4 * len(pages_for(file.study, 0)) + 9)


def test_text_for_people(file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rate(file, file.path.with_suffix(".answers.sqlite"), 2)
    assert run(["study", "tally", str(file.path)]) == 0
    printed = capsys.readouterr().out
    assert "2 raters began, 2 finished, 0 dropped, 2 counted" in printed and "| lip sync " in printed


def test_refused(file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = str(rate(file, tmp_path / "a.sqlite", 2))
    empty = tmp_path / "empty.sqlite"
    Answers(empty, file.study)
    other = written(plan(FIVE, 3, 3), tmp_path / "other.pyz")
    study = str(file.path)
    for words, message in (
        ([study, "--answers", str(tmp_path / "none.sqlite")], "none.sqlite: no such file of answers"),
        ([study, "--answers", str(empty)], "empty.sqlite: nobody has answered a page yet"),
        ([study, "--answers", answers, "--answers", answers], "names the same file twice"),
        ([study, "--answers", study], "mine.pyz: not a readable file of answers"),
        ([str(other.path), "--answers", answers], "a.sqlite: holds the answers to another study"),
        ([answers], "a.sqlite: not a readable study file"),
        ([str(tmp_path / "none.pyz")], "none.pyz: no such study file"),
        ([study, "--answers", answers, "-o", "report.pdf"], "report.pdf: cannot write '.pdf' files here"),
        ([study, "--answers", answers, "-o", answers], "would overwrite the input"),
        ([study, "--answers", answers, "--most-failed", "2"], "between 0 and 1"),
    ):
        assert run(["study", "tally", *words]) in (1, 2)
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, error
