"""The Blender add-on, in Blender: what a motion becomes there is where our own head puts it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange import Scene, export
from diffposetalk.motion import Motion

HERE = Path(__file__).parent
ADD_ON = HERE.parents[1] / "integrations" / "blender" / "diffposetalk_import"
IMPULSES = ("jawLeft", "mouthLeft", "eyeBlinkLeft", "eyeLookInLeft", "eyeLookDownRight", "jawOpen")
POSES = {"pitch": (0.3, 0, 0), "yaw": (0, 0.3, 0), "roll": (0, 0, 0.3), "all": (0.2, -0.3, 0.25)}
FRAMES = {name: index for index, name in enumerate(("rest", *IMPULSES, *POSES))}


def python_with_bpy() -> str | None:
    """The interpreter that tests of Blender run in: this one, or the one named in the environment."""
    named = os.environ.get("DIFFPOSETALK_BPY_PYTHON")
    return named or (sys.executable if importlib.util.find_spec("bpy") else None)


needs_bpy = pytest.mark.skipif(
    python_with_bpy() is None,
    reason="needs bpy from PyPI: in this Python, or in another that DIFFPOSETALK_BPY_PYTHON names",
)


def impulse_motion(fps: float = 25.0) -> Motion:
    """One frame of rest, then one for each channel and rotation."""
    expression, head_pose = np.zeros((len(FRAMES), len(CHANNELS)), np.float32), np.zeros((len(FRAMES), 3), np.float32)
    for name in IMPULSES:
        expression[FRAMES[name], CHANNELS.index(name)] = 0.8
    for name, pose in POSES.items():
        head_pose[FRAMES[name]] = pose
    return Motion(expression, CHANNELS, head_pose, fps)


@pytest.fixture(scope="module")
def head() -> Any:
    """The free head."""
    from diffposetalk.head import load_head

    return load_head("anny")


@pytest.fixture(scope="module")
def session(head: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Everything that `blender_session.py` saw."""
    python = python_with_bpy()
    assert python
    folder = tmp_path_factory.mktemp("blender")
    data = head.data
    weights = np.zeros((head.n_vertices, 5), np.float32)
    weights[:, :2] = data["joint_weights"]
    weights[:, 4] = 1 - weights.sum(1)  # the chest, which stays: Blender makes weights sum to 1
    for column, eye in ((2, "left_eye"), (3, "right_eye")):
        weights[head.regions[eye]] = np.eye(5)[column]
    np.savez(
        folder / "head.npz", vertices=data["vertices"], faces=data["faces"], expression=data["expression"],
        names=np.array(CHANNELS), joints=data["joints"], weights=weights,
    )  # fmt: skip
    impulse_motion().save(folder / "impulses.npz")
    impulse_motion(30000 / 1001).save(folder / "ntsc.npz")
    Motion(np.zeros((3, 50)), [f"exp_{i:02d}" for i in range(50)], np.zeros((3, 3)), 25, "flame").save(
        folder / "flame.npz"
    )
    write_bad_files(folder)
    export(impulse_motion(), folder / "head.glb", scene=Scene(head=head))
    with wave.open(str(folder / "impulses.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(np.zeros(16000, np.int16).tobytes())
    ran = subprocess.run(
        [python, str(HERE / "blender_session.py"), str(folder)], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return json.loads((folder / "result.json").read_text()), dict(np.load(folder / "result.npz"))


def write_bad_files(folder: Path) -> None:
    """Motions that must be refused."""
    good = dict(np.load(folder / "impulses.npz"))
    (folder / "bad_text.npz").write_text("not a motion")
    np.savez(folder / "bad_other.npz", x=np.zeros(3))
    np.savez(folder / "bad_newer.npz", **good | {"format_version": np.int64(9)})
    np.savez(folder / "bad_nan.npz", **good | {"head_pose": np.full_like(good["head_pose"], np.nan)})
    np.savez(folder / "bad_shape.npz", **good | {"expression": good["expression"][:, :9]})
    np.savez(folder / "bad_rate.npz", **good | {"fps": np.float64(0)})
    np.savez(
        folder / "bad_empty.npz", **good | {"expression": good["expression"][:0], "head_pose": good["head_pose"][:0]}
    )


def in_blender(points: np.ndarray) -> np.ndarray:
    """Our axes -> Blender's: Z up, face toward -Y, +X still the subject's left."""
    return points @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)


@needs_bpy
def test_vertices_are_where_our_head_puts_them(head: Any, session: Any) -> None:
    """Every impulse, over shape keys, neck and head bone and eye bones: below a twentieth of a millimetre (eyes: half a one)."""
    result, arrays = session
    assert result["first"]["error"] == ""
    motion = impulse_motion()
    truth = in_blender(head.vertices(motion.expression, motion.head_pose))
    eyes = np.concatenate([head.regions["left_eye"], head.regions["right_eye"]])
    others = np.setdiff1d(np.arange(head.n_vertices), eyes)
    for scene in ("impulses", "XYZ", "YZX", "AXIS_ANGLE", "y up"):
        error = np.linalg.norm(arrays[scene] - truth, axis=-1)
        assert error[:, others].max() < 5e-5, scene
        assert error[:, eyes].max() < 5e-4, scene


@needs_bpy
@pytest.mark.parametrize(("scene", "eye_mm"), [("glb", 0.05), ("glb by the add-on", 0.5)])
def test_our_glb_in_blender(head: Any, session: Any, scene: str, eye_mm: float) -> None:
    """By its own animation and by the add-on on its shape keys and bones: each point of the mesh lies where our head's does."""
    from scipy.spatial import cKDTree

    result, arrays = session
    assert result["glb"] == ""
    motion = impulse_motion()
    truth = in_blender(head.vertices(motion.expression, motion.head_pose))
    eyes = np.concatenate([head.regions["left_eye"], head.regions["right_eye"]])
    for frame, points in enumerate(arrays[scene]):
        distance, nearest = cKDTree(truth[frame]).query(points)
        ball = np.isin(nearest, eyes)
        assert 1000 * distance[~ball].max() < 0.05 and 1000 * distance[ball].max() < eye_mm, frame


@needs_bpy
@pytest.mark.parametrize(
    ("name", "region", "axis", "sign"),
    [
        ("jawLeft", "lower_teeth", 0, 1), ("mouthLeft", "lips", 0, 1), ("jawOpen", "lower_teeth", 2, -1),
        ("yaw", "lips", 0, 1), ("pitch", "lips", 2, -1), ("roll", "upper_face", 0, -1),
    ],
)  # fmt: skip
def test_sides_and_signs(head: Any, session: Any, name: str, region: str, axis: int, sign: int) -> None:
    """In Blender's axes: left is +X, up is +Z; nodding lowers the mouth, rolling right moves the forehead right."""
    _, arrays = session
    moved = arrays["impulses"][FRAMES[name]] - arrays["impulses"][0]
    assert sign * moved[head.regions[region], axis].mean() > 1e-3


@needs_bpy
def test_eyes_of_the_subject(head: Any, session: Any) -> None:
    """The left lid closes; the left eye looks to the nose, the right one down; the other eye of each stays."""
    _, arrays = session
    rest = arrays["impulses"][0]
    blink = arrays["impulses"][FRAMES["eyeBlinkLeft"]] - rest
    lids = head.regions["eyelids"]
    lids = lids[rest[lids, 1] < -0.008]  # the front; the socket's inside is drawn along a little
    left = rest[lids, 0] > 0
    assert np.abs(blink[lids][left, 2]).max() > 3e-3 and np.abs(blink[lids][~left]).mean() < 1e-4
    for name, eye, other, axis, sign in (
        ("eyeLookInLeft", "left_eye", "right_eye", 0, -1),
        ("eyeLookDownRight", "right_eye", "left_eye", 2, -1),
    ):
        moved = arrays["impulses"][FRAMES[name]] - rest
        ball = head.regions[eye]
        front = ball[rest[ball, 1] < np.quantile(rest[ball, 1], 0.1)]
        assert sign * moved[front, axis].mean() > 1e-3
        assert np.abs(moved[head.regions[other]]).max() < 1e-5


@needs_bpy
def test_curves_clock_and_sound(session: Any) -> None:
    """One key a frame for every channel with the motion's own values; 25 a second; the sound at the first frame."""
    first = session[0]["first"]
    motion = impulse_motion()
    assert len(first["keys"]) == 52
    for index, name in enumerate(CHANNELS):
        keys = np.array(first["keys"][f'key_blocks["{name}"].value[0]'])
        np.testing.assert_array_equal(keys[:, 0], np.arange(1, len(motion) + 1))
        np.testing.assert_allclose(keys[:, 1], motion.expression[:, index], atol=1e-6)
    assert {path.split('"')[1] for path in first["bones"]} == {"neck", "head", "eye.L", "eye.R"}
    clock = first["clock"]
    assert clock["fps"] == 25 and clock["range"] == [1, len(motion)]
    if not session[0]["sound"]:
        pytest.skip("this bpy was built without sound; the curves passed")
    assert clock["sync"] == "AUDIO_SYNC"
    assert clock["strips"] == [["SOUND", "impulses.wav", 1, 25]]


@needs_bpy
def test_again_adds_nothing_and_keeps_what_is_not_ours(session: Any) -> None:
    """A second import replaces curves and sound; a curve of the walk that the action also held is still there."""
    first, again = session[0]["first"], session[0]["again"]
    assert again["error"] == "" and again["keys"] == first["keys"] and again["clock"] == first["clock"]
    assert again["bones"].pop('pose.bones["hips"].location[0]') == [[1, 7]]
    assert again["bones"] == first["bones"]


@needs_bpy
def test_the_scene_keeps_its_own_clock_if_asked(session: Any) -> None:
    """At 24 frames a second, from frame 10, keys of 25 a second lie 0.96 frames apart; no head, no sound as asked."""
    own = session[0]["own clock"]
    keys = np.array(next(iter(own["keys"].values())))
    np.testing.assert_allclose(keys[:, 0], 10 + 0.96 * np.arange(len(FRAMES)), atol=1e-5)
    assert own["error"] == "" and own["clock"]["fps"] == 24 and own["clock"]["strips"] == []
    assert not own["armature animated"]


@needs_bpy
def test_other_spellings_missing_keys_and_ntsc(session: Any) -> None:
    """`Face.JawOpen` is found; the two keys that are not there are named in one line; 29.97 is 29.97."""
    pascal = session[0]["pascal"]
    assert pascal["warning"] == "2 of 52 channels have no shape key: jawLeft, tongueOut"
    assert "50 shape keys" in pascal["summary"] and "\n" not in pascal["summary"]
    assert 'key_blocks["Face.JawOpen"].value[0]' in pascal["keys"]
    assert pascal["clock"]["fps"] == pytest.approx(30000 / 1001, abs=1e-4)
    assert pascal["clock"]["range"] == [5, 4 + len(FRAMES)] and pascal["clock"]["strips"] == []


@needs_bpy
def test_an_object_without_armature_turns_itself(head: Any, session: Any) -> None:
    """On top of how it stands, and importing twice (with a frame in between) does not add up."""
    result, arrays = session
    assert result["object"]["error"] == ""
    motion = impulse_motion()
    rest = in_blender(head.data["vertices"])
    turned = np.array([[np.cos(0.5), -np.sin(0.5), 0], [np.sin(0.5), np.cos(0.5), 0], [0, 0, 1]])
    import roma
    import torch

    rotation = roma.rotvec_to_rotmat(torch.from_numpy(motion.head_pose)).numpy()
    for name in POSES:
        own = in_blender(head.data["vertices"] @ rotation[FRAMES[name]].T)
        np.testing.assert_allclose(arrays["object"][FRAMES[name]], own @ turned.T + (1, 2, 3), atol=2e-5)
    np.testing.assert_allclose(arrays["object"][0], rest @ turned.T + (1, 2, 3), atol=2e-5)


@needs_bpy
def test_one_step_of_undo_takes_everything_back(session: Any) -> None:
    """Curves of face and rig, the scene's length, the sound."""
    undo = session[0]["undo"]
    assert undo["before"] == 2 and undo["after"] == 0
    assert undo["clock"]["range"] == [1, 250] and undo["clock"]["strips"] == []


@needs_bpy
def test_an_active_armature_means_its_face(session: Any) -> None:
    """Selecting the rig is as good as selecting the mesh."""
    assert session[0]["armature active"] == {"error": "", "keys": 52}


@needs_bpy
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("bad_text", "bad_text.npz: not a motion file"), ("bad_other", "it lacks expression"), ("bad_newer", "update the add-on"),
        ("bad_nan", "head_pose holds what is not a finite number"), ("bad_shape", "expression is (11, 9), expected (11, 52)"),
        ("bad_rate", "a frame rate of 0 is impossible"), ("bad_empty", "has no frames"), ("no file", "no such file"),
        ("no bone", "has no bone 'skull'; it has neck, head"), ("no sound", "nowhere.wav: no such sound file"),
        ("flame", "the motion speaks exp_00"), ("absolute", "tick Relative"), ("no keys", "'Face' has no shape keys"),
        ("rig without face", "'Rig' has no shape keys"), ("nothing active", "no active object"), ("other keys", "it has Key 1"),
        ("no eyes", "no eye or jaw bones"), ("no armature", "no armature moves 'Cube'"),
    ],
)  # fmt: skip
def test_problems_are_one_line(session: Any, case: str, words: str) -> None:
    """Each says what is wrong with what."""
    said = session[0]["problems"][case]
    assert words in said and said.startswith("Error: ") and "\n" not in said


@needs_bpy
def test_a_refused_import_changes_nothing(session: Any) -> None:
    """No action was made."""
    assert session[0]["problems"]["changed"] == "False"


@needs_bpy
def test_the_52_are_ours(session: Any) -> None:
    """The panel counts the same names."""
    assert set(session[0]["arkit"]) == set(CHANNELS) and len(session[0]["arkit"]) == 52


@needs_bpy
def test_blender_accepts_the_manifest(tmp_path: Path) -> None:
    """Blender's own checker of extensions, which comes with bpy, validates and packs the folder."""
    python = python_with_bpy()
    assert python
    code = "import bpy, pathlib; print(*pathlib.Path(bpy.utils.resource_path('LOCAL')).rglob('blender_ext.py'))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=120).stdout.split()
    if not found:
        pytest.skip("this bpy comes without blender_ext.py")
    for command in (["validate", str(ADD_ON)], ["build", "--source-dir", str(ADD_ON), "--output-dir", str(tmp_path)]):
        ran = subprocess.run([python, found[-1], *command], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_one_version_everywhere() -> None:
    """Manifest and legacy header say the same."""
    manifest = tomllib.loads((ADD_ON / "blender_manifest.toml").read_text())
    header = (ADD_ON / "__init__.py").read_text()
    assert f'"version": ({manifest["version"].replace(".", ", ")})' in header
    assert f'"name": "{manifest["name"]}"' in header
