"""Curve formats: what is written follows the formats' published layouts, and what is read back is what was written."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange import FORMATS, ExportOptions, Scene, export, format_of, load_motion
from diffposetalk.exchange.curves.livelink import timecode
from diffposetalk.motion import Motion
from diffposetalk.speech import SpeechFile

LOSS = 1e-3


@pytest.fixture(scope="module")
def lively() -> Motion:
    """A hundred frames in which everything moves smoothly, the eyes too."""
    rng = np.random.default_rng(5)
    time = np.arange(100) / 25
    waves = 0.5 + 0.45 * np.sin(time[:, None] * rng.uniform(1, 9, 52) + rng.uniform(0, 6, 52))
    turns = 0.4 * np.sin(time[:, None] * rng.uniform(1, 4, 9) + rng.uniform(0, 6, 9))
    return Motion(waves, CHANNELS, turns[:, :3], 25.0, "anny", eye_pose=turns[:, 3:])


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", [row.name for row in FORMATS.values() if row.reader])
@pytest.mark.parametrize("fps", [25.0, 30.0, 24000 / 1001, 60.0])
def test_round_trips(tmp_path: Path, lively: Motion, name: str, fps: float) -> None:
    row = FORMATS[name]
    before = replace(lively, fps=fps)
    again = load_motion(export(before, tmp_path / f"a{row.suffixes[0]}", name).path)
    assert again.fps == pytest.approx(fps, rel=1e-5)
    assert set(again.expression_names) == set(CHANNELS)
    for channel in CHANNELS:
        assert np.abs(again.channel(channel) - before.channel(channel)).max() < LOSS
    if FORMATS[name].head_rotation:
        assert np.abs(again.head_pose - before.head_pose).max() < LOSS
    if name in ("motion", "livelink", "table", "parquet"):
        assert again.eye_pose is not None and before.eye_pose is not None
        assert np.abs(again.eye_pose - before.eye_pose).max() < LOSS


@pytest.mark.parametrize("name", ["table", "parquet"])
def test_tables_hold_flame_too(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(2)
    names = tuple(f"exp_{i:02d}" for i in range(50))
    motion = Motion(rng.normal(size=(9, 50)), names, rng.normal(size=(9, 3)), 25.0, "flame", rng.normal(size=(9, 3)))
    again = load_motion(export(motion, tmp_path / f"a{FORMATS[name].suffixes[0]}", name).path)
    assert (again.head, again.expression_names, again.fps) == ("flame", names, 25.0)
    assert np.array_equal(again.expression, motion.expression)
    assert again.jaw_pose is not None and np.array_equal(again.jaw_pose, motion.jaw_pose)


def test_live_link_face(tmp_path: Path, lively: Motion) -> None:
    rows = rows_of(export(lively, tmp_path / "Slate_1_Me.csv").path)
    header = rows[0]
    assert header[:2] == ["Timecode", "BlendShapeCount"] and len(header) == 63
    assert header[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert header[22:25] == ["MouthPucker", "MouthRight", "MouthLeft"]
    assert header[-9:-6] == ["HeadYaw", "HeadPitch", "HeadRoll"] and header[-1] == "RightEyeRoll"
    assert all(len(row) == 63 and "" not in row and row[1] == "61" for row in rows[1:])
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d:[0-5]\d\.\d{3}", row[0]) for row in rows[1:])
    assert [row[0] for row in rows[1:4]] == ["00:00:00:00.000", "00:00:00:02.400", "00:00:00:04.800"]
    assert re.fullmatch(r"-?\d\.\d{10}", rows[5][7])
    taken = np.array([row[header.index("JawLeft")] for row in rows[1:]], float)
    assert np.abs(taken - lively.channel("jawLeft")).max() < 1e-6


def test_the_header_of_live_link_face_is_that_of_a_take(tmp_path: Path, lively: Motion, shared: Path) -> None:
    take = rows_of(shared / "livelink" / "facial.csv")
    assert rows_of(export(lively, tmp_path / "a.csv").path)[0] == take[0]


@pytest.mark.parametrize("unit", ["rad", "deg", "norm180"])
def test_units_of_the_head(tmp_path: Path, unit: Any) -> None:
    motion = Motion(np.zeros((2, 52)), CHANNELS, np.array([[0, 0, 0], [0, 0.5, 0]]), 25.0)
    rows = rows_of(export(motion, tmp_path / "a.csv", scene=Scene(options=ExportOptions(head_unit=unit))).path)
    expected = {"rad": -0.5, "deg": -np.rad2deg(0.5), "norm180": -np.rad2deg(0.5) / 180}[unit]
    assert float(rows[2][rows[0].index("HeadYaw")]) == pytest.approx(expected, abs=1e-6)


def test_timecodes() -> None:
    assert timecode(25 * 3661, 25) == "01:01:01:00.000"
    assert timecode(1, 60) == "00:00:00:01.000"
    assert timecode(29, 30) == "00:00:00:58.000"
    assert timecode(25 * 86400, 25) == "00:00:00:00.000"


@pytest.mark.parametrize("take", ["apfel", "facial"])
def test_real_takes_come_back_column_by_column(tmp_path: Path, shared: Path, take: str) -> None:
    """All 63 columns of the app's own rows, the frames in which it lost the face filled in between."""
    source = shared / "livelink" / f"{take}.csv"
    motion = load_motion(source)
    assert motion.fps == 30
    again = rows_of(export(motion, tmp_path / "a.csv", scene=Scene(options=ExportOptions(clamp=False))).path)
    before = rows_of(source)
    assert before[0] == again[0]

    def seconds(code: str) -> float:
        hours, minutes, seconds, sixtieths = map(float, code.split(":"))
        return hours * 3600 + minutes * 60 + seconds + sixtieths / 60

    start = seconds(before[1][0])
    tracked = [row for row in before[1:] if row[1] != "0"]
    at = [round((seconds(row[0]) - start) * 30) for row in tracked]
    theirs = np.array([row[2:] for row in tracked], float)
    ours = np.array([again[1 + i][2:] for i in at], float)
    assert np.abs(theirs - ours).max() < 1e-6
    assert len(again) - 1 == at[-1] + 1 >= len(tracked)


def test_the_eyes_of_real_takes_are_where_their_channels_say(shared: Path) -> None:
    """What the signs and `GAZE_RAD` were measured on."""
    from diffposetalk.exchange.angles import gaze_of

    motion = load_motion(shared / "livelink" / "facial.csv")
    recorded, by_channels = gaze_of(motion), gaze_of(replace(motion, eye_pose=None))
    for eye in range(2):
        for angle in range(2):
            a, b = recorded[:, eye, angle], by_channels[:, eye, angle]
            assert np.corrcoef(a, b)[0, 1] > 0.98
            assert np.polyfit(b, a, 1)[0] == pytest.approx(1, abs=0.05)
        assert np.corrcoef(recorded[:, eye, 2], by_channels[:, eye, 2])[0, 1] > 0.9


def test_audio2face(tmp_path: Path, lively: Motion, sample_path: Path) -> None:
    path = export(lively, tmp_path / "a_a2f.json", scene=Scene(speech=SpeechFile(sample_path))).path
    document = json.loads(path.read_text())
    assert list(document)[:6] == ["exportFps", "trackPath", "numPoses", "numFrames", "facsNames", "weightMat"]
    assert document["exportFps"] == 25 and document["trackPath"] == "sample.flac"
    assert document["numPoses"] == 52 == len(document["facsNames"]) and document["numFrames"] == 100
    assert np.array(document["weightMat"]).shape == (100, 52)
    assert document["facsNames"][0] == "eyeBlinkLeft"
    assert np.array(document["rotations"]).shape == (100, len(document["joints"]), 4)
    assert np.array(document["translations"]).shape == (100, len(document["joints"]), 3)


def test_nim(tmp_path: Path, lively: Motion) -> None:
    rows = rows_of(export(lively, tmp_path / "animation_frames_nim.csv").path)
    assert rows[0][:3] == ["", "timeCode", "blendShapes.EyeBlinkLeft"]
    assert len(rows[0]) == 2 + 52 + 16 and rows[0][-1] == "blendShapes.TongueNarrow"
    assert [row[0] for row in rows[1:3]] == ["0", "1"] and float(rows[2][1]) == pytest.approx(0.04)


def test_lam(tmp_path: Path, lively: Motion) -> None:
    document = json.loads(export(lively, tmp_path / "a_lam.json").path.read_text())
    assert len(document["names"]) == 52 and document["metadata"]["blendshape_names"] == document["names"]
    assert document["metadata"]["fps"] == 25 and document["metadata"]["frame_count"] == 100
    frame = document["frames"][5]
    assert set(frame) == {"weights", "time", "rotation"} and len(frame["weights"]) == 52
    assert frame["time"] == pytest.approx(0.2)


def test_beat_is_read(tmp_path: Path) -> None:
    """51 channels, no tongue, no rotation, 60 frames a second."""
    names = [name for name in CHANNELS if name != "tongueOut"]
    frames = [{"weights": [i / 100] * 51, "time": i / 60, "rotation": []} for i in range(5)]
    (tmp_path / "b.json").write_text(json.dumps({"names": names, "frames": frames}))
    motion = load_motion(tmp_path / "b.json")
    assert motion.fps == 60 and motion.expression.shape == (5, 52)
    assert motion.channel("jawOpen")[4] == pytest.approx(0.04) and not motion.channel("tongueOut").any()


@pytest.mark.parametrize("visemes", [False, True])
def test_talking_head(tmp_path: Path, lively: Motion, visemes: bool) -> None:
    name = "a_talkinghead_visemes.json" if visemes else "a_talkinghead.json"
    document = json.loads(export(replace(lively, fps=30.0), tmp_path / name).path.read_text())
    assert document["name"] == "blendshapes"
    assert set(document["dt"]) == {33, 34} and sum(document["dt"]) == pytest.approx(100_000 / 30, abs=1)
    assert all(len(curve) == 100 for curve in document["vs"].values())
    assert {"headRotateX", "headRotateY", "headRotateZ", "eyeBlinkLeft"} <= set(document["vs"])
    assert ("viseme_aa" in document["vs"]) == visemes == ("jawOpen" not in document["vs"])


def test_azure(tmp_path: Path, lively: Motion) -> None:
    done = export(lively, tmp_path / "a_azure.json")
    document = json.loads(done.path.read_text())
    assert set(document) == {"FrameIndex", "BlendShapes"} and done.fps == 60
    rows = np.array(document["BlendShapes"])
    assert rows.shape == (240, 55)
    assert rows[12, CHANNELS.index("jawOpen")] == pytest.approx(float(lively.channel("jawOpen")[5]), abs=1e-5)


def test_oculus_visemes(tmp_path: Path) -> None:
    weights = np.zeros((20, 52))
    weights[5:10, CHANNELS.index("jawOpen")] = 0.6
    weights[12:17, CHANNELS.index("mouthPucker")] = 0.9
    motion = Motion(weights, CHANNELS, np.zeros((20, 3)), 25.0)
    document = json.loads(export(motion, tmp_path / "a_visemes.json").path.read_text())
    assert document["visemes"] == [
        "sil",
        "PP",
        "FF",
        "TH",
        "DD",
        "kk",
        "CH",
        "SS",
        "nn",
        "RR",
        "aa",
        "E",
        "ih",
        "oh",
        "ou",
    ]
    assert document["morphTargets"][12:] == ["viseme_I", "viseme_O", "viseme_U"]
    frames = np.array(document["frames"])
    assert frames.shape == (20, 15) and frames.min() >= 0 and frames.max() <= 1
    assert document["visemes"][int(frames[7].argmax())] == "aa"
    assert document["visemes"][int(frames[14].argmax())] == "ou"
    assert document["visemes"][int(frames[0].argmax())] == "sil"


@pytest.fixture(scope="module")
def mouth() -> Motion:
    """Rest, wide open, lips together for 0.12 s, open, round, rest."""
    weights = np.zeros((75, 52))
    for first, last, channel, value in (
        (15, 25, "jawOpen", 0.6), (28, 38, "jawOpen", 0.25), (38, 50, "mouthPucker", 0.8), (38, 50, "jawOpen", 0.1),
    ):  # fmt: skip
        weights[first:last, CHANNELS.index(channel)] = value
    return Motion(weights, CHANNELS, np.zeros((75, 3)), 25.0)


def test_rhubarb_tsv(tmp_path: Path, mouth: Motion) -> None:
    lines = [line.split("\t") for line in export(mouth, tmp_path / "a.tsv").path.read_text().splitlines()]
    assert all(re.fullmatch(r"\d+\.\d\d", time) and shape in "ABCDEFGHX" for time, shape in lines)
    times = [float(time) for time, _ in lines]
    assert times[0] == 0 and times[-1] == 3.0 and times == sorted(times) and lines[-1][1] == "X"
    assert [shape for _, shape in lines[:-1]] == ["X", "D", "A", "C", "F", "X"]
    assert times[:-1] == [0, 0.6, 1.0, 1.12, 1.52, 2.0]


def test_rhubarb_json_and_xml_say_the_same(tmp_path: Path, mouth: Motion, sample_path: Path) -> None:
    scene = Scene(speech=SpeechFile(sample_path))
    document = json.loads(export(mouth, tmp_path / "a_rhubarb.json", scene=scene).path.read_text())
    assert document["metadata"] == {"soundFile": "sample.flac", "duration": 3.0}
    root = ElementTree.parse(export(mouth, tmp_path / "a.xml", scene=scene).path).getroot()
    assert root.tag == "rhubarbResult"
    assert (root.findtext("metadata/soundFile"), root.findtext("metadata/duration")) == ("sample.flac", "3.00")
    cues = [(float(cue.get("start", "")), float(cue.get("end", "")), cue.text) for cue in root.iter("mouthCue")]
    assert cues == [(cue["start"], cue["end"], cue["value"]) for cue in document["mouthCues"]]
    assert [end for _, end, _ in cues[:-1]] == [start for start, _, _ in cues[1:]]


def test_rhubarb_dat(tmp_path: Path, mouth: Motion) -> None:
    lines = export(mouth, tmp_path / "a.dat").path.read_text().splitlines()
    assert lines == ["MohoSwitch1", "1 rest", "16 AI", "26 MBP", "29 E", "39 U", "51 rest", "76 MBP"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("a.csv", "livelink"), ("a_nim.csv", "nim"), ("a-table.csv", "table"), ("Me_2_cal.csv", "livelink"),
        ("a.json", "a2f"), ("a_a2f.json", "a2f"), ("a.lam.json", "lam"), ("beat.json", "lam"), ("a_azure.JSON", "azure"),
        ("a_talkinghead_visemes.json", "talkinghead-visemes"), ("a_visemes.json", "visemes"), ("a.vrma", "vrm"),
        ("a_perfectsync.vrma", "perfectsync"), ("a_rhubarb.json", "rhubarb-json"), ("a.glb", "glb"),
    ],
)  # fmt: skip
def test_names_tell_the_format(name: str, meant: str) -> None:
    assert format_of(name).name == meant


def test_columns_are_read_by_name(tmp_path: Path, lively: Motion) -> None:
    """The other order of left and right, columns that other programs add, other cases."""
    rows = rows_of(export(lively, tmp_path / "a.csv").path)
    order = [0, 1, *np.random.default_rng(1).permutation(np.arange(2, 63))]
    shuffled = [[row[i] for i in order] + ["7"] for row in rows]
    shuffled[0] = [*(name[:1].lower() + name[1:] if "Eye" not in name else name for name in shuffled[0][:-1]), "Mine"]
    shuffled[0][:2] = ["Timecode", "BlendShapeCount"]
    heads = [i for i, name in enumerate(shuffled[0]) if name.startswith("head")]
    for i in heads:
        shuffled[0][i] = shuffled[0][i][:1].upper() + shuffled[0][i][1:]
    with (tmp_path / "b.csv").open("w", newline="") as file:
        csv.writer(file).writerows(shuffled)
    again, before = load_motion(tmp_path / "b.csv"), load_motion(tmp_path / "a.csv")
    assert np.array_equal(again.expression, before.expression)
    assert np.array_equal(again.head_pose, before.head_pose)


def test_midnight_and_holes(tmp_path: Path) -> None:
    lines = ["Timecode,BlendShapeCount,JawOpen", "23:59:59:56.000,1,0.1", "23:59:59:58.000,1,0.2",
             "00:00:00:00.000,1,0.3", "00:00:00:02.000,0", "00:00:00:04.000,1,0.5", "00:00:00:06.000,1,0.6"]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    motion = load_motion(tmp_path / "a.csv")
    assert motion.fps == 30
    assert motion.channel("jawOpen") == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
