"""A build of videos, with cutting faked: the same result whatever happens on the way, and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from diffposetalk.data.check import check
from diffposetalk.data.shards import ShardReader
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.parallel import OnRay, Processes, Result, Unable
from diffposetalk.workshop.footage import staging
from diffposetalk.workshop.footage.build import BuildOptions, Built, build
from diffposetalk.workshop.footage.options import CutOptions

VIDEOS = {
    "ann/one.mp4": "2 clips",
    "ann/two.mp4": "1 clip",
    "bob/one.mp4": "1 clip, slow",
    "bob/three.mov": "no face",
    "cem/long.mkv": "3 clips",
    "dot/one.mp4": "1 clip",
}
Make = Callable[..., Path]


@pytest.fixture
def films(tmp_path: Path) -> Make:
    def make(words: dict[str, str] | None = None, **more: str) -> Path:
        for name, text in {**(VIDEOS if words is None else words), **more}.items():
            path = tmp_path / "films" / name.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text} # {name}")
        return tmp_path / "films"

    return make


def made(fake: ModuleType, films: Path, out: Path, executor: Any = None, **named: Any) -> Built:
    return build(
        [films], out, executor or Processes(2), function=fake.cut_to_bytes, prepare=lambda options: None, **named
    )


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def calls(films: Path) -> dict[str, int]:
    notes = films.with_name("notes")
    return {path.name: len(path.read_text().splitlines()) for path in sorted(notes.glob("*"))}


def test_what_is_built(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    built = made(fake, films(), tmp_path / "out", progress=lambda *each: told.append(each))
    assert (built.videos, built.used, built.clips, built.speakers) == (6, 5, 8, 4)
    assert built.hours == pytest.approx(16 / 3600)
    assert built.rejected == {"no face": {"videos": 1, "stretches": 0, "seconds": 4.0}}
    assert (6, 6, "cutting") in told and told[-1] == (8, 8, "writing")
    found = check(tmp_path / "out")
    assert not found.problems
    assert {name: split["speakers"] for name, split in found.facts["splits"].items()} == {
        "train": 2, "val": 1, "test": 1,
    }  # fmt: skip
    clips = list(ShardReader(tmp_path / "out").clips())
    assert {clip.name for clip in clips} >= {"ann/one-000", "ann/one-001", "ann/two-000", "cem/long-002"}
    assert all(clip.name.startswith(f"{clip.speaker}/") for clip in clips)
    rows = manifest(tmp_path / "out")
    assert [row["video"] for row in rows if row["kind"] == "video"] == sorted(VIDEOS)
    assert {row["clip"] for row in rows if row["kind"] == "clip"} == {clip.name for clip in clips}
    (no_face,) = (row for row in rows if row["status"] == "rejected")
    assert (no_face["video"], no_face["reason"], no_face["why"]) == ("bob/three.mov", "no face", "no face is seen")
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    train = [clip for clip in clips if clip.name in set(_names(tmp_path / "out", "train"))]
    assert statistics["frames"] == 50 * len(train)
    first = [clip.motion.channel("jawOpen") for clip in train]
    assert statistics["channels"]["jawOpen"]["max"] == pytest.approx(max(each.max() for each in first), abs=1e-6)
    assert set(statistics["channels"]["head_y"]) == {"mean", "std", "min", "max"}
    assert not list(tmp_path.glob("out.work")) and not list(tmp_path.glob(".out*"))


def _names(folder: Path, split: str) -> list[str]:
    return [clip.name for clip in ShardReader(folder).clips(split)]


def test_the_same_bytes_whatever_the_executor(fake: ModuleType, films: Make, tmp_path: Path, on_ray: OnRay) -> None:
    folder = films()
    for name, executor in {"one": Processes(1), "four": Processes(4), "ray": on_ray}.items():
        made(fake, folder, tmp_path / name, executor)
    assert content(tmp_path / "one") == content(tmp_path / "four") == content(tmp_path / "ray")
    assert set(calls(folder).values()) == {3}


def test_a_killed_worker_changes_nothing(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    words = {**VIDEOS, "cem/long.mkv": "3 clips, dies once"}
    built = made(fake, films(words), tmp_path / "killed")
    assert not built.failures and calls(tmp_path / "films")["cem_long.mkv"] == 2
    made(fake, tmp_path / "films", tmp_path / "whole", Processes(1))
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_video_that_kills_is_left_out_and_tried_again_later(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    built = made(fake, films(bad__mp4="dies", worse__mp4="fails"), tmp_path / "out")
    assert built.clips == 8 and len(built.failures) == 2
    told = {row["video"]: row for row in manifest(tmp_path / "out") if row["kind"] == "video"}
    assert told["bad.mp4"]["reason"] == "worker died" and "two workers died" in told["bad.mp4"]["why"]
    assert (
        told["worse.mp4"]["reason"] == "defect" and "ZeroDivisionError: of our own making" in told["worse.mp4"]["why"]
    )
    again = made(fake, tmp_path / "films", tmp_path / "again", options=BuildOptions(work=tmp_path / "out.work"))
    assert again.resumed == 6
    assert calls(tmp_path / "films") == {
        "ann_one.mp4": 1, "ann_two.mp4": 1, "bad.mp4": 4, "bob_one.mp4": 1, "bob_three.mov": 1, "cem_long.mkv": 1,
        "dot_one.mp4": 1, "worse.mp4": 2,
    }  # fmt: skip


def run_aside(films: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start a build of one worker in a process group of its own."""
    here = Path(__file__).parent
    code = (
        f"import sys; sys.path.insert(0, {str(here)!r})\n"
        "import fake_cutting\n"
        "from diffposetalk.workshop.footage.build import build\n"
        "from diffposetalk.parallel import Processes\n"
        f"build([{str(films)!r}], {str(out)!r}, Processes(1), function=fake_cutting.cut_to_bytes, "
        "prepare=lambda options: None)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{process}/stat").read_text().split(")")[1].split()[0] == "Z"


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_build_goes_on(blow: signal.Signals, fake: ModuleType, films: Make, tmp_path: Path) -> None:
    words = {f"s{k}/video{k}.mp4": "1 clip, stuck once" if k == 3 else "1 clip" for k in range(8)}
    folder, out = films(words), tmp_path / "out"
    running = run_aside(folder, out)
    wait_for(lambda: len(list((tmp_path / "out.work").glob("*.tar"))) >= 3)
    os.kill(running.pid, blow)
    running.wait()
    started = calls(folder)
    worker = int((tmp_path / "notes" / sorted(started)[0]).read_text().split()[0])
    wait_for(lambda: gone(worker))
    finished = len(list((tmp_path / "out.work").glob("*.tar")))
    assert finished == 3 and not out.exists()
    built = made(fake, folder, out)
    assert built.resumed == finished and built.clips == 8
    assert sum(calls(folder).values()) <= 8 + 1, "only the video that was being read is read twice"
    made(fake, folder, tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


def test_other_options_and_damaged_work_are_not_gone_on_from(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    folder, work = films(), BuildOptions(work=tmp_path / "work")
    first = made(fake, folder, tmp_path / "first", options=work)
    assert first.resumed == 0
    entry = sorted((tmp_path / "work").glob("*.tar"))[0]
    entry.write_bytes(entry.read_bytes()[:1000])
    assert made(fake, folder, tmp_path / "second", options=work).resumed == 5
    assert made(fake, folder, tmp_path / "third", options=work, cutting=CutOptions(shortest_s=3)).resumed == 0
    assert made(fake, folder, tmp_path / "fourth", options=work).resumed == 6
    assert content(tmp_path / "first") == content(tmp_path / "second") == content(tmp_path / "fourth")
    assert content(tmp_path / "third") != content(tmp_path / "first")
    (folder / "dot" / "one.mp4").write_text("2 clips now")
    assert made(fake, folder, tmp_path / "fifth", options=work).clips == 9


def test_the_same_file_twice_is_used_once(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    folder = films()
    (folder / "eve").mkdir()
    (folder / "eve" / "copy.mp4").write_bytes((folder / "ann" / "one.mp4").read_bytes())
    built = made(fake, folder, tmp_path / "out")
    assert built.clips == 8 and built.rejected["duplicate"]["videos"] == 1
    (row,) = (row for row in manifest(tmp_path / "out") if row.get("reason") == "duplicate")
    assert (row["video"], row["why"]) == ("eve/copy.mp4", "the same file as ann/one.mp4")


def test_nothing_usable(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    folder = films({"a.mp4": "", "b.mp4": ""})
    with pytest.raises(InputError, match=r"2 videos gave not one clip; .*manifest\.jsonl says why"):
        made(fake, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [row["reason"] for row in manifest(tmp_path / "out.work")] == ["no face", "no face"]


def test_wrong_requests(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    folder = films()
    with pytest.raises(UsageError, match="already exists"):
        made(fake, folder, folder / "ann")
    with pytest.raises(UsageError, match="leave nothing to train on"):
        made(fake, folder, tmp_path / "out", options=BuildOptions(val=0.6, test=0.4))
    with pytest.raises(InputError, match="no such file or folder"):
        made(fake, tmp_path / "absent", tmp_path / "out")
    for wrong in ({"shortest_s": 0.1}, {"shortest_s": 11.0}, {"longest_s": 90.0}, {"least_coverage": 2.0}):
        with pytest.raises(UsageError):
            CutOptions(**wrong)
    assert calls(folder) == {}


def test_videos_are_not_blamed_for_what_is_missing_here(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    def missing(options: CutOptions) -> None:
        raise InputError("finding faces in video needs MediaPipe")

    with pytest.raises(InputError, match="needs MediaPipe"):
        build([films()], tmp_path / "out", Processes(1), function=fake.cut_to_bytes, prepare=missing)
    assert calls(tmp_path / "films") == {} and not (tmp_path / "out.work").exists()


def test_a_machine_that_lacks_something_ends_the_build(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    with pytest.raises(DiffPoseTalkError, match=r"this machine has no face_landmarker\.task"):
        made(fake, films(zed__mp4="unable"), tmp_path / "out", Processes(1))
    assert len(list((tmp_path / "out.work").glob("*.tar"))) == 6 and not (tmp_path / "out").exists()


def test_a_worker_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_text("a")
    monkeypatch.setattr(staging, "check_installed", lambda options: None)
    options = CutOptions(pause_s=1.25)  # others may have been found ready in this process
    with pytest.raises(Unable, match=r"b\.mp4: is not there on .*the same path"):
        staging.cut_to_bytes(str(tmp_path / "b.mp4"), options)
    (found,) = staging.decode_cut(staging.cut_to_bytes(str(tmp_path / "a.mp4"), options), "a").findings
    assert found.reason == "damaged"
    with pytest.raises(Unable, match=r"none\.task: no such file"):
        monkeypatch.undo()
        staging.cut_to_bytes(str(tmp_path / "a.mp4"), CutOptions(landmarker=str(tmp_path / "none.task")))


def test_results_may_come_in_any_order(fake: ModuleType, films: Make, tmp_path: Path) -> None:
    class Backwards:
        def results(self, function: Any, tasks: Any) -> Any:
            for name in sorted(tasks, reverse=True):
                yield Result(name, function(*tasks[name]))

    folder = films()
    made(fake, folder, tmp_path / "forth")
    made(fake, folder, tmp_path / "back", Backwards())
    assert content(tmp_path / "forth") == content(tmp_path / "back")
