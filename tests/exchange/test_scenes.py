"""GLB, USD and baked meshes, read back by software that is not ours and held against the head's own vertices."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange import ExportOptions, Scene, export
from diffposetalk.exchange.scenes.look import parts_of
from diffposetalk.exchange.scenes.rig import Rig, rig_of
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.media import save_wav_blocks
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech, SpeechFile

BROWSER = Path(__file__).parent / "browser"
NODE_MODULES = Path(os.environ.get("DIFFPOSETALK_NODE_MODULES", BROWSER / "node_modules"))
EXACT = 1e-6
"""Metres: what a format may lose, single precision being what all of them keep."""


def flame_motion(n_frames: int = 6) -> Motion:
    rng = np.random.default_rng(2)
    names = tuple(f"exp_{index:02d}" for index in range(50))
    poses = {"jaw_pose": rng.uniform(-0.3, 0.3, (n_frames, 3)), "eye_pose": rng.uniform(-0.3, 0.3, (n_frames, 6))}
    return Motion(rng.standard_normal((n_frames, 50)), names, rng.uniform(-1, 1, (n_frames, 3)), 25.0, "flame", **poses)


def played(players: Any, rig: Rig, frame: int) -> np.ndarray:
    """Vertices of a rig as any engine computes them."""
    shaped = rig.mesh.vertices + np.tensordot(rig.weights[frame], rig.shapes, 1)
    shift = rig.translations[min(frame, len(rig.translations) - 1)]
    world = players.chained(
        list(rig.parents), [players.matrix(players.turned(q), p) for q, p in zip(rig.rotations[frame], shift)]
    )
    return players.placed(
        shaped, rig.skin_weights, [w @ players.matrix(np.eye(3), -p) for w, p in zip(world, rig.joints)]
    )


def test_a_rig_moves_as_the_head(players: Any, head: AnnyHead, person: np.ndarray, wild: Motion) -> None:
    rig = rig_of(head, wild, person)
    truth = head.mesh_sequence(wild, person).vertices
    for frame in (0, 4, 9):
        assert np.abs(played(players, rig, frame) - truth[frame]).max() < EXACT


def test_a_flame_rig_moves_as_flame(players: Any, flame_path: Path) -> None:
    flame = FlameHead.load(flame_path)
    who = np.random.default_rng(5).standard_normal(100).astype(np.float32)
    motion = flame_motion()
    truth = flame.mesh_sequence(motion, who).vertices
    rig = rig_of(flame, motion, who)
    assert len(rig.translations) == len(motion), "FLAME's joints shift with the expression"
    assert {"Jaw_xx", "LeftEye_yz"} <= set(rig.shape_names)
    for frame in range(len(motion)):
        assert np.abs(played(players, rig, frame) - truth[frame]).max() < 1e-5


def test_only_used_targets(players: Any, head: AnnyHead, motion: Motion) -> None:
    rig = rig_of(head, motion, used_only=True)
    assert set(rig.shape_names) == {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight"}
    assert np.abs(played(players, rig, 22) - head.vertices(motion.expression[22], motion.head_pose[22])).max() < EXACT


def test_glb_by_pygltflib(
    gltf_player: Any, head: AnnyHead, person: np.ndarray, wild: Motion, speech: Speech, tmp_path: Path
) -> None:
    export(wild, tmp_path / "talk.glb", scene=Scene(head, person, speech, ExportOptions(clamp=False)))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["talk.glb", "talk_speech.wav"]
    read = gltf_player(tmp_path / "talk.glb")
    mesh = read.file.meshes[0]
    assert mesh.extras["targetNames"] == list(CHANNELS)
    assert all(len(primitive.targets) == 52 for primitive in mesh.primitives)
    assert read.file.asset.extras["sound"] == "talk_speech.wav"
    assert np.isclose(Speech.load(tmp_path / "talk_speech.wav").duration, speech.duration)
    names = [node.name for node in read.file.nodes]
    assert names == ["Face", "Root", "Neck", "Head", "LeftEye", "RightEye"]
    assert all(sampler.interpolation == "LINEAR" for sampler in read.file.animations[0].samplers)
    blended = {m.name for m in read.file.materials if m.alphaMode == "BLEND"}
    assert blended == {"lashes", "brows"}
    textured = {m.name for m in read.file.materials if m.pbrMetallicRoughness.baseColorTexture}
    assert textured == {"skin", "eye", "lashes", "brows", *({head.hair(person)} - {"cropped"})}
    drawn = np.unique(head.mesh(person).faces)  # a file need not hold hair of other kinds
    for frame in (0, 7):
        truth = head.vertices(wild.expression[frame], wild.head_pose[frame], identity=person)
        assert np.abs((read.points(frame, head, person) - truth)[drawn]).max() < EXACT


def test_glb_by_trimesh(head: AnnyHead, wild: Motion, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    export(wild, tmp_path / "talk.glb", scene=Scene(head))
    scene = trimesh.load(tmp_path / "talk.glb", process=False)
    parts = list(parts_of(head.mesh()))
    assert [len(item.faces) for item in scene.geometry.values()] == [len(part.faces) for part in parts]
    used = head.data["vertices"][np.unique(head.mesh().faces)]
    assert np.allclose(scene.bounds, [used.min(0), used.max(0)], atol=1e-5)


def test_glb_by_the_khronos_validator(head: AnnyHead, wild: Motion, flame_path: Path, tmp_path: Path) -> None:
    if shutil.which("node") is None or not (NODE_MODULES / "gltf-validator").is_dir():
        pytest.skip("needs node and the npm package gltf-validator (tests/exchange/browser/package.json)")
    export(wild, tmp_path / "all.glb", scene=Scene(head))
    export(wild.slice(0, 1), tmp_path / "used.glb", scene=Scene(head, options=ExportOptions(used_only=True)))
    still = Motion(np.zeros((3, 52)), CHANNELS, np.zeros((3, 3)), 25.0)
    export(still, tmp_path / "still.glb", scene=Scene(head, options=ExportOptions(used_only=True)))
    export(flame_motion(), tmp_path / "flame.glb", scene=Scene(FlameHead.load(flame_path)))
    files = sorted(map(str, tmp_path.glob("*.glb")))
    lines = subprocess.run(
        ["node", str(BROWSER / "validate.cjs"), *files],
        env=os.environ | {"NODE_PATH": str(NODE_MODULES)}, capture_output=True, text=True, check=True, timeout=120,
    ).stdout.splitlines()  # fmt: skip
    for name, line in zip(files, lines, strict=True):
        issues = json.loads(line)["issues"]
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), (name, issues["messages"])


def test_glb_by_three_js(head: AnnyHead, person: np.ndarray, wild: Motion, tmp_path: Path) -> None:
    chromium = next(
        (program for name in ("chromium", "chromium-browser", "google-chrome") if (program := shutil.which(name))), None
    )
    if chromium is None or shutil.which("node") is None or not (NODE_MODULES / "three").is_dir():
        pytest.skip("needs chromium, node and the npm packages of tests/exchange/browser/package.json")
    export(wild, tmp_path / "talk.glb", scene=Scene(head, person))
    frames = (0, 6)
    job = {
        "glb": str(tmp_path / "talk.glb"), "chromium": chromium, "out": str(tmp_path), "size": 128,
        "camera": {"fov": 25, "position": [0, 0, 0.7], "target": [0, -0.03, 0]},
        "times": [frame / wild.fps for frame in frames], "positions": True, "pictures": True,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    subprocess.run(
        ["node", str(BROWSER / "play.cjs"), str(tmp_path / "job.json")],
        env=os.environ | {"NODE_PATH": str(NODE_MODULES)}, check=True, timeout=280,
    )  # fmt: skip
    report = json.loads((tmp_path / "played.json").read_text())
    assert report["complaints"] == []
    assert report["bones"] == ["Root", "Neck", "Head", "LeftEye", "RightEye"]
    assert all(mesh["targets"] == list(CHANNELS) for mesh in report["meshes"])
    for frame, meshes in zip(frames, report["frames"], strict=True):
        truth = head.vertices(wild.expression[frame], wild.head_pose[frame], identity=person)
        for part, mesh, points in zip(parts_of(head.mesh(person)), report["meshes"], meshes, strict=True):
            corners = np.reshape(points, (-1, 3))[mesh["index"]]
            assert np.abs(corners - truth[part.triangles(head.mesh())].reshape(-1, 3)).max() < EXACT


def test_a_mesh_of_named_shapes_goes_out_as_it_came(players: Any, tmp_path: Path) -> None:
    from diffposetalk.head.shapes.head import TargetsHead

    rng = np.random.default_rng(4)
    vertices, faces = rng.standard_normal((30, 3)) * 0.1, rng.integers(0, 30, (40, 3))
    avatar = TargetsHead(
        "avatar", vertices, faces, ("jawOpen", "Mouth Smile", "Mouth_Smile"), rng.standard_normal((3, 30, 3)) * 0.01
    )
    motion = Motion(rng.uniform(0, 1, (4, 3)), avatar.expression_names, rng.uniform(-1, 1, (4, 3)), 25.0, "avatar")
    truth = avatar.mesh_sequence(motion).vertices
    rig = rig_of(avatar, motion)
    for name in ("a.glb", "a.usdc"):
        if name == "a.usdc":
            pytest.importorskip("pxr")
        export(motion, tmp_path / name, scene=Scene(avatar))
    for frame in range(4):
        assert np.abs(played(players, rig, frame) - truth[frame]).max() < EXACT


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 6), (22050, 1)])
def test_the_sound_beside_a_scene_is_the_recording(
    head: AnnyHead, motion: Motion, speech: Speech, rate: int, channels: int, tmp_path: Path
) -> None:
    samples = speech.resampled(rate).samples[:, None] * np.linspace(1, 0.5, channels, dtype=np.float32)
    save_wav_blocks(tmp_path / "recording.wav", [samples], rate)
    export(motion, tmp_path / "talk.glb", scene=Scene(head, speech=SpeechFile(tmp_path / "recording.wav")))
    with wave.open(str(tmp_path / "recording.wav")) as before, wave.open(str(tmp_path / "talk_speech.wav")) as after:
        assert after.getparams() == before.getparams()
        n = before.getnframes()
        theirs, ours = (np.frombuffer(file.readframes(n), "<i2").astype(int) for file in (before, after))
    assert np.abs(ours - theirs).max() <= 1
