"""Heads out of glTF files of other programs: spellings of names, skins, quantisation, compression, VRM, visemes."""

from __future__ import annotations

import json
import re
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.head.avatars import Part, avatar, parts

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError, ModelError
from diffposetalk.head import load_head
from diffposetalk.head.shapes.container import Container
from diffposetalk.head.shapes.head import TargetsHead
from diffposetalk.head.shapes.names import arkit_name, spelling
from diffposetalk.motion import Motion

COMPRESSED = Path(__file__).parent / "compressed"
REALLUSION = re.findall(
    r"\w+",
    """Brow_Inner_Up Brow_Down_Left Brow_Down_Right Brow_Outer_Up_Left Brow_Outer_Up_Right Eye_Look_Up_Left
Eye_Look_Up_Right Eye_Look_Down_Left Eye_Look_Down_Right Eye_Look_Out_Left Eye_Look_In_Left Eye_Look_In_Right
Eye_Look_Out_Right Eye_Blink_Left Eye_Blink_Right Eye_Squint_Left Eye_Squint_Right Eye_Wide_Left
Eye_Wide_Right Cheek_Puff Cheek_Squint_Left Cheek_Squint_Right Nose_Sneer_Left Nose_Sneer_Right Jaw_Open
Jaw_Forward Jaw_Left Jaw_Right Mouth_Funnel Mouth_Pucker Mouth_Left Mouth_Right Mouth_Roll_Upper
Mouth_Roll_Lower Mouth_Shrug_Upper Mouth_Shrug_Lower Mouth_Close Mouth_Smile_Left Mouth_Smile_Right
Mouth_Frown_Left Mouth_Frown_Right Mouth_Dimple_Left Mouth_Dimple_Right Mouth_Upper_Up_Left
Mouth_Upper_Up_Right Mouth_Lower_Down_Left Mouth_Lower_Down_Right Mouth_Press_Left Mouth_Press_Right
Mouth_Stretch_Left Mouth_Stretch_Right Tongue_Out""",
)


def test_the_whole_list_of_reallusion() -> None:
    names = [arkit_name(f"A{number:02d}_{name}") for number, name in enumerate(REALLUSION, 1)]
    assert set(names) == set(CHANNELS) and len(names) == 52
    assert names[0] == "browInnerUp" and names[12] == "eyeLookOutRight" and names[24] == "jawOpen"


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_in_many_spellings(channel: str) -> None:
    side = next((side for side in ("Left", "Right") if channel.endswith(side)), "")
    stem = channel.removesuffix(side)
    spellings = [f"ARKit_{channel}", f"blendShape1.{channel}", f"Head_{channel}", channel[0].upper() + channel[1:]]
    spellings += [
        f"ARKit{channel[0].upper()}{channel[1:]}",
        f"Wolf3D_Head:{channel}",
        f"{channel}_BS",
        f"{channel}.001",
    ]
    spellings += [f"bs_{channel.lower()}", "_".join(_words(channel)), " ".join(_words(channel))]
    if side and stem not in ("jaw", "mouth"):  # "mouthL" could be anything
        s = side[0]
        spellings += [f"{stem}_{s}", f"Head_{stem}_{s}", f"{s}_{stem}", f"{stem}{s}", f"{stem}_{s.lower()}"]
    for name in spellings:
        assert spelling(name).channel == channel, name
        assert not spelling(name).half, name


def _words(channel: str) -> list[str]:
    return "".join(f" {letter}" if letter.isupper() else letter for letter in channel).split()


@pytest.mark.parametrize(
    "name", ["jawOpen_mouthClose", "viseme_O", "Mouth_Smile", "browsUp", "Fcl_MTH_A", "V_Open", "", "_"]
)
def test_names_that_are_no_channel(name: str) -> None:
    assert arkit_name(name) == name


def test_a_channel_in_two_spellings_is_not_added_twice() -> None:
    face, teeth = np.zeros((4, 3)), np.zeros((4, 3))
    face[0, 1], teeth[3, 1] = -0.02, -0.01
    names, moves = ["A25_Jaw_Open", "jawOpen", "Teeth_jawOpen"], np.stack([face, face, teeth])
    head = TargetsHead.of("h", np.eye(4, 3), np.array([[0, 1, 2]]), names, moves, metres=1.0)
    assert head.expression_names == ("jawOpen",)
    assert head.deltas[0, :, 1].tolist() == pytest.approx([-0.02, 0, 0, -0.01])


def assert_same(head: TargetsHead, wanted: list[Part], tolerance: float) -> None:
    """Check the whole geometry: places, and what every channel moves in every mesh."""
    assert np.allclose(head.neutral, np.concatenate([part.vertices for part in wanted]), atol=tolerance)
    channels = {arkit_name(name) for part in wanted for name in part.moves}
    assert set(head.expression_names) == channels
    for channel in channels:
        moves = [
            next(
                (move for name, move in part.moves.items() if arkit_name(name) == channel), np.zeros_like(part.vertices)
            )
            for part in wanted
        ]
        assert np.allclose(head.deltas[head.expression_names.index(channel)], np.concatenate(moves), atol=tolerance)


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("skinned", [False, True])
@pytest.mark.parametrize("names", ["mesh", "primitive", "accessor"])
@pytest.mark.parametrize("prefix", ["", "ARKit_"])
def test_avatars_of_several_meshes(tmp_path: Path, quantised: bool, skinned: bool, names: str, prefix: str) -> None:
    wanted = parts(prefix=prefix)
    head = load_head(str(avatar(tmp_path / "a.glb", wanted, names, skinned, quantised)))
    assert isinstance(head, TargetsHead)
    assert_same(head, wanted, 5e-6 if quantised else 1e-6)


@pytest.mark.parametrize("name", ["draco", "meshopt"])
def test_compressed_avatars(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = {"draco": "DracoPy", "meshopt": "meshoptimizer"}[name]
    extension = {"draco": "KHR_draco_mesh_compression", "meshopt": "EXT_meshopt_compression"}[name]
    with monkeypatch.context() as without:
        without.setitem(sys.modules, library, None)
        with pytest.raises(InputError, match=rf"{extension}.*pip install {library}.*npx @gltf-transform/cli copy"):
            TargetsHead.load(COMPRESSED / f"{name}.glb")
    pytest.importorskip(library)
    head, plain = TargetsHead.load(COMPRESSED / f"{name}.glb"), TargetsHead.load(COMPRESSED / "plain.glb")
    assert set(head.expression_names) == set(plain.expression_names)
    distance = np.linalg.norm(head.neutral[None] - plain.neutral[:, None], axis=-1)
    assert distance.min(1).max() < 2e-4, "Draco and quantisation move vertices by less than 0.2 mm"
    nearest = distance.argmin(1)
    for row, channel in enumerate(plain.expression_names):
        assert np.allclose(head.deltas[head.expression_names.index(channel), nearest], plain.deltas[row], atol=2e-4)


def unnamed() -> list[Part]:
    return [
        Part(part.name, part.vertices, part.faces, {f"target_{k}": move for k, move in enumerate(part.moves.values())})
        for part in parts()
    ]


def test_vrm_0_expressions_and_its_face_toward_minus_z(tmp_path: Path) -> None:
    names = ("jawOpen", "mouthSmileLeft", "eyeBlinkRight")
    groups: list[dict[str, Any]] = [
        {"name": name[0].upper() + name[1:], "presetName": "unknown", "binds": [{"mesh": 0, "index": k, "weight": 50}]}
        for k, name in enumerate(names)
    ]
    groups[0]["binds"].append({"mesh": 1, "index": 0, "weight": 100})
    about = {"extensions": {"VRM": {"blendShapeMaster": {"blendShapeGroups": groups}}}}
    head = TargetsHead.load(avatar(tmp_path / "zero.glb", unnamed(), "none", changes=about))
    face, teeth, _ = parts()
    turn = np.array([-1, 1, -1])
    assert np.allclose(head.neutral[:81], face.vertices * turn, atol=1e-6)
    opening = head.deltas[head.expression_names.index("jawOpen")]
    assert np.allclose(opening[:81], 0.5 * face.moves["jawOpen"] * turn, atol=1e-6)
    assert np.allclose(opening[81:106], teeth.moves["jawOpen"] * turn, atol=1e-6)
    assert not opening[106:].any()


def test_vrm_1_expressions(tmp_path: Path) -> None:
    custom = {
        "jawOpen": {"morphTargetBinds": [{"node": 3, "index": 0, "weight": 1}, {"node": 4, "index": 0, "weight": 1}]}
    }
    about = {"extensions": {"VRMC_vrm": {"expressions": {"preset": {}, "custom": custom}}}}
    head = load_head(str(avatar(tmp_path / "one.vrm", unnamed(), "none", changes=about)))
    assert isinstance(head, TargetsHead)
    face, teeth, _ = parts()
    assert head.expression_names == ("jawOpen",) and np.allclose(head.neutral[:81], face.vertices, atol=1e-6)
    assert np.allclose(head.deltas[0, :81], face.moves["jawOpen"], atol=1e-6)
    assert np.allclose(head.deltas[0, 81:106], teeth.moves["jawOpen"], atol=1e-6)


@pytest.mark.parametrize("prefix", ["viseme_", ""])
def test_meshes_of_visemes_are_told_from_arkits(tmp_path: Path, prefix: str) -> None:
    moves = dict.fromkeys(
        (f"{prefix}{name}" for name in ("sil", "PP", "FF", "aa", "E", "I", "O", "U")), parts()[0].moves["jawOpen"]
    )
    face = Part("Face", parts()[0].vertices, parts()[0].faces, moves)
    with pytest.raises(InputError, match=r"its shapes are visemes \(\w*sil, .*talk_visemes\.json"):
        load_head(str(avatar(tmp_path / "oculus.glb", [face])))


def test_a_mismatch_names_what_there_is_and_what_was_looked_for(tmp_path: Path) -> None:
    face = Part("Face", parts()[0].vertices, parts()[0].faces, {"Grin": parts()[0].moves["jawOpen"]})
    head = load_head(str(avatar(tmp_path / "grin.glb", [face])))
    motion = Motion(np.zeros((2, 52)), CHANNELS, np.zeros((2, 3)), 25.0)
    with pytest.raises(ModelError, match=r"it has Grin; the motion has .* and 46 more"):
        next(head.iter_vertices(motion))
    with pytest.raises(InputError, match=r"no names; ARKit's 52 channels .* are looked for in targetNames"):
        load_head(str(avatar(tmp_path / "bare.glb", names="none")))


def test_mirrored_meshes_keep_their_outside(tmp_path: Path) -> None:
    path = avatar(tmp_path / "m.glb", skinned=False)
    plain = TargetsHead.load(path)
    mirrored = TargetsHead.load(avatar(tmp_path / "n.glb", skinned=False, changes={"nodes": _mirrored(path)}))
    assert np.array_equal(mirrored.faces, plain.faces[:, ::-1])


def _mirrored(path: Path) -> list[dict[str, Any]]:
    return [node | ({"scale": [-1, 1, 1]} if "mesh" in node else {}) for node in Container(path).nodes]


def hostile(path: Path, change: Any) -> Path:
    """Write an avatar whose JSON is changed by a function."""
    avatar(path)
    file = Container(path)
    content = json.loads(json.dumps(file.json))
    content = change(content) or content
    text = json.dumps(content).encode()
    path.write_bytes(struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text)
    return path


HOSTILE: dict[str, tuple[Any, str]] = {
    "an accessor of 5e8": (
        lambda c: c["accessors"][0].update({"count": 5 * 10**8}) or (c["accessors"][0].pop("bufferView") and None),
        "more than the limit",
    ),
    "a sparse accessor of 5e8": (
        lambda c: c["accessors"][0].update({"count": 5 * 10**8, "sparse": {"count": 1}}) or None,
        "more than the limit",
    ),
    "a count of text": (lambda c: c["accessors"][0].update({"count": "many"}) or None, "'many' elements"),
    "a node below itself": (lambda c: c["nodes"][2].update({"children": [2]}) or None, "node 2 has two parents|below"),
    "a ring of nodes": (lambda c: c["nodes"][2].update({"children": [0]}) or None, "node 0 is below itself"),
    "a fan of nodes": (lambda c: c["nodes"][1].update({"children": [2] * 50}) or None, "node 2 has two parents"),
    "a list": (lambda c: [1], "JSON is a list"),
    "nodes of numbers": (lambda c: c.update({"nodes": [1, 2]}) or None, "not a list of tables"),
    "a uri of a number": (lambda c: c.update({"buffers": [{"uri": 5, "byteLength": 9}]}) or None, "uri is a int"),
    "a uri elsewhere": (lambda c: c.update({"buffers": [{"uri": "../x.bin"}]}) or None, "does not lie beside"),
    "a huge number": (lambda c: c["nodes"][0].update({"scale": [10**400, 1, 1]}) or None, "not a readable glTF file"),
    "infinite places": (lambda c: c["nodes"][0].update({"scale": [1e300, 1e300, 1e300]}) or None, "finite|readable"),
    "an unknown extension": (
        lambda c: c.update({"extensionsRequired": ["XYZ_magic_compression"]}) or None,
        r"XYZ_magic_compression.*npx @gltf-transform/cli copy",
    ),
    "a mesh shown ten thousand times": (
        lambda c: c["nodes"].extend({"mesh": 0} for _ in range(200_000)) or None,
        "more than the limit",
    ),
    "small meshes shown ten thousand times": (
        lambda c: c["nodes"].extend({"mesh": 2} for _ in range(15_000)) or None,
        "pieces of meshes, more than the limit",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_one_line_and_little_work(tmp_path: Path, case: str) -> None:
    change, what = HOSTILE[case]
    path = hostile(tmp_path / "bad.glb", change)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=what) as caught:
            TargetsHead.load(path)
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
