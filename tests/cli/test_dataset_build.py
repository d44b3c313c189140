"""`diffposetalk dataset build`: real clips to a data set, and one line for wrong requests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from diffposetalk.cli import run
from diffposetalk.data.shards import ShardReader


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent", "{out}/set"], 1, "no such file or folder"),
        (["{out}/films", "{out}/films"], 2, "would overwrite the input"),
        (["{out}/films", "{out}/no/set"], 2, "does not exist; create it first"),
        (["{out}/films", "{out}/set", "--shortest", "15"], 2, "at most half of the longest"),
        (["{out}/films", "{out}/set", "--val", "0.5", "--test", "0.5"], 2, "leave nothing to train on"),
        (["{out}/films", "{out}/set", "--speakers", "{out}/who.csv"], 1, "no such table of speakers"),
        (["{out}/films", "{out}/set", "--jobs", "0"], 2, "between 1 and"),
        (["{out}/films", "{out}/set", "--smooth", "much"], 2, "invalid choice"),
        (["{out}/films", "{out}/set", "--landmarker", "{out}/none.task"], 1, "no such file"),
        (["{out}/films"], 2, "OUT"),
    ],
)
def test_wrong_requests(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "text.mp4").write_text("not a video")
    assert run(["dataset", "build", *(word.format(out=tmp_path) for word in words)]) == code
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1
    assert not (tmp_path / "set").exists()


def test_real_clips(
    shared: Path,
    bundled_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("mediapipe", reason="needs mediapipe, which is not installed")
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(shared / "assets"))
    films, out = tmp_path / "films", tmp_path / "set"
    for person, clip in (("ann", "grid_sbia1a.mpg"), ("bob", "grid_bbaf2n.mpg")):
        (films / person).mkdir(parents=True)
        shutil.copy(shared / "clips" / clip, films / person)
    (films / "bob" / "broken.mp4").write_bytes(b"not a video")
    assert run(["dataset", "build", str(films), str(out), "--jobs", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["videos"], told["used"], told["clips"], told["speakers"]) == (3, 2, 2, 2)
    assert told["rejected"]["damaged"]["videos"] == 1
    assert 0 < told["work_seconds_per_video_second"] < 100
    clips = {clip.name: clip for clip in ShardReader(out).clips()}
    assert set(clips) == {"ann/grid_sbia1a-000", "bob/grid_bbaf2n-000"}
    for clip in clips.values():
        assert clip.motion.head == "anny" and clip.motion.fps == 25 and 2 <= clip.duration <= 3
        assert clip.motion.channel("jawOpen").std() > 0.01 and len(clip.identity) == 40
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    videos = {row["video"]: row for row in rows if row["kind"] == "video"}
    assert videos["bob/broken.mp4"]["reason"] == "damaged"
    assert videos["ann/grid_sbia1a.mpg"]["speaker"] == "ann"
    assert run(["dataset", "check", str(out)]) == 0
    assert run(["dataset", "build", str(films), str(out)]) == 2
    assert "already exists" in capsys.readouterr().err
