"""The picture of a run's losses: what it reads, what it says, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffposetalk.errors import InputError
from diffposetalk.workshop.evaluate.plots.learning import evaluate, read_log, report


def write_log(folder: Path, n_steps: int) -> None:
    folder.mkdir(parents=True)
    rows = [{"step": step, "lr": 1e-3, "fit": 2.0 / step, "loss": 2.0 / step} for step in range(1, n_steps + 1)]
    for row in rows[4::5]:
        row["val_fit"] = row["fit"] + 0.1
    lines = [json.dumps(row) for row in [*rows[:7], *rows[5:]]]  # interrupted after step 7, resumed from step 5
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")


def test_a_run_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_log(tmp_path / "run" / "style", 20)
    write_log(tmp_path / "run" / "denoiser", 30)
    ends = evaluate(tmp_path / "run", tmp_path / "a.png")
    text = report(ends)
    assert ends["style"]["fit"] == pytest.approx([0.5, 0.2]) and "denoiser" in text
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert list(read_log(tmp_path / "run" / "style" / "log.jsonl")) == list(range(1, 21))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run of"):
        evaluate(tmp_path, tmp_path / "a.png")
    (tmp_path / "style").mkdir()
    (tmp_path / "style" / "log.jsonl").write_text('{"step": 1}\nnonsense\n')
    with pytest.raises(InputError, match="line 2"):
        evaluate(tmp_path, tmp_path / "a.png")
