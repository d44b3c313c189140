"""Blend shapes, rotations and skinning: numpy equals torch, gradients are right, known answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import roma
import torch

from diffposetalk.geometry import rotations, skinning
from diffposetalk.head.anny import lids
from diffposetalk.head.anny.head import AnnyHead


def tiny_head(seed: int = 0) -> AnnyHead:
    """A head of random numbers with two eyeballs of four vertices, and margins of the lids that mirror each other."""
    rng = np.random.default_rng(seed)
    names = [*lids.UPPER, *lids.LOWER]
    n_vertices = 18 + 2 * len(names)
    vertices = 0.1 * rng.standard_normal((n_vertices, 3))
    left = slice(18, 18 + len(names))
    vertices[left, 0] = np.concatenate([0.01 + np.linspace(0, 0.03, len(each)) for each in (lids.UPPER, lids.LOWER)])
    vertices[18 + len(names) :] = vertices[left] * [-1, 1, 1]
    base_index = np.full(n_vertices, -1, np.int32)
    base_index[left] = names
    eye = np.full(n_vertices, -1, np.int8)
    eye[10:14], eye[14:18] = 0, 1
    weights = rng.uniform(0, 0.5, (n_vertices, 2))
    data = {
        "vertices": vertices,
        "base_index": base_index,
        "parts": np.array([[0, n_vertices], *[[0, 0]] * 12]),
        "faces": rng.integers(0, n_vertices, (20, 3)).astype(np.int32),
        "expression": 0.01 * rng.standard_normal((52, n_vertices, 3)),
        "identity": 0.01 * rng.standard_normal((3, n_vertices, 3)),
        "joints": 0.1 * rng.standard_normal((4, 3)),
        "joint_identity": 0.01 * rng.standard_normal((3, 4, 3)),
        "joint_weights": weights,
        "eye_of_vertex": eye,
        "eye_rotation": 0.3 * rng.standard_normal((52, 2, 3)),
        "region_left_eye": np.flatnonzero(eye == 0),
        "region_right_eye": np.flatnonzero(eye == 1),
        "lip_columns": rng.integers(0, 10, (3, 2, 4)).astype(np.int32),
    }
    return AnnyHead(data)


def arguments(seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "rotation": rng.standard_normal((4, 3)),
        "points": rng.standard_normal((4, 7, 3)),
        "centre": rng.standard_normal((4, 3)),
        "basis": rng.standard_normal((5, 7, 3)),
        "coefficients": rng.standard_normal((4, 5)),
        "weights": rng.uniform(0, 0.5, (7, 2)),
        "joints": rng.standard_normal((4, 2, 3)),
    }


def posed(a: dict[str, Any]) -> Any:
    turn = rotations.rotation_matrix(a["rotation"])
    moved = skinning.rotate_about(a["points"], turn, a["centre"]) + skinning.blend_shapes(a["coefficients"], a["basis"])
    transforms = skinning.chain_transforms([turn, turn], a["joints"])
    return skinning.linear_blend_skinning(moved, a["weights"], transforms)


def test_torch_gives_what_numpy_gives() -> None:
    plain = arguments()
    tensors = {name: torch.tensor(value) for name, value in plain.items()}
    np.testing.assert_allclose(posed(tensors).numpy(), posed(plain), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e-3, 9.9e-3, 1.01e-2, 0.5, 3.0])
def test_rotations_are_those_of_an_independent_library(scale: float) -> None:
    vectors = scale * np.random.default_rng(0).standard_normal((20, 3))
    expected = roma.rotvec_to_rotmat(torch.tensor(vectors)).numpy()
    np.testing.assert_allclose(rotations.rotation_matrix(vectors), expected, atol=1e-12)


def test_positive_rotations_turn_as_the_conventions_say() -> None:
    nose, crown = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    nod, turn, tilt = (rotations.rotation_matrix(0.3 * axis) for axis in np.eye(3))
    assert (nod @ nose)[1] < 0, "+X nods down"
    assert (turn @ nose)[0] > 0, "+Y turns to the subject's left, which is +X"
    assert (tilt @ crown)[0] < 0, "+Z tilts toward the right shoulder"


@pytest.mark.parametrize("at", [np.zeros(3), np.array([1e-3, 0, 0]), np.array([0.4, -1.0, 0.2])])
def test_gradient_of_rotation(at: np.ndarray) -> None:
    vector = torch.tensor(at, requires_grad=True)
    assert torch.autograd.gradcheck(rotations.rotation_matrix, (vector,), atol=1e-6)


@pytest.mark.parametrize("pose", [np.zeros((2, 3)), np.array([[0.2, -0.4, 0.1], [0.0, 0.3, 0.0]])])
def test_gradient_of_whole_head(pose: np.ndarray) -> None:
    head = tiny_head()
    rng = np.random.default_rng(2)
    expression = torch.tensor(rng.uniform(0, 1, (2, 52)), requires_grad=True)
    identity = torch.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    pose = torch.tensor(pose, requires_grad=True)

    def place(e: torch.Tensor, p: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        return head.vertices(e, p, identity=i)

    assert torch.autograd.gradcheck(place, (expression, pose, identity), atol=1e-6, fast_mode=True)


@pytest.mark.parametrize(
    ("lead", "who"),
    [((), (3,)), ((5,), (3,)), ((5,), (5, 3)), ((2, 5), (3,)), ((2, 5), (2, 1, 3)), ((0,), (3,))],
)
def test_leading_dimensions_broadcast(lead: tuple[int, ...], who: tuple[int, ...]) -> None:
    head, rng = tiny_head(), np.random.default_rng(3)
    expression, pose = rng.uniform(0, 1, (*lead, 52)), rng.standard_normal((*lead, 3))
    identity = rng.standard_normal(who)
    all_at_once = head.vertices(expression, pose, identity=identity)
    assert all_at_once.shape == (*lead, head.n_vertices, 3)
    whose = np.broadcast_to(identity, (*lead, 3))
    for index in np.ndindex(*lead):
        one = head.vertices(expression[index], pose[index], identity=whose[index])
        np.testing.assert_allclose(all_at_once[index], one, atol=1e-12)


@pytest.mark.parametrize("make", [lambda: np.zeros(52, int), lambda: torch.zeros(52, dtype=torch.int64)])
def test_whole_numbers_are_taken_as_numbers(make: Callable[[], Any]) -> None:
    head = tiny_head()
    np.testing.assert_allclose(np.asarray(head.vertices(make())), head.data["vertices"], rtol=1e-6, atol=1e-8)


def test_single_precision_stays_single() -> None:
    head = tiny_head()
    assert head.vertices(np.zeros((2, 52), np.float32), np.zeros((2, 3), np.float32)).dtype == np.float32
    assert head.vertices(torch.zeros(2, 52), torch.zeros(2, 3)).dtype == torch.float32
