"""The free head: what the face does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head import load_head
from diffposetalk.head.anny.head import NECK_SHARE, AnnyHead
from diffposetalk.motion import Motion

MM = 1e3
Face = Callable[..., np.ndarray]


def test_all_channels_move_something(anny: AnnyHead, face: Face) -> None:
    rest = anny.vertices(face())
    for name in CHANNELS:
        moved = np.linalg.norm(anny.vertices(face(**{name: 1.0})) - rest, axis=-1)
        assert 1 < MM * moved.max() < 50, name


def test_closed_lips_have_no_gap_and_the_jaw_opens_them(anny: AnnyHead, face: Face) -> None:
    assert anny.lip_gap(anny.vertices(face())) == pytest.approx(0, abs=1e-6)
    gaps = [MM * anny.lip_gap(anny.vertices(face(jawOpen=w))) for w in (0.1, 0.25, 0.5, 0.75, 1)]
    assert (np.diff(gaps) > 3).all()
    assert 14 < gaps[2] < 18


@pytest.mark.parametrize("jaw", [0.1, 0.25, 0.5, 0.75])
def test_mouth_close_seals_an_open_jaw(anny: AnnyHead, jaw: float, face: Face) -> None:
    assert abs(MM * anny.lip_gap(anny.vertices(face(jawOpen=jaw, mouthClose=jaw)))) < 0.2


@pytest.mark.parametrize(
    ("name", "sign"), [("mouthFunnel", 1), ("mouthUpperUp", 1), ("mouthLowerDown", 1), ("mouthPress", -1)]
)
def test_lip_channels_open_or_press(anny: AnnyHead, name: str, sign: int, face: Face) -> None:
    gap = MM * anny.lip_gap(anny.vertices(face(**{name: 1.0})))
    assert sign * gap > 1


def test_lip_gap_of_torch(anny: AnnyHead) -> None:
    import torch

    expression = np.random.default_rng(0).uniform(0, 0.5, (3, 52)).astype(np.float32)
    vertices = anny.vertices(expression)
    np.testing.assert_allclose(anny.lip_gap(torch.tensor(vertices)).numpy(), anny.lip_gap(vertices), atol=1e-7)


def covered(anny: AnnyHead, vertices: np.ndarray) -> np.ndarray:
    """Share of the front of each eyeball with skin before it, seen from straight ahead: left and right."""
    skin = anny.regions["skin"]
    faces = anny.faces[np.isin(anny.faces, skin).all(1)]
    shares = []
    for side in (0, 1):
        ball = np.flatnonzero(anny.data["eye_of_vertex"] == side)
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


def test_blinking_covers_the_eyes(anny: AnnyHead, face: Face) -> None:
    assert (covered(anny, anny.vertices(face())) < 0.4).all()
    assert (covered(anny, anny.vertices(face(eyeBlink=1.0))) > 0.95).all()
    left, right = covered(anny, anny.vertices(face(eyeBlinkLeft=1.0)))
    assert left > 0.95 and right < 0.4


@pytest.mark.parametrize(
    ("channel", "axis", "sign"),
    [
        ("eyeLookInLeft", 0, -1), ("eyeLookOutLeft", 0, 1), ("eyeLookUpLeft", 1, 1), ("eyeLookDownLeft", 1, -1),
        ("eyeLookInRight", 0, 1), ("eyeLookOutRight", 0, -1), ("eyeLookUpRight", 1, 1), ("eyeLookDownRight", 1, -1),
    ],
)  # fmt: skip
def test_gaze_turns_the_right_eye_the_right_way(anny: AnnyHead, channel: str, axis: int, sign: int, face: Face) -> None:
    names = ("left_eye", "right_eye") if channel.endswith("Left") else ("right_eye", "left_eye")
    moved = anny.vertices(face(**{channel: 1.0})) - anny.data["vertices"]
    pupil = anny.landmarks.of(moved, np.array([473 if channel.endswith("Left") else 468]))[0]
    assert 1.5 < sign * MM * pupil[axis] < 6
    assert np.abs(moved[anny.regions[names[1]]]).max() == pytest.approx(0, abs=1e-7)
    ball = anny.regions[names[0]]
    centre = anny.data["joints"][2 if names[0] == "left_eye" else 3]
    radius = np.linalg.norm(anny.data["vertices"][ball] - centre, axis=1)
    turned = np.linalg.norm(anny.vertices(face(**{channel: 1.0}))[ball] - centre, axis=1)
    np.testing.assert_allclose(turned, radius, atol=1e-6)


@pytest.mark.parametrize("name", ["jawLeft", "mouthLeft"])
def test_left_is_the_subjects_left(anny: AnnyHead, name: str, face: Face) -> None:
    lips = anny.regions["lips"]
    moved = anny.vertices(face(**{name: 1.0}))[lips] - anny.data["vertices"][lips]
    assert MM * moved[:, 0].mean() > 1


def test_mirrored_channels_move_mirrored_places(anny: AnnyHead, face: Face) -> None:
    from diffposetalk.arkit import MIRROR

    skin = anny.regions["skin"]
    rest = anny.data["vertices"][skin]
    flip = np.array([-1, 1, 1], np.float32)
    gap = np.linalg.norm(rest[::7, None] * flip - rest[None], axis=-1)
    twin, exact = gap.argmin(1), gap.min(1) < 1e-5
    assert exact.mean() > 0.9
    for name in CHANNELS:
        here = anny.vertices(face(**{name: 1.0}))[skin][::7][exact] * flip
        there = anny.vertices(face(**{MIRROR[name]: 1.0}))[skin][twin[exact]]
        assert MM * np.median(np.linalg.norm(here - there, axis=1)) < 0.2, name


def kabsch(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd((after - after.mean(0)).T @ (before - before.mean(0)))
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


@pytest.mark.parametrize("pose", [[0.3, 0, 0], [0, 0.5, 0], [0, 0, -0.2], [0.1, -0.4, 0.2]])
def test_neck_and_head_share_the_rotation_and_the_trunk_stays(anny: AnnyHead, pose: list[float], face: Face) -> None:
    vector = np.array(pose, np.float32)
    weights = anny.data["joint_weights"]
    rest, moved = anny.vertices(face()), anny.vertices(face(), vector)
    skull = weights[:, 1] > 0.999
    np.testing.assert_allclose(kabsch(rest[skull], moved[skull]), rotation_matrix(vector), atol=1e-4)
    trunk = weights.sum(1) < 1e-4
    assert trunk.sum() > 100
    np.testing.assert_allclose(moved[trunk], rest[trunk], atol=1e-5)
    neck_joint, head_joint = anny.data["joints"][:2]
    carried = rotation_matrix(NECK_SHARE * vector) @ (head_joint - neck_joint) + neck_joint
    mean = kabsch(rest[skull], moved[skull]) @ (head_joint - rest[skull].mean(0)) + moved[skull].mean(0)
    np.testing.assert_allclose(mean, carried, atol=1e-4)


def test_no_rotation_is_rest(anny: AnnyHead, face: Face) -> None:
    np.testing.assert_allclose(anny.vertices(face(), np.zeros(3, np.float32)), anny.vertices(face()), atol=1e-7)


@pytest.mark.parametrize("region", ["lips", "mouth", "eyelids", "upper_face"])
def test_a_region_by_its_basis_is_the_region_of_the_whole(anny: AnnyHead, region: str) -> None:
    expression = np.random.default_rng(1).uniform(0, 1, (4, 52)).astype(np.float32)
    whole = anny.vertices(expression)[:, anny.regions[region]]
    basis = anny.expression_basis(region)
    assert basis.shape == (52, len(anny.regions[region]), 3)
    np.testing.assert_allclose(anny.neutral(region) + np.einsum("tk,knc->tnc", expression, basis), whole, atol=1e-6)


def test_the_eyes_basis_is_their_derivative(anny: AnnyHead, face: Face) -> None:
    step = 1e-3
    moved = (anny.vertices(face(eyeLookUp=step)) - anny.vertices(face()))[anny.regions["left_eye"]] / step
    basis = anny.expression_basis("left_eye")[INDEX["eyeLookUpLeft"]]
    np.testing.assert_allclose(moved, basis, atol=1e-5)


def test_torch_agrees_and_carries_gradients(anny: AnnyHead) -> None:
    import torch

    rng = np.random.default_rng(2)
    expression, pose = rng.uniform(0, 1, (3, 52)).astype("f"), 0.3 * rng.standard_normal((3, 3)).astype("f")
    identity = rng.standard_normal(anny.identity_dim).astype("f")
    tensors = [torch.tensor(each, requires_grad=True) for each in (expression, pose, identity)]
    placed = anny.vertices(tensors[0], tensors[1], identity=tensors[2])
    np.testing.assert_allclose(placed.detach(), anny.vertices(expression, pose, identity=identity), atol=2e-6)
    placed.square().mean().backward()
    assert all(torch.isfinite(each.grad).all() and each.grad.abs().sum() > 0 for each in tensors)


def motion_of(n_frames: int, names: tuple[str, ...] = CHANNELS) -> Motion:
    rng = np.random.default_rng(4)
    expression = rng.uniform(0, 0.5, (n_frames, len(names))).astype(np.float32)
    return Motion(expression, names, 0.1 * rng.standard_normal((n_frames, 3)).astype(np.float32), 25.0)


def test_a_motion_in_pieces_is_the_whole_motion(anny: AnnyHead) -> None:
    motion, identity = motion_of(11), anny.presets["female"]
    sequence = anny.mesh_sequence(motion, identity)
    assert len(sequence) == 11 and sequence.fps == 25.0
    pieces = list(anny.iter_vertices(motion, identity, chunk=4))
    assert [len(piece) for piece in pieces] == [4, 4, 3]
    np.testing.assert_allclose(np.concatenate(pieces), sequence.vertices, atol=1e-6)
    assert sequence.vertices.dtype == np.float32
    assert len(anny.mesh_sequence(motion.slice(0, 0))) == 0


def test_channels_go_by_name(anny: AnnyHead) -> None:
    motion = motion_of(3)
    turned = Motion(motion.expression[:, ::-1], CHANNELS[::-1], motion.head_pose, 25.0)
    np.testing.assert_allclose(anny.mesh_sequence(turned).vertices, anny.mesh_sequence(motion).vertices, atol=1e-7)
    with pytest.raises(ModelError, match="tongueOut"):
        anny.mesh_sequence(motion_of(3, CHANNELS[:-1]))


def test_what_does_not_fit_is_refused(anny: AnnyHead, face: Face) -> None:
    with pytest.raises(ModelError, match="52"):
        anny.vertices(np.zeros(50, np.float32))
    with pytest.raises(ModelError, match="jaw_pose"):
        anny.vertices(face(), jaw_pose=np.zeros(3))
    with pytest.raises(ModelError, match="identity"):
        anny.vertices(face(), identity=np.zeros(7))
    with pytest.raises(ModelError, match="nostrils"):
        anny.expression_basis("nostrils")
    with pytest.raises(UsageError, match="bald"):
        load_head("bald")
    with pytest.raises(InputError, match="no head file"):
        load_head("missing.npz")
