"""`diffposetalk dataset`: what it finds, what it makes, and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.data.check import check
from diffposetalk.data.clip import Clip
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.tfhp import TfhpReader
from diffposetalk.data.tfhp_write import portable_pickle, write_tfhp


@pytest.fixture
def copy(tfhp: Path, tmp_path: Path) -> Path:
    """A copy of the small data set, to be spoilt."""
    return Path(shutil.copytree(tfhp, tmp_path / "set"))


def put(path: Path, key: str, value: object) -> None:
    with lmdb.open(str(path), map_size=1 << 27) as env, env.begin(write=True) as transaction:
        transaction.put(key.encode(), portable_pickle(value))
    (path / "lock.mdb").unlink()


def test_a_good_set(tfhp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = check(tfhp)
    assert findings.problems == []
    assert findings.notes == []
    facts = findings.facts
    assert (facts["clips"], facts["speakers"], facts["seg_len"]) == (5, 4, 20)
    assert facts["hours"] == pytest.approx(276 / 25 / 3600)
    assert facts["splits"]["train"] == {"videos": 3, "speakers": 2}
    assert facts["statistics"]["exp"]["mean_off"] < 1e-5
    assert run(["dataset", "check", str(tfhp)]) == 0
    output = capsys.readouterr().out
    assert "5 of 4 speakers" in output
    assert "no problems" in output


def test_everything_wrong_is_said(copy: Path, clips: list[Clip], capsys: pytest.CaptureFixture[str]) -> None:
    put(copy, "Ann/001/001", {"audio": b"", "coef": {}})
    put(copy, "Bob/000/007", {})
    (copy / "val.txt").write_text("Cem/007\nAnn/000\n")
    (copy / "test.txt").write_text("Eve/000\n")
    (copy / "keys.txt").write_text("Ann/000\n")
    values = dict(Statistics.load(copy / "stats_train.npz").values)
    np.savez(copy / "stats_train.npz", **{**values, "exp_std": values["exp_std"] * 0})
    findings = check(copy)
    for line in (
        r"Ann/001/001: 'coef' must hold 'shape'",
        r"values that belong to no video's length: Bob/000 (1)",
        r"videos both in train and val: Ann/000",
        r"test.txt: names the video 'Eve/000'",
        r"keys.txt: does not name all videos",
        r"stats_train.npz: the standard deviation of exp 0, exp 1, exp 2",
    ):
        assert any(line in problem for problem in findings.problems), line
    assert len(findings.problems) == 6
    assert any("videos in no split: Dot/000" in note for note in findings.notes)
    assert run(["dataset", "check", str(copy), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["problems"] == findings.problems
    assert result["exit_code"] == 1


def test_statistics_of_other_data(copy: Path) -> None:
    stats = Statistics.load(copy / "stats_train.npz")
    moved = {**stats.values, "exp_mean": stats["exp_mean"] + 2 * stats["exp_std"]}
    Statistics(moved).save(copy / "stats_train.npz")
    findings = check(copy)
    assert not findings.problems
    assert any("exp: 10 of 10 differ" in note for note in findings.notes)
    narrow = {key: value[:5] if key.startswith("shape") else value for key, value in stats.values.items()}
    Statistics(narrow).save(copy / "stats_train.npz")
    assert any("made from other data: widths shape 5 (data: 12)" in line for line in check(copy).problems)


def test_unusual_sound_and_motion_is_noted(clips: list[Clip], tmp_path: Path) -> None:
    from dataclasses import replace

    from diffposetalk.data.shards import write_shards
    from diffposetalk.speech import Speech

    n = len(clips[0].speech)
    quiet = replace(clips[0], speech=Speech(np.zeros(n, np.float32)), name="a/0")
    loud = replace(clips[0], speech=Speech(np.ones(n, np.float32)), name="a/1")
    turned = replace(clips[0], motion=replace(clips[0].motion, head_pose=clips[0].motion.head_pose + 3), name="a/2")
    write_shards([quiet, loud, turned], tmp_path / "shards")
    notes = check(tmp_path / "shards").notes
    assert ["hardly any sound" in notes[0], "clipped" in notes[1], "degrees" in notes[2]] == [True] * 3


def test_broken_shards_are_a_problem(clips: list[Clip], tmp_path: Path) -> None:
    from diffposetalk.data.shards import write_shards

    write_shards(clips, tmp_path / "shards")
    shard = tmp_path / "shards" / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:100_000])
    findings = check(tmp_path / "shards")
    assert len(findings.problems) == 1
    assert "train-000000.tar" in findings.problems[0]


def test_convert_and_stats_commands(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards, back, stats = (str(tmp_path / name) for name in ("shards", "back", "stats.npz"))
    assert run(["dataset", "convert", str(copy), shards, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"output": shards, "layout": "shards", "clips": 5}
    assert run(["dataset", "convert", shards, back, "--seg-len", "30"]) == 0
    assert TfhpReader(back).seg_len == 30
    assert run(["dataset", "stats", back, "-o", stats, "--split", "val"]) == 0
    mean = TfhpReader(back).coefficients("Cem/007").exp.mean(0)
    np.testing.assert_allclose(Statistics.load(stats)["exp_mean"], mean, atol=1e-6)
    capsys.readouterr()
    for command, code in (
        (["convert", shards, back], 2),
        (["convert", str(tmp_path), str(tmp_path / "new")], 1),
        (["stats", back, "-o", str(tmp_path / "stats.txt")], 2),
        (["stats", back, "-o", stats, "--split", "dev"], 1),
        (["check", str(tmp_path / "none")], 1),
    ):
        assert run(["dataset", *command]) == code
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_more_held_out_than_trained_on_is_said(clips, tmp_path):
    write_tfhp(clips, tmp_path / "few", 20, {"train": ["Bob/000"], "val": ["Ann/000", "Ann/001"]})
    assert any(
        "2 clips are held out for validation and test, only 1 of 1" in note for note in check(tmp_path / "few").notes
    )
    write_tfhp(clips, tmp_path / "many", 20, {"train": ["Ann/000", "Ann/001"], "val": ["Bob/000"]})
    assert not any("held out" in note for note in check(tmp_path / "many").notes)
