"""Files and options that are wrong: one clear line, and nothing is left behind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import DiffPoseTalkError, DiffPoseTalkWarning, InputError, UsageError
from diffposetalk.exchange import FORMATS, ExportOptions, Scene, export, export_all, load_motion
from diffposetalk.motion import Motion

Change = Callable[[list[list[str]]], Any]


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_motion(path)
    line = str(caught.value)
    assert "\n" not in line and path.name in line
    return line


def cell(row: int, column: int, value: str) -> Change:
    return lambda rows: rows[row].__setitem__(column, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop(0), "has no header"),
        (lambda rows: rows[7].append("1"), "line 8 has 64 cells but the header 63"),
        (lambda rows: rows[7].pop(), "line 8 has 62 cells but the header 63"),
        (cell(3, 20, "nan"), "line 4, column MouthClose: 'nan' is not a finite number"),
        (cell(3, 20, "inf"), "not a finite number"),
        (cell(3, 20, ""), "line 4, column MouthClose: '' is not"),
        (cell(3, 20, "0,1"), "is not a finite number"),
        (cell(0, 20, "JawOpen"), "the column JawOpen occurs twice"),
        (cell(4, 0, "00:00:00:33:001"), "not HH:MM:SS:FF.fff"),
        (cell(4, 0, "00:00:00:99.001"), "60ths of a second"),
        (cell(4, 0, "00:00:00:01.000"), "time does not increase at frame 3"),
        (cell(4, 0, "09:00:00:01.000"), "time does not increase"),
        (cell(50, 0, "09:00:00:01.000"), "too uneven"),
        (lambda rows: rows.__delitem__(slice(1, None)), "no frames"),
        (lambda rows: rows.clear(), "is empty"),
        (cell(0, 0, "Zeit"), "not a table of motion"),
    ],
)
def test_damaged_live_link_csv(tmp_path: Path, motion: Motion, change: Change, message: str) -> None:
    path = tmp_path / "take.csv"
    export(motion, path)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    change(rows)
    if message == "too uneven":
        rows = rows[:51]
    quoted = [",".join(f'"{word}"' if "," in word else word for word in row) for row in rows]
    path.write_text("\n".join(quoted))
    assert message in refused(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable JSON file"),
        ("[1, 2]", "one JSON object"),
        ("{", "not a readable JSON file"),
        ("[" * 100_000, "not a readable JSON file"),
        ('{"a": 1}', "facsNames and weightMat"),
        ('{"facsNames": ["jawOpen"], "weightMat": [[NaN]]}', "holds NaN"),
        ('{"facsNames": ["jawOpen"], "weightMat": [[0.1], [0.1, 0.2]]}', "frame 1 has 2 numbers, not 1"),
        ('{"facsNames": ["jawOpen"], "weightMat": [["x"]]}', "not a number"),
        ('{"facsNames": ["jawOpen"], "weightMat": [[null]]}', "not"),
        ('{"facsNames": ["jawOpen"], "weightMat": []}', "no frames"),
        ('{"facsNames": ["jawOpen"], "weightMat": [[0.1]], "numFrames": 7}', "numFrames is 7 but the file holds 1"),
        ('{"facsNames": ["jawOpen"], "weightMat": [[0.1]], "exportFps": 0}', "exportFps"),
        ('{"facsNames": ["jawDrop", "grin"], "weightMat": [[0.1, 0.1]]}', "none of its channels (jawDrop, grin"),
        ('{"facsNames": ["jawOpen", "JawOpen"], "weightMat": [[0.1, 0.1]]}', "jawOpen occurs twice"),
        ('{"facsNames": [1], "weightMat": [[0.1]]}', "list of names"),
        ('{"names": ["jawOpen"], "frames": [{"time": 0}]}', "frames must be a list of objects with weights"),
        ('{"names": ["jawOpen"], "frames": [{"weights": [1], "time": 0}, {"weights": [1], "time": 0}]}', "does not increase"),
        ('{"names": ["jawOpen"], "frames": [{"weights": [1]}], "metadata": {"fps": "x"}}', "metadata.fps"),
    ],
)  # fmt: skip
def test_damaged_json(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert message in refused(tmp_path / "a.json")


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_ten_gigabytes_are_refused_unread(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"huge{suffix}"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 10_000_000_000)  # takes no space
    line = refused(path)
    assert "0.0 GB of memory, more than the limit of" in line and "DIFFPOSETALK_MAX_BYTES" in line


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.json", "a.parquet"])
def test_bytes_that_are_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(256)) * 4)
    refused(tmp_path / name)


def test_unknown_and_missing_files(tmp_path: Path) -> None:
    assert "motion is read from .npz, .csv, .parquet, .json" in refused(tmp_path / "a.fbx")
    assert "no such motion file" in refused(tmp_path / "a.csv")
    with pytest.raises(UsageError, match=r"cannot write '\.fbx' files here; use one of \.npz, \.csv"):
        export(Motion(np.zeros((1, 52)), CHANNELS, np.zeros((1, 3)), 25), tmp_path / "a.fbx")
    with pytest.raises(UsageError, match="unknown format 'fbx'; choose from motion, livelink"):
        export(Motion(np.zeros((1, 52)), CHANNELS, np.zeros((1, 3)), 25), tmp_path / "a", "fbx")


def test_channels_that_no_head_has_are_said(tmp_path: Path) -> None:
    document = {"facsNames": ["jawOpen", "tongueTwist"], "weightMat": [[0.1, 0.2]], "exportFps": 30}
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.warns(DiffPoseTalkWarning, match=r"1 channel\(s\) that are not ARKit's were left out: tongueTwist"):
        assert load_motion(tmp_path / "a.json").channel("jawOpen")[0] == pytest.approx(0.1)


@pytest.mark.parametrize("fps", [0, -1, 0.5, 1000, float("nan"), float("inf")])
def test_frame_rates_out_of_reason(fps: float) -> None:
    with pytest.raises(UsageError, match="fps must be between 1 and 240"):
        ExportOptions(fps=fps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain": {"lips": 2.0}}, "no region or channel 'lips'; choose from expression, brows"),
        ({"gain": {"": 2.0}}, "no region or channel ''"),
        ({"offset": {"head": 2.0}}, "head_pitch_deg"),
        ({"offset": {"jawDrop": 2.0}}, "'jawDrop'"),
        ({"smoothing_s": {"mouth": -1.0}}, "between 0 and 10 seconds"),
        ({"gain": {"mouth": float("nan")}}, "finite"),
    ],
)
def test_wrong_knobs(tmp_path: Path, motion: Motion, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DiffPoseTalkError, match=message):
        export(motion, tmp_path / "a.csv", scene=Scene(options=ExportOptions(**options)))
    assert not list(tmp_path.iterdir())


def test_a_motion_without_frames(tmp_path: Path, motion: Motion) -> None:
    with pytest.raises(InputError, match="no frames"):
        export(motion.slice(0, 0), tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_all_outputs_are_checked_before_the_first_is_written(tmp_path: Path, motion: Motion) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        export_all(motion, [(tmp_path / "a.csv", None), (tmp_path / "none" / "a.json", None)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [row.name for row in FORMATS.values() if row.writer])
def test_a_failing_export_leaves_what_was_there(
    tmp_path: Path, motion: Motion, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The disk is full at the very end."""
    row = FORMATS[name]
    if row.needs:
        pytest.importorskip(row.needs)
    target = tmp_path / f"a{row.suffixes[0]}"
    if not row.folder:
        target.write_text("before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiffPoseTalkError, match=r"could not be written: the disk is full"):
        export(motion.slice(0, 2), target, name)
    assert [path.name for path in tmp_path.iterdir()] == ([] if row.folder else [target.name])
    assert row.folder or target.read_text() == "before"
