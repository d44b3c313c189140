"""Building a corpus: determinism, resuming, atomic files, remaking motion, clear refusals."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.motion import Motion
from diffposetalk.speech.transcript.phones import Phone, check_phones
from diffposetalk.workshop.corpus import build, shards
from diffposetalk.workshop.corpus.voices import list_voices

pytest.importorskip("espeakng_loader", reason="espeakng-loader comes with the train extra")

TINY = 0.025  # hours
N = 4  # speakers of 2 clips each


def espeak_voices():
    return [voice for voice in list_voices() if voice.engine == "espeak"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "c"
    report = build.build_corpus(folder, TINY, seed=3, jobs=2, clips_per_speaker=2, voices=espeak_voices())
    return folder, report


def test_clips_are_whole(corpus):
    folder, report = corpus
    assert report.failed == () and report.speakers == N and report.clips == 2 * N
    for clip in shards.iter_clips(folder):
        assert 8.9 <= clip.duration <= 20.1
        check_phones(clip.phones, clip.duration)
        assert clip.phones[-1].end == pytest.approx(clip.duration, abs=1e-3)
        assert {"sil"} < {p.symbol for p in clip.phones}
        assert clip.motion is not None and clip.manner is not None
        assert clip.motion.duration == pytest.approx(clip.duration, abs=0.05)
        assert clip.motion.expression.min() >= 0 and clip.motion.expression.max() <= 1
        assert np.abs(clip.speech.samples).max() <= 1
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == N and all(row["motion"] for row in rows)
    manners = {tuple(shards.load_shard(folder, s)[0].manner) for s in shards.list_speakers(folder)}
    assert len(manners) == N


def test_same_bytes_for_any_number_of_jobs(corpus, tmp_path):
    folder, _ = corpus
    build.build_corpus(tmp_path / "c", TINY, seed=3, jobs=1, clips_per_speaker=2, voices=espeak_voices())
    assert contents(tmp_path / "c") == contents(folder)


def test_finished_files_are_not_made_again_and_missing_ones_are(corpus):
    folder, _ = corpus
    before = contents(folder)
    again = build.build_corpus(folder, TINY, seed=3, clips_per_speaker=2, voices=espeak_voices())
    assert again.made == 0
    shards.speech_path(folder, "s00001").unlink()
    shards.motion_path(folder, "s00002").unlink()
    report = build.build_corpus(folder, TINY, seed=3, clips_per_speaker=2, voices=espeak_voices())
    assert report.made == 2
    assert contents(folder) == before


def test_remotion_leaves_speech_alone(corpus):
    folder, _ = corpus
    before = contents(folder)
    times = {p: p.stat().st_mtime_ns for p in (folder / "speech").iterdir()}
    report = build.build_corpus(folder, TINY, remotion=True)
    assert report.made == N
    assert {p: p.stat().st_mtime_ns for p in (folder / "speech").iterdir()} == times
    assert contents(folder) == before


def test_killed_and_resumed_equals_uninterrupted(corpus, tmp_path):
    folder, _ = corpus
    script = tmp_path / "run.py"
    script.write_text(
        "from diffposetalk.workshop.corpus.build import build_corpus\n"
        "from diffposetalk.workshop.corpus.voices import list_voices\n"
        "if __name__ == '__main__':\n"
        f"    build_corpus({str(tmp_path / 'c')!r}, {TINY}, seed=3, jobs=1, clips_per_speaker=2,\n"
        "                 voices=[v for v in list_voices() if v.engine == 'espeak'])\n"
    )
    process = subprocess.Popen([sys.executable, script], env=os.environ, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("c/speech/s*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for path in tmp_path.glob("c/*/s*.safetensors"):
        shards._read(path, path.parent.name)  # whatever has its final name is complete
    build.build_corpus(tmp_path / "c", TINY, seed=3, jobs=2, clips_per_speaker=2, voices=espeak_voices())
    assert contents(tmp_path / "c") == contents(folder)


def test_longer_corpus_begins_with_the_shorter():
    voices = espeak_voices()
    short, long = build.plan_speakers(0.1, 1, 4, voices), build.plan_speakers(1.0, 1, 4, voices)
    assert long[: len(short)] == short
    assert build.plan_speakers(0.1, 2, 4, voices) != short


def test_refusals(corpus, tmp_path):
    folder, _ = corpus
    voices = espeak_voices()
    with pytest.raises(InputError, match="made with seed=3, not 4"):
        build.build_corpus(folder, TINY, seed=4, clips_per_speaker=2, voices=voices)
    for hours in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="hours must lie"):
            build.build_corpus(tmp_path / "c", hours)
    with pytest.raises(UsageError, match="does not exist"):
        build.build_corpus(tmp_path / "no" / "c", TINY)
    with pytest.raises(UsageError, match="jobs"):
        build.build_corpus(tmp_path / "c", TINY, jobs=0)
    with pytest.raises(UsageError, match="two clips"):
        build.build_corpus(tmp_path / "c", TINY, clips_per_speaker=1)
    with pytest.raises(DiffPoseTalkError, match="no speech engine"):
        build.build_corpus(tmp_path / "c", TINY, voices=[])
    with pytest.raises(InputError, match="no corpus here"):
        shards.list_speakers(tmp_path)


def shard_of(folder: Path) -> shards.SpeakerInfo:
    info = shards.SpeakerInfo("s00000", "espeak:en-us:", "en", (1.0, 1.0, 0.0), 1.0, 1.0)
    (folder / "speech").mkdir(exist_ok=True)
    (folder / "motion").mkdir(exist_ok=True)
    shards.save_speech(folder, info, [(np.zeros(1600, np.float32), [Phone("sil", 0.0, 0.1)], "Hm.")])
    return info


def test_shard_round_trip(tmp_path):
    info = shard_of(tmp_path)
    (clip,) = shards.load_shard(tmp_path, "s00000")
    assert clip.speaker == info and clip.text == "Hm." and clip.motion is None and clip.manner is None
    motion = Motion(np.full((3, 2), 0.25, np.float32), ("a", "b"), np.zeros((3, 3), np.float32), 25.0)
    shards.save_motion(tmp_path, "s00000", np.arange(4.0), [motion])
    (clip,) = shards.load_shard(tmp_path, "s00000")
    np.testing.assert_array_equal(clip.motion.expression, motion.expression)
    assert clip.motion.expression_names == ("a", "b") and clip.motion.fps == 25.0
    np.testing.assert_array_equal(clip.manner, np.arange(4, dtype=np.float32))


def test_broken_shards_are_named(tmp_path):
    shard_of(tmp_path)
    path = shards.speech_path(tmp_path, "s00000")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"s00000\.safetensors: not a readable speech shard"):
        shards.load_shard(tmp_path, "s00000")
    path.write_bytes(whole)
    shards.motion_path(tmp_path, "s00000").write_bytes(whole)
    with pytest.raises(InputError, match="not a motion shard"):
        shards.load_shard(tmp_path, "s00000")
    with pytest.raises(InputError, match="no such speech shard"):
        shards.load_shard(tmp_path, "s00009")


def test_children_are_gone_afterwards(corpus):
    assert not multiprocessing.active_children()


def test_progress_and_failures_are_told_by_speaker(tmp_path, caplog):
    steps = []
    tasks = {"s00000": (str(tmp_path),), "s00001": (str(tmp_path / "missing"),)}
    made, failed = build._run("moving", os.listdir, tasks, 3, 1, lambda *step: steps.append(step))
    assert (made, failed) == (["s00000"], ["s00001"])
    assert steps == [(1, 3, "moving"), (2, 3, "moving"), (3, 3, "moving")]
    (record,) = caplog.records
    assert record.getMessage().startswith("s00001: FileNotFoundError: ")
