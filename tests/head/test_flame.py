"""FLAME: the reference numbers, the protocol of a head, gradients, and what is refused."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffposetalk.errors import InputError, ModelError
from diffposetalk.head.flame.files import read_arrays, read_model
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.head.flame.landmarks import contour_row
from diffposetalk.motion import Motion, flame_channels

TOLERANCE = 1e-5
KINDS = {"numpy": np.asarray, "torch": torch.tensor}
Make = Callable[[int, int, Path], Path]


@pytest.fixture(scope="module")
def head(flame_path: Path) -> FlameHead:
    return FlameHead.load(flame_path)


@pytest.fixture(scope="module", params=["flame_small", "flame_chumpy", "flame_5023"])
def expected(
    request: pytest.FixtureRequest, reference: Path, make_flame: Make, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FlameHead, dict[str, np.ndarray]]:
    name = request.param
    path = reference / name / "generic_model.pkl"
    if name == "flame_5023":
        path = make_flame(5023, 7, tmp_path_factory.mktemp(name) / "generic_model.pkl")
    with np.load(reference / f"{name}_out.npz") as file:
        return FlameHead.load(path), dict(file)


def close(got: Any, want: np.ndarray) -> None:
    np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=TOLERANCE * np.abs(want).max())


@pytest.mark.parametrize("kind", KINDS)
def test_reference_vertices(expected: tuple[FlameHead, dict[str, np.ndarray]], kind: str) -> None:
    head, want = expected
    identity, expression, pose, eyes, mats = (
        KINDS[kind](want[k]) for k in ("shape", "exp", "pose", "eye_pose", "pose_mats")
    )
    turned, jaw = pose[:, :3], pose[:, 3:]
    close(head.vertices(expression, turned, jaw, identity), want["verts"])
    close(head.vertices(expression, turned, jaw, identity, ignore_head_pose=True)[:2], want["verts_ignore_rot"])
    close(head.vertices(expression, None, jaw, identity)[:2], want["verts_ignore_rot"])
    close(head.vertices(expression[1:2], turned[1:2], jaw[1:2], identity[1:2], eye_pose=eyes[1:2]), want["verts_eye"])
    close(head.vertices(expression, identity=identity, pose_mats=mats), want["verts"])
    close(head.vertices(expression, identity=identity, pose_mats=mats.reshape(-1, 2, 3, 3)), want["verts"])


@pytest.mark.parametrize("kind", KINDS)
def test_reference_landmarks(expected: tuple[FlameHead, dict[str, np.ndarray]], kind: str) -> None:
    head, want = expected
    if "lm2d" not in want:
        assert head.points is None
        with pytest.raises(ModelError, match=r"landmark_embedding\.npy"):
            head.landmarks_3d(want["verts"])
        return
    vertices, pose = KINDS[kind](want["verts"]), KINDS[kind](want["pose"])
    close(head.landmarks_2d(vertices, pose[:, :3]), want["lm2d"])
    close(head.landmarks_3d(vertices), want["lm3d"])


def plain_flame(head: FlameHead, expression: np.ndarray, pose: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """FLAME written out for one frame in double precision: `pose (5, 3)` of all joints."""
    m = head.model
    shaped = m.template + np.einsum("k,kvc->vc", identity, m.identity_basis.astype(float))
    shaped = shaped + np.einsum("k,kvc->vc", expression, m.expression_basis.astype(float))
    joints = m.joint_regressor @ shaped
    turns = []
    for vector in pose:
        angle = np.linalg.norm(vector + 1e-8)
        x, y, z = vector / angle
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turns.append(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
    for j in range(1, 5):
        shaped = shaped + np.einsum("k,kvc->vc", (turns[j] - np.eye(3)).ravel(), m.pose_basis[j - 1].astype(float))
    whole: list[np.ndarray] = []
    for j, turn in enumerate(turns):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = turn, joints[j] - (joints[m.parents[j]] if j else 0)
        whole.append(whole[m.parents[j]] @ local if j else local)
    out = np.zeros_like(shaped)
    for j, frame in enumerate(whole):
        out += m.weights[:, j, None] * ((shaped - joints[j]) @ frame[:3, :3].T + frame[:3, 3])
    return out


@pytest.mark.parametrize("resting", [(), (0,), (1,), (2,), (3, 4), (0, 1, 3, 4), (1, 2, 3, 4)])
def test_joints_at_rest_change_nothing(head: FlameHead, resting: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    expression, identity, pose = rng.standard_normal(50), rng.standard_normal(100), rng.uniform(-1, 1, (5, 3))
    pose[list(resting)] = 0
    given: list[Any] = [None if j in resting else pose[j] for j in range(5)]
    eyes = None if given[3] is None else pose[3:].ravel()
    got = head.vertices(expression, given[0], given[2], identity, given[1], eyes)
    np.testing.assert_allclose(got, plain_flame(head, expression, pose, identity), atol=2e-6)


def test_gradients(make_flame: Make, tmp_path: Path) -> None:
    head = FlameHead.load(make_flame(6, 1, tmp_path / "small.npz"), n_identity=3, n_expression=2)
    rng = np.random.default_rng(1)

    def number(*shape: int, scale: float = 0.5) -> torch.Tensor:
        return torch.tensor(scale * rng.standard_normal(shape), requires_grad=True)

    given = number(2, 2), number(2, 3), number(2, 3), number(2, 3), number(2, 3), number(2, 6)
    assert torch.autograd.gradcheck(head.vertices, given, atol=1e-6, fast_mode=True)
    rest = number(2, 2), number(2, 3, scale=0), number(2, 3, scale=0)
    assert torch.autograd.gradcheck(head.vertices, rest, atol=1e-6, fast_mode=True)


def test_leading_dimensions_and_one_identity_for_all(head: FlameHead) -> None:
    rng = np.random.default_rng(2)
    expression, jaw, turn = (
        rng.standard_normal((2, 3, 50)),
        rng.uniform(-1, 1, (2, 3, 3)),
        rng.uniform(-1, 1, (2, 3, 3)),
    )
    identity = rng.standard_normal((2, 1, 100))
    together = head.vertices(expression, turn, jaw, identity)
    expanded = torch.tensor(identity).expand(2, 3, 100)
    assert head.person(expanded, torch.tensor(expression))[0].shape == (2, 1, 40, 3), "blended once for all frames"
    np.testing.assert_allclose(
        head.vertices(torch.tensor(expression), torch.tensor(turn), torch.tensor(jaw), expanded), together, atol=1e-12
    )
    for index in np.ndindex(2, 3):
        one = head.vertices(expression[index], turn[index], jaw[index], identity[index[0], 0])
        np.testing.assert_allclose(together[index], one, atol=1e-12)
    assert head.vertices(np.zeros((0, 50)), np.zeros((0, 3))).shape == (0, 40, 3)


def test_fewer_coefficients_are_the_leading_ones(flame_path: Path, head: FlameHead) -> None:
    whole = FlameHead.load(flame_path, n_identity=300, n_expression=100)
    rng = np.random.default_rng(3)
    expression, identity = rng.standard_normal(50), rng.standard_normal(100)
    np.testing.assert_array_equal(
        whole.vertices(expression, identity=identity), head.vertices(expression, identity=identity)
    )
    assert whole.identity_dim == 300 and len(whole.expression_names) == 100
    with pytest.raises(ModelError, match="up to 50 expression"):
        head.vertices(np.zeros(51))
    with pytest.raises(ModelError, match="up to 100 identity"):
        head.vertices(expression, identity=np.zeros(101))
    with pytest.raises(ModelError, match="300 identity and 100 expression coefficients, asked for 301 and 50"):
        FlameHead.load(flame_path, n_identity=301)


def test_a_part_moves_as_the_whole(head: FlameHead) -> None:
    rng = np.random.default_rng(4)
    expression, turn, jaw = rng.standard_normal((3, 50)), rng.uniform(-1, 1, (3, 3)), rng.uniform(-1, 1, (3, 3))
    index = np.array([7, 3, 20])
    np.testing.assert_allclose(
        head.part(index).vertices(expression, turn, jaw), head.vertices(expression, turn, jaw)[:, index], atol=1e-12
    )
    moved = head.neutral(index) + np.einsum("tk,kvc->tvc", expression, head.expression_basis(index))
    np.testing.assert_allclose(head.vertices(expression)[:, index], moved, atol=1e-12)


def flame_motion(n_frames: int = 30, n_expression: int = 50) -> Motion:
    rng = np.random.default_rng(5)
    return Motion(
        rng.standard_normal((n_frames, n_expression)),
        flame_channels(n_expression, head_pose=False)[:-1],
        rng.uniform(-0.3, 0.3, (n_frames, 3)),
        25.0,
        "flame",
        jaw_pose=rng.uniform(0, 0.2, (n_frames, 3)),
    )


def test_motions_and_meshes(head: FlameHead, flame_path: Path) -> None:
    motion, identity = flame_motion(), np.full(100, 0.1, np.float32)
    sequence = head.mesh_sequence(motion, identity)
    direct = head.vertices(motion.expression, motion.head_pose, motion.jaw_pose, identity)
    np.testing.assert_allclose(sequence.vertices, direct, atol=1e-6)
    pieces = list(head.iter_vertices(motion, identity, chunk=7))
    assert [len(piece) for piece in pieces] == [7, 7, 7, 7, 2]
    np.testing.assert_allclose(np.concatenate(pieces), direct, atol=1e-6)
    assert sequence.mesh.face_material is not None and len(sequence.mesh.face_material) == len(head.faces)
    order = np.random.default_rng(0).permutation(50)
    shuffled = replace(
        motion,
        expression=motion.expression[:, order],
        expression_names=tuple(motion.expression_names[i] for i in order),
    )
    np.testing.assert_allclose(head.mesh_sequence(shuffled, identity).vertices, direct, atol=1e-6)
    with pytest.raises(ModelError, match="exp_50"):
        head.mesh_sequence(flame_motion(n_expression=60))
    assert FlameHead.load(flame_path, n_expression=100).mesh_sequence(motion).vertices.shape == (30, 40, 3)


def test_memory_does_not_grow_with_length(make_flame: Make, tmp_path: Path) -> None:
    head = FlameHead.load(make_flame(800, 1, tmp_path / "m.npz"))
    peaks = []
    for n_frames in (200, 2000):
        motion = flame_motion(n_frames)
        tracemalloc.start()
        for _ in head.iter_vertices(motion, chunk=50):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 1e6


def test_single_precision_stays_single(head: FlameHead) -> None:
    zeros = np.zeros((2, 50), np.float32), np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    assert head.vertices(*zeros).dtype == np.float32
    assert head.vertices(*map(torch.tensor, zeros)).dtype == torch.float32
    assert head.vertices(np.zeros(50, int)).dtype == np.float32


def test_outline_rows() -> None:
    turns = np.deg2rad([0, 0.4, 1, 39, 40, 80, -0.4, -1, -39, -40, -80])
    poses = np.stack([0 * turns, turns, 0 * turns], -1)
    assert contour_row(poses).tolist() == [0, 0, 1, 39, 39, 39, 0, 40, 78, 78, 78]
    assert contour_row(poses / 2, poses / 2).tolist() == contour_row(poses).tolist()
    assert contour_row(torch.tensor(poses)).tolist() == contour_row(poses).tolist()


def test_masks_name_the_regions(flame_path: Path, tmp_path: Path) -> None:
    masks = {
        "lips": np.array([3, 1, 2]),
        "forehead": np.array([5, 6]),
        "eye_region": np.array([7, 8]),
        "neck": np.array([9]),
    }
    path = tmp_path / "FLAME_masks.pkl"
    path.write_bytes(pickle.dumps(masks, 2))
    head = FlameHead.load(flame_path, masks=path)
    assert head.regions["lips"].tolist() == [1, 2, 3] and head.regions["neck"].tolist() == [9]
    assert set(head.regions["upper_face"]) <= {5, 6, 7, 8}
    path.write_bytes(pickle.dumps({"lips": np.array([40])}, 2))
    with pytest.raises(InputError, match=r"FLAME_masks\.pkl: the mask lips has vertices beyond the head's 40"):
        FlameHead.load(flame_path, masks=path)


def test_mediapipe_landmarks(flame_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "mediapipe_landmark_embedding.npz"
    rows, picked = np.arange(105) % 80, np.arange(105) * 4
    np.savez(path, lmk_face_idx=rows, lmk_b_coords=np.full((105, 3), 1 / 3), landmark_indices=picked)
    head = FlameHead.load(flame_path, landmarks=[path])
    assert head.points is None
    middle = head.model.template[head.faces[rows]].mean(1)
    np.testing.assert_allclose(head.landmarks.of(head.model.template), middle, atol=1e-6)
    np.testing.assert_array_equal(head.mediapipe_indices, picked)
    with pytest.raises(ModelError, match=r"mediapipe_landmark_embedding\.npz"):
        _ = FlameHead.load(flame_path).landmarks


def test_npz_and_pickle_are_one_head(make_flame: Make, tmp_path: Path) -> None:
    heads = [FlameHead.load(make_flame(30, 2, tmp_path / f"m{suffix}")) for suffix in (".pkl", ".npz")]
    expression, jaw = np.full(50, 0.3), np.array([0.2, 0, 0])
    np.testing.assert_array_equal(*(head.vertices(expression, None, jaw) for head in heads))


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a missing key": (lambda m: m.pop("posedirs"), "lacks posedirs"),
    "too few directions": (lambda m: m.update(shapedirs=m["shapedirs"][..., :150]), r"shapedirs is \(20, 3, 150\)"),
    "another V": (lambda m: m.update(weights=m["weights"][:-1]), r"weights is \(19, 5\), FLAME has \(20, 5\)"),
    "faces outside": (lambda m: m["f"].__setitem__((0, 0), 20), "f points outside"),
    "not finite": (lambda m: m["v_template"].__setitem__(0, np.nan), "v_template holds numbers that are not finite"),
    "no tree": (lambda m: m["kintree_table"].__setitem__((0, 1), 3), "kintree_table"),
    "no numbers": (lambda m: m.update(v_template=np.array(["a"])), "v_template holds no numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_models(make_flame: Make, tmp_path: Path, name: str) -> None:
    damage, message = BROKEN[name]
    path = make_flame(20, 2, tmp_path / "model.npz")
    with np.load(path) as file:
        arrays: dict[str, Any] = dict(file)
    damage(arrays)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message) as refusal:
        FlameHead.load(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_missing_model_tells_where_flame_is_from(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        FlameHead.load(tmp_path / "generic_model.pkl")
    for word in ("generic_model.pkl", "flame.is.tue.mpg.de", "licence", "CC BY", "--add"):
        assert word in str(refusal.value)


@pytest.mark.parametrize("needed", [False, True])
def test_a_foreign_chumpy_class_counts_only_where_it_is_needed(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    module, home = types.ModuleType("chumpy"), types.ModuleType("chumpy.logic")
    foreign = type("LogicFunc", (), {"__module__": "chumpy.logic"})
    home.LogicFunc = foreign  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", module)
    monkeypatch.setitem(sys.modules, "chumpy.logic", home)
    odd = foreign()
    odd.__dict__ = {"a": np.arange(3), "kind": "greater"}
    model = read_arrays(reference / "flame_small" / "generic_model.pkl")
    model["bs_style" if not needed else "posedirs"] = odd
    (tmp_path / "generic_model.pkl").write_bytes(pickle.dumps(model, 2))
    if needed:
        with pytest.raises(InputError, match=r"posedirs is chumpy\.logic\.LogicFunc, which is not understood"):
            read_model(tmp_path / "generic_model.pkl", 100, 50)
    else:
        assert len(read_model(tmp_path / "generic_model.pkl", 100, 50).template) == 24
