"""USD by usd-core's own validators and skinning; OBJ and PLY by trimesh; point caches; scenes that fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError, UsageError
from diffposetalk.exchange import Scene, export
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech

EXACT = 1e-6
"""Metres."""
EARLIER = b"made by DiffPoseTalk: the sound of an earlier export"


def validated(path: Path) -> list[str]:
    """What usd-core's validators, those of `usdchecker`, have against a file."""
    from pxr import Usd, UsdValidation

    registry = UsdValidation.ValidationRegistry()
    names = [item.name for item in registry.GetAllValidatorMetadata()]
    assert any("usdSkel" in name for name in names) and any("Usdz" in name for name in names)
    context = UsdValidation.ValidationContext([registry.GetOrLoadValidatorByName(name) for name in names])
    return [f"{item.GetName()}: {item.GetMessage()}" for item in context.Validate(Usd.Stage.Open(str(path)))]


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usdz"])
def test_usd_by_usd_core(
    players: Any, head: AnnyHead, person: np.ndarray, wild: Motion, speech: Speech, suffix: str, tmp_path: Path
) -> None:
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdSkel

    path = tmp_path / f"talk{suffix}"
    export(wild, path, scene=Scene(head, person, speech))
    beside = sorted(item.name for item in tmp_path.iterdir())
    assert beside == ([path.name] if suffix == ".usdz" else [path.name, "talk_speech.wav", "talk_textures"])
    assert validated(path) == []
    for frame, points in players.baked(path, [0, 4, 9]).items():
        truth = head.vertices(wild.expression[frame], wild.head_pose[frame], identity=person)
        assert np.abs(points - truth).max() < EXACT
    stage = Usd.Stage.Open(str(path))
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1.0)
    assert (stage.GetTimeCodesPerSecond(), stage.GetEndTimeCode()) == (30.0, 9.0)
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/Head/Animation"))
    assert list(animation.GetBlendShapesAttr().Get()) == list(CHANNELS)
    assert list(animation.GetJointsAttr().Get())[-1] == "Root/Neck/Head/RightEye"
    subsets = UsdGeom.Subset.GetAllGeomSubsets(UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Face")))
    assert {item.GetPrim().GetName() for item in subsets} >= {"skin", "eye", "teeth", "brows", "lashes"}
    for prim in stage.Traverse():
        for name in ("inputs:file", "filePath"):
            if prim.HasAttribute(name):
                assert prim.GetAttribute(name).Get().resolvedPath, f"{prim.GetPath()} finds no file"


def test_usd_of_a_flame_head(players: Any, flame_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    rng = np.random.default_rng(2)
    names = tuple(f"exp_{index:02d}" for index in range(50))
    jaw = rng.uniform(-0.3, 0.3, (5, 3))
    motion = Motion(rng.standard_normal((5, 50)), names, rng.uniform(-1, 1, (5, 3)), 25.0, "flame", jaw_pose=jaw)
    flame = FlameHead.load(flame_path)
    export(motion, tmp_path / "talk.usdc", scene=Scene(flame))
    truth = flame.mesh_sequence(motion).vertices
    for frame, points in players.baked(tmp_path / "talk.usdc", [0, 4]).items():
        assert np.abs(points - truth[frame]).max() < 0.005  # its random vertices are held by five joints, USD's by four


def test_obj_and_ply_by_trimesh(
    head: AnnyHead, person: np.ndarray, wild: Motion, speech: Speech, tmp_path: Path
) -> None:
    trimesh = pytest.importorskip("trimesh")
    scene = Scene(head, person, speech)
    for suffix in (".obj", ".ply"):
        done = export(wild, tmp_path / f"as{suffix[1:]}{suffix}", scene=scene)
        assert done.path.is_dir() and len(list(done.path.glob(f"frame_*{suffix}"))) == len(wild)
        notes = json.loads((done.path / "sequence.json").read_text())
        assert (notes["fps"], notes["frames"], notes["sound"]) == (30.0, 10, "head_speech.wav")
    mesh, drawn = head.mesh(person).without_loose_vertices()
    truth = head.vertices(wild.expression[3], wild.head_pose[3], identity=person)[drawn]
    ply = trimesh.load(tmp_path / "asply" / "frame_00004.ply", process=False)
    assert np.abs(ply.vertices - truth).max() < EXACT and (ply.faces == mesh.faces).all()
    assert ply.visual.kind == "vertex"
    obj = trimesh.load(tmp_path / "asobj" / "frame_00004.obj", process=False)
    assert sum(len(item.faces) for item in obj.geometry.values()) == len(head.mesh(person).faces)
    assert {"skin", "teeth"} <= {item.visual.material.name for item in obj.geometry.values()}
    skin = next(item for item in obj.geometry.values() if item.visual.material.name == "skin")
    assert skin.visual.material.image is not None
    text = (tmp_path / "asobj" / "frame_00004.obj").read_text().splitlines()
    lines = [line.split()[1:] for line in text if line.startswith("v ")]
    assert np.abs(np.array(lines, float) - truth).max() < EXACT


def test_point_cache(players: Any, head: AnnyHead, person: np.ndarray, wild: Motion, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    export(wild, tmp_path / "talk.pc2", scene=Scene(head, person))
    drawn = np.unique(head.mesh(person).faces)
    truth = head.mesh_sequence(wild, person).vertices[:, drawn]
    assert np.abs(players.read_pc2(tmp_path / "talk.pc2") - truth).max() < EXACT
    rest = trimesh.load(tmp_path / "talk_rest.obj", process=False, maintain_order=True)
    assert sum(len(item.faces) for item in rest.geometry.values()) == len(head.mesh(person).faces)
    lines = (tmp_path / "talk_rest.obj").read_text().splitlines()
    n_points = sum(line.startswith("v ") for line in lines)
    assert n_points == truth.shape[1], "a cache fits only an object with as many points"
    corners = {int(corner.split("/")[0]) for line in lines if line.startswith("f ") for corner in line.split()[1:]}
    assert corners == set(range(1, n_points + 1)), (
        "importers drop points without triangles; then the cache does not fit"
    )


@pytest.mark.parametrize("name", ["talk.glb", "talk.usdc", "talk.usdz", "talk.pc2", "talk.obj", "talk.ply"])
def test_a_scene_that_fails_leaves_nothing(
    head: AnnyHead, motion: Motion, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "usd" in name:
        pytest.importorskip("pxr")
    (tmp_path / "talk_speech.wav").write_bytes(EARLIER)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("diffposetalk.media.save_wav_blocks", full)
    with pytest.raises(DiffPoseTalkError, match="the disk is full") as caught:
        export(motion, tmp_path / name, scene=Scene(head, speech=Speech(np.zeros(16000, np.float32))))
    assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["talk_speech.wav"]
    assert (tmp_path / "talk_speech.wav").read_bytes() == EARLIER


@pytest.mark.parametrize("name", ["talk.usda", "talk.usdc", "talk.usdz", "talk.glb", "talk.pc2"])
def test_a_file_that_cannot_grow(tmp_path: Path, motion: Motion, name: str) -> None:
    """What the operating system refuses in the middle of a file is one line, also where a library writes it."""
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX's")
    if "usd" in name:
        pytest.importorskip("pxr")
    motion.save(tmp_path / "m.npz")
    program = (
        "import resource, sys; from diffposetalk.cli import run; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); sys.exit(run(sys.argv[1:]))"
    )
    words = ["export", str(tmp_path / "m.npz"), "-o", str(tmp_path / name)]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert resource and done.returncode == 1, done.stderr
    assert "could not be written: the file grew past the size" in done.stderr and done.stderr.count("\n") == 1
    assert [item.name for item in tmp_path.iterdir()] == ["m.npz"]


def test_scenes_refused(head: AnnyHead, motion: Motion, flame_path: Path, tmp_path: Path) -> None:
    flame = FlameHead.load(flame_path)
    with pytest.raises(UsageError, match="for the head anny, not for flame"):
        export(motion, tmp_path / "a.glb", scene=Scene(flame))
    with pytest.raises(InputError, match="no frames"):
        export(motion.slice(0, 0), tmp_path / "a.glb", scene=Scene(head))
    fewer = Motion(motion.expression[:, :10], CHANNELS[:10], motion.head_pose, 25.0)
    with pytest.raises(ModelError, match="lacks the channel"):
        export(fewer, tmp_path / "a.glb", scene=Scene(head))
    with pytest.raises(ModelError, match="40 identity values, got 7"):
        export(motion, tmp_path / "a.glb", scene=Scene(head, np.zeros(7, np.float32)))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").touch()
    with pytest.raises(UsageError, match="already exists"):
        export(motion, tmp_path / "full.obj", scene=Scene(head))
    assert [item.name for item in tmp_path.iterdir()] == ["full"]


def test_a_sequence_that_does_not_fit_is_refused_before_it_starts(
    head: AnnyHead, motion: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = type(shutil.disk_usage("/"))(10**9, 10**9, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for name in ("talk.obj", "talk.ply", "talk.pc2"):
        with pytest.raises(InputError, match="GB and the disk has"):
            export(motion, tmp_path / name, scene=Scene(head))
    assert list(tmp_path.iterdir()) == []
