"""Heads of named shapes: names, regions, glTF and npz files, and what is refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError, ModelError
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.head import load_head
from diffposetalk.head.shapes.head import TargetsHead, connected
from diffposetalk.head.shapes.names import arkit_name
from diffposetalk.motion import Motion

FACES = np.array([[0, 1, 2], [2, 1, 3], [4, 5, 6]])
PLACES = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0.1, 0.2, 0], [1, 0, 0], [1.1, 0, 0], [1, 0.1, 0]], np.float32)


def small(**changes: object) -> TargetsHead:
    deltas = np.zeros((2, 7, 3), np.float32)
    deltas[0, 0, 1], deltas[1, 3, 2] = -0.02, 0.01
    wanted = {"name": "small", "neutral": PLACES, "faces": FACES, "names": ("jawOpen", "smirk"), "deltas": deltas}
    return TargetsHead.of(**(wanted | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("browDown_L", "browDownLeft"),
        ("JawOpen", "jawOpen"),
        ("Wolf3D_Head.eyeBlinkRight", "eyeBlinkRight"),
        ("eyeBlink_R", "eyeBlinkRight"),
        ("browInnerUp_L", "browInnerUp"),
        ("mouthLeft", "mouthLeft"),
        ("cheekRaiser_L", "cheekRaiser_L"),
        ("viseme_aa", "viseme_aa"),
        *((name, name) for name in CHANNELS),
    ],
)
def test_names(name: str, plain: str) -> None:
    assert arkit_name(name) == plain


def test_halves_add_up_quads_split_and_centimetres() -> None:
    deltas = np.zeros((2, 7, 3))
    deltas[0, 0, 1], deltas[1, 3, 1] = 1, 2
    quads = np.array([[0, 1, 3, 2]])
    head = small(neutral=100 * PLACES, faces=quads, names=("browInnerUp_L", "browInnerUp_R"), deltas=deltas)
    assert head.expression_names == ("browInnerUp",) and len(head.faces) == 2
    assert np.allclose(head.neutral, PLACES)
    assert head.deltas[0, 0, 1] == pytest.approx(0.01) and head.deltas[0, 3, 1] == pytest.approx(0.02)


def test_connected_pieces_join_at_equal_places() -> None:
    split = np.concatenate([PLACES, PLACES[1:2]])  # a seam: vertex 7 lies where 1 does
    pieces = connected(split, np.array([[0, 1, 2], [2, 7, 3], [4, 5, 6]]))
    assert len(set(pieces[:4])) == 1 and pieces[7] == pieces[1] and pieces[4] != pieces[0]


def test_vertices_are_linear_and_turn() -> None:
    import torch

    head = small()
    weights = np.array([[0.5, 1.0]], np.float32)
    moved = head.vertices(weights)
    assert moved[0, 0, 1] == pytest.approx(-0.01) and moved[0, 3, 2] == pytest.approx(0.01)
    turned = head.vertices(weights, np.array([[0, np.pi / 2, 0]], np.float32))
    assert np.allclose((turned - head.pivot)[0, :, 0], (moved - head.pivot)[0, :, 2], atol=1e-6)
    assert np.allclose(head.vertices(torch.from_numpy(weights)).numpy(), moved, atol=1e-7)


def test_motions_of_arkit_channels_move_what_there_is() -> None:
    head = small()
    motion = Motion(np.full((3, 52), 0.5), CHANNELS, np.zeros((3, 3)), 25.0)
    vertices = head.mesh_sequence(motion).vertices
    assert vertices.shape == (3, 7, 3) and vertices[0, 0, 1] == pytest.approx(-0.01)
    with pytest.raises(ModelError, match="exp_00"):
        next(head.iter_vertices(Motion(np.zeros((1, 1)), ("exp_00",), np.zeros((1, 3)), 25.0)))


def test_npz_round_trip_with_landmarks(tmp_path: Path) -> None:
    points = Landmarks(np.array([[2, 0, 1], [1, 3, 2]], np.int32), np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7]], "f4"))
    head = small(mediapipe=(points, np.array([13, 14])), regions={"lips": np.array([0, 1])})
    head.save(tmp_path / "small.npz")
    again = load_head(str(tmp_path / "small.npz"))
    assert isinstance(again, TargetsHead) and again.name == "small"
    assert again.expression_names == head.expression_names and again.mediapipe_indices.tolist() == [13, 14]
    assert np.allclose(again.landmarks.of(again.neutral), points.of(head.neutral), atol=1e-7)
    assert again.regions["lips"].tolist() == [0, 1] and np.array_equal(again.deltas, head.deltas)


def test_arrays_of_another_layout_are_refused_by_what_they_lack(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", base=PLACES, names=np.array(["jawOpen"]), deltas=np.zeros((1, 7, 3)))
    with pytest.raises(InputError, match=r"other\.npz: is not a head, it lacks neutral, faces; docs/retargeting\.md"):
        load_head(str(tmp_path / "other.npz"))
    small().save(tmp_path / "cut.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:400])
    with pytest.raises(InputError, match="not a readable npz file"):
        load_head(str(tmp_path / "cut.npz"))


def glb(path: Path, names: list[str] | None, sparse: bool = False) -> Path:
    """Write the small head as GLB by hand: half size, moved up by its node, the first target sparse if asked."""
    head = small()
    first, second = head.deltas
    rows = np.flatnonzero(np.abs(first).sum(1)).astype(np.uint16)
    arrays = [PLACES, FACES.astype(np.uint16).reshape(-1), first, second, rows, first[rows]]
    views, blob = [], b""
    for array in arrays:
        data = array.tobytes()
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": len(data)})
        blob += data + b"\0" * (-len(data) % 4)
    kind = {"componentType": 5126, "type": "VEC3", "count": 7}
    accessors = [{"bufferView": 0} | kind, {"bufferView": 1, "componentType": 5123, "type": "SCALAR", "count": 9}]
    accessors += [{"bufferView": 2} | kind, {"bufferView": 3} | kind]
    if sparse:
        indices = {"bufferView": 4, "componentType": 5123}
        accessors[2] = kind | {"sparse": {"count": len(rows), "indices": indices, "values": {"bufferView": 5}}}
    part = {"attributes": {"POSITION": 0}, "indices": 1, "targets": [{"POSITION": 2}, {"POSITION": 3}]}
    mesh = {"primitives": [part]} | ({"extras": {"targetNames": names}} if names else {})
    nodes = [{"children": [1], "scale": [0.5, 0.5, 0.5]}, {"mesh": 0, "translation": [0, 1, 0]}]
    scene = {"asset": {"version": "2.0"}, "buffers": [{"byteLength": len(blob)}], "bufferViews": views}
    scene |= {"accessors": accessors, "meshes": [mesh], "nodes": nodes}
    text = json.dumps(scene).encode()
    text += b" " * (-len(text) % 4)
    head_of = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(blob))
    path.write_bytes(
        head_of + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(blob), b"BIN\0")
    )
    with path.open("ab") as file:
        file.write(blob)
    return path


@pytest.mark.parametrize("sparse", [False, True])
def test_glb(tmp_path: Path, sparse: bool) -> None:
    head = load_head(str(glb(tmp_path / "small.glb", ["JawOpen", "smirk"], sparse)))
    assert head.name == "small" and head.expression_names == ("jawOpen", "smirk")
    assert np.allclose(head.mesh().vertices, 0.5 * (PLACES + np.array([0, 1, 0])))
    assert np.allclose(head.expression_basis(np.arange(7)), 0.5 * small().deltas)


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    whole = glb(tmp_path / "a.glb", ["jawOpen", "smirk"]).read_bytes()
    for length in range(0, len(whole) - 1, 61):
        (tmp_path / "b.glb").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"b\.glb") as caught:
            TargetsHead.load(tmp_path / "b.glb")
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"morph targets have no names; ARKit.s 52 channels"):
        TargetsHead.load(glb(tmp_path / "c.glb", None))
    with pytest.raises(InputError, match="no such"):
        TargetsHead.load(tmp_path / "none.glb")
    np.savez(tmp_path / "d.npz", neutral=PLACES)
    with pytest.raises(InputError, match="lacks faces, names, deltas"):
        TargetsHead.load(tmp_path / "d.npz")


def test_arrays_that_do_not_fit() -> None:
    for change, what in (
        ({"deltas": np.zeros((2, 6, 3))}, "shapes are"),
        ({"deltas": np.zeros((3, 7, 3))}, "2 names but 3"),
        ({"faces": np.array([[0, 1, 9]])}, "outside"),
        ({"neutral": np.full((7, 3), np.nan)}, "finite"),
    ):
        with pytest.raises(InputError, match=what):
            small(**change)


def test_parts_of_the_three_open_heads(shared: Path) -> None:
    with np.load(shared / "heads" / "ict_facekit_compact.npz") as file:
        deltas = file["expressions_i16"] * file["expressions_scale"]
        ict = TargetsHead.of("ict", file["neutral"], file["faces"], file["expression_names"].tolist(), deltas)
    assert 0.3 < np.ptp(ict.neutral[:, 1]) < 0.4, "centimetres were told from the size"
    assert set(CHANNELS) - set(ict.expression_names) == {"tongueOut"}
    lips, lids, brows = (ict.neutral[ict.regions[name]].mean(0) for name in ("lips", "eyelids", "upper_face"))
    assert lips[1] < lids[1] < brows[1] and abs(lips[0]) < 1e-3
    with np.load(shared / "heads" / "lam_flame_arkit51.npz") as file:
        faces = np.load(shared / "heads" / "flame2023_open_part.npz")["faces"]
        lam = TargetsHead.of("lam", file["base"], faces, file["names"].tolist(), file["deltas"])
    assert len(lam.regions["left_eye"]) == len(lam.regions["right_eye"]) == 546
    assert lam.neutral[lam.regions["left_eye"], 0].min() > 0, "left is the subject's"
