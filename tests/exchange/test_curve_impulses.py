"""One channel at a time, in every format of curves and joints: it arrives on the right side, with the right sign and unit."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.exchange import FORMATS, export
from diffposetalk.motion import Motion

TURN = 0.3
"""Radians that the head is turned by."""
IMPULSES = ("jawLeft", "mouthLeft", "eyeBlinkLeft", "eyeLookInLeft", "head_pitch", "head_yaw", "head_roll")
Read = Callable[[Path], dict[str, float]]


def impulse(name: str) -> Motion:
    """Rest, then one channel at full, or the head turned by 0.3 rad: down, to the left, toward the right shoulder."""
    expression, pose = np.zeros((2, 52)), np.zeros((2, 3))
    if name in INDEX:
        expression[1, INDEX[name]] = 1
    else:
        pose[1, ("head_pitch", "head_yaw", "head_roll").index(name)] = TURN
    return Motion(expression, CHANNELS, pose, 25.0)


def last_row(path: Path) -> dict[str, float]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: float(value) for name, value in rows[-1].items() if name and ":" not in value}


def parquet_row(path: Path) -> dict[str, float]:
    parquet = pytest.importorskip("pyarrow.parquet")
    return dict(parquet.read_table(path).to_pylist()[-1])


def a2f(path: Path) -> dict[str, float]:
    document = json.loads(path.read_text())
    turns = {
        f"{joint}_{axis}": v
        for joint, q in zip(document["joints"], document["rotations"][-1])
        for axis, v in zip("xyzw", q)
    }
    return dict(zip(document["facsNames"], document["weightMat"][-1])) | turns


def lam(path: Path) -> dict[str, float]:
    document = json.loads(path.read_text())
    return dict(zip(document["names"], document["frames"][-1]["weights"])) | dict(
        zip(("x", "y", "z", "w"), document["frames"][-1]["rotation"])
    )


def talkinghead(path: Path) -> dict[str, float]:
    return {name: curve[-1] for name, curve in json.loads(path.read_text())["vs"].items()}


def azure(path: Path) -> dict[str, float]:
    return dict(
        zip((*CHANNELS, "headRoll", "leftEyeRoll", "rightEyeRoll"), json.loads(path.read_text())["BlendShapes"][-1])
    )


def bvh(path: Path) -> dict[str, float]:
    """Where joints look and where their top points in the last frame, as a reader of BVH that is not ours works it out."""
    bvhio = pytest.importorskip("bvhio")
    root = bvhio.readAsHierarchy(str(path))
    numbers = {}
    for name in ("Head", "LeftEye"):
        joint = root.filter(name, isEqual=True)[0]
        root.loadPose(0)
        rest = joint.RotationWorld
        root.loadPose(1)
        turned = joint.RotationWorld * type(rest)(rest.w, -rest.x, -rest.y, -rest.z)  # its joints' axes lie along bones
        front, top = turned * (0, 0, 1), turned * (0, 1, 0)
        numbers |= {f"{name}_front_{axis}": value for axis, value in zip("xyz", front)}
        numbers |= {f"{name}_top_{axis}": value for axis, value in zip("xyz", top)}
    return numbers


def vrma(path: Path) -> dict[str, float]:
    """Expressions by the extension's own table; head and gaze as quaternions."""
    pygltflib = pytest.importorskip("pygltflib")
    file = pygltflib.GLTF2().load_binary(str(path))
    blob, extension = file.binary_blob(), file.extensions["VRMC_vrm_animation"]

    def last(node: int, what: str) -> list[float]:
        animation = file.animations[0]
        for channel in animation.channels:
            if (channel.target.node, channel.target.path) == (node, what):
                accessor = file.accessors[animation.samplers[channel.sampler].output]
                width = {"VEC3": 3, "VEC4": 4}[accessor.type]
                at = file.bufferViews[accessor.bufferView].byteOffset + 4 * width * (accessor.count - 1)
                return list(np.frombuffer(blob, "<f4", width, at))
        raise KeyError(what)

    curves = {name: at["node"] for group in extension["expressions"].values() for name, at in group.items()}
    result = {name: last(node, "translation")[0] for name, node in curves.items()}
    bones = extension["humanoid"]["humanBones"]
    for name, node in (
        ("neck", bones["neck"]["node"]),
        ("head", bones["head"]["node"]),
        ("gaze", extension["lookAt"]["node"]),
    ):
        result |= {f"{name}_{axis}": value for axis, value in zip("xyzw", last(node, "rotation"))}
    return result


def pascal(name: str) -> str:
    return name[0].upper() + name[1:]


S = float(np.sin(TURN / 2))
LOOK = 0.6
SAME = {name: {name: 1.0} for name in IMPULSES[:4]}
NOD = {f"head_{turn}": {f"head_{axis}": S} for turn, axis in zip(("pitch", "yaw", "roll"), "xyz")}
WANTED: dict[str, tuple[str, Read, dict[str, dict[str, float]]]] = {
    "livelink": (".csv", last_row, {
        **{name: {pascal(name): 1.0} for name in IMPULSES[:4]},
        "eyeLookInLeft": {"EyeLookInLeft": 1.0, "LeftEyeYaw": LOOK},
        "head_pitch": {"HeadPitch": TURN}, "head_yaw": {"HeadYaw": -TURN}, "head_roll": {"HeadRoll": -TURN},
    }),
    "nim": (".csv", last_row, {name: {f"blendShapes.{pascal(name)}": 1.0} for name in IMPULSES[:4]}),
    "table": (".csv", last_row, SAME | {
        f"head_{turn}": {f"head_{axis}": TURN} for turn, axis in zip(("pitch", "yaw", "roll"), "xyz")
    }),
    "parquet": (".parquet", parquet_row, SAME | {
        f"head_{turn}": {f"head_{axis}": TURN} for turn, axis in zip(("pitch", "yaw", "roll"), "xyz")
    }),
    "a2f": (".json", a2f, SAME | NOD | {"eyeLookInLeft": {"eyeLookInLeft": 1.0, "leftEye_y": -float(np.sin(LOOK / 2))}}),
    "lam": (".json", lam, SAME | {"head_pitch": {"x": S}, "head_yaw": {"y": S}, "head_roll": {"z": S}}),
    "talkinghead": (".json", talkinghead, SAME | {
        "head_pitch": {"headRotateX": TURN}, "head_yaw": {"headRotateY": TURN}, "head_roll": {"headRotateZ": TURN},
    }),
    "azure": (".json", azure, SAME | {"head_roll": {"headRoll": -TURN}}),
    "bvh": (".bvh", bvh, {
        "head_pitch": {"Head_front_y": -np.sin(TURN)}, "head_yaw": {"Head_front_x": np.sin(TURN)},
        "head_roll": {"Head_top_x": -np.sin(TURN)},
    }),
    "vrm": (".vrma", vrma, {
        "eyeBlinkLeft": {"blinkLeft": 1.0}, "eyeLookInLeft": {"gaze_y": -float(np.sin(LOOK / 4))},
        **{f"head_{turn}": {f"neck_{axis}": float(np.sin(0.2 * TURN)), f"head_{axis}": float(np.sin(0.3 * TURN))}
           for turn, axis in zip(("pitch", "yaw", "roll"), "xyz")},
    }),
    "perfectsync": (".vrma", vrma, {name: {pascal(name): 1.0} for name in IMPULSES[:4]}),
}  # fmt: skip
"""For each format: its ending, the reader of the last frame, and the numbers of each impulse."""


@pytest.mark.parametrize("format", WANTED)
@pytest.mark.parametrize("name", IMPULSES)
def test_impulses(tmp_path: Path, format: str, name: str) -> None:
    """The numbers of an impulse have their values, and the numbers of all other impulses are 0."""
    suffix, read, expected = WANTED[format]
    numbers = read(export(impulse(name), tmp_path / f"a{suffix}", format).path)
    here = expected.get(name, {})
    for key, value in here.items():
        assert numbers[key] == pytest.approx(value, abs=2e-3), key
    others: set[str] = {key for other, keys in expected.items() if other != name for key in keys} - set(here)
    assert {key: numbers[key] for key in others if abs(numbers[key]) > 2e-3} == {}


def test_gaze_turns_the_eyes_of_a_skeleton(tmp_path: Path) -> None:
    numbers = bvh(export(impulse("eyeLookInLeft"), tmp_path / "a.bvh").path)
    assert numbers["LeftEye_front_x"] < -0.2 and abs(numbers["LeftEye_front_y"]) < 0.1


def test_nothing_is_forgotten() -> None:
    """Every row that keeps curves or joints has its numbers above; shapes and scenes have tests of their own."""
    elsewhere = {"motion", "visemes", "talkinghead-visemes", "rhubarb", "rhubarb-json", "rhubarb-xml", "rhubarb-dat",
                 "glb", "usd", "pc2", "obj", "ply"}  # fmt: skip
    assert {name for name, row in FORMATS.items() if row.writer} - elsewhere == set(WANTED)


def test_a_skeleton_is_that_of_the_head(tmp_path: Path, motion: Any) -> None:
    bvhio = pytest.importorskip("bvhio")
    from diffposetalk.head import load_head

    path = export(motion, tmp_path / "a.bvh").path
    read = bvhio.readAsBvh(str(path))
    assert read.FrameCount == 50 and read.FrameTime == pytest.approx(0.04)
    root = bvhio.readAsHierarchy(str(path))
    root.loadPose(0)  # at rest
    for name, place in zip(("Neck", "Head", "LeftEye", "RightEye"), load_head("anny").data["joints"]):  # type: ignore[attr-defined]
        position = np.array(root.filter(name, isEqual=True)[0].PositionWorld)
        assert np.abs(position - 100 * place).max() < 0.01
