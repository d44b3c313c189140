from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation

from diffposetalk.geometry import rotations
from diffposetalk.geometry.curves import at_times, lerp
from diffposetalk.geometry.normals import vertex_normals

VECTORS = np.concatenate(
    [
        np.random.default_rng(0).standard_normal((200, 3)),
        [[0, 0, 0], [1e-9, 0, 0], [0, 1e-4, 0], [np.pi - 1e-7, 0, 0], [0, 0, -3.0]],
    ]
)
"""Axis-angle, with the special cases: none, tiny, and nearly half a turn."""


def same_rotation(one: np.ndarray, other: np.ndarray, tolerance: float = 1e-7) -> None:
    a, b = (Rotation.from_rotvec(vectors) for vectors in (one, other))
    assert (a.inv() * b).magnitude().max() < tolerance


def test_all_forms_agree_with_scipy() -> None:
    theirs = Rotation.from_rotvec(VECTORS)
    np.testing.assert_allclose(rotations.matrices_of(VECTORS), theirs.as_matrix(), atol=1e-9)
    ours = rotations.quaternions_of(VECTORS)
    assert np.abs((ours * theirs.as_quat()).sum(1)) == pytest.approx(1, abs=1e-12)
    same_rotation(rotations.vectors_of(theirs.as_matrix()), VECTORS)
    same_rotation(rotations.vectors_of_quaternions(-3 * theirs.as_quat()), VECTORS)
    pitch, yaw, roll = rotations.pitch_yaw_roll(theirs.as_matrix()).T
    np.testing.assert_allclose(np.stack([yaw, pitch, roll], 1), theirs.as_euler("YXZ"), atol=1e-7)


def test_vectors_are_at_most_half_a_turn_and_zero_quaternions_rest() -> None:
    turned = rotations.vectors_of(rotations.matrices_of(4 * VECTORS))
    assert np.linalg.norm(turned, axis=1).max() <= np.pi + 1e-12
    assert rotations.vectors_of_quaternions(np.zeros((2, 4))).tolist() == [[0, 0, 0]] * 2


def test_angle_between_rotations_is_that_of_the_relative_one() -> None:
    a, b = VECTORS[:-1], VECTORS[1:]
    theirs = (Rotation.from_rotvec(a).inv() * Rotation.from_rotvec(b)).magnitude()
    np.testing.assert_allclose(rotations.angles_between(a, b), theirs, atol=1e-7)
    assert rotations.angles_between(np.zeros((1, 3)), np.array([[1e-8, 0, 0]])) == pytest.approx(1e-8)


def test_slerp_agrees_with_roma() -> None:
    position = np.linspace(0, 99, 700)
    low = np.floor(position).astype(int)
    turns = torch.from_numpy(VECTORS)
    theirs = torch.stack(
        [roma.rotvec_slerp(turns[a], turns[a + 1], torch.tensor([share]))[0] for a, share in zip(low, position - low)]
    )
    same_rotation(rotations.slerp(VECTORS, position), theirs.numpy(), 2e-6)


def test_turning_on_and_on_has_no_jumps() -> None:
    turn = np.linspace(0, 4 * np.pi, 200)[:, None] * [0, 1.0, 0]
    halved = rotations.vectors_of(rotations.matrices_of(turn))
    assert np.abs(np.diff(halved, axis=0)).max() > 6
    quaternions = rotations.continuous_quaternions(halved)
    assert (quaternions[1:] * quaternions[:-1]).sum(1).min() > 0.99
    once = rotations.continuous_vectors(halved)
    assert np.abs(np.diff(once, axis=0)).max() < 0.1


def test_nearest_rotation_is_never_a_reflection() -> None:
    matrices = np.random.default_rng(1).standard_normal((50, 3, 3))
    theirs = roma.special_procrustes(torch.from_numpy(matrices)).numpy()
    np.testing.assert_allclose(rotations.nearest_rotation(matrices), theirs, atol=1e-9)
    assert np.linalg.det(rotations.nearest_rotation(matrices)) == pytest.approx(1)


def test_cross_matrices_multiply_as_the_cross_product() -> None:
    a, b = VECTORS[:50], VECTORS[50:100]
    np.testing.assert_allclose((rotations.cross_matrices(a) @ b[..., None])[..., 0], np.cross(a, b), atol=1e-12)


def test_values_between_frames_and_times() -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert lerp(values, np.array([0.0, 1.5, 3.0])).tolist() == [[0, 1, 2], [4.5, 5.5, 6.5], [9, 10, 11]]
    assert lerp(values, np.array([0.5])).dtype == np.float32
    times = np.array([0.0, 1.0, 3.0, 4.0])
    assert at_times(times, values, np.array([-1.0, 2.0, 9.0]))[:, 0].tolist() == [0, 4.5, 9]
    assert at_times(times[:1], values[:1], times).tolist() == [[0, 1, 2]] * 4


def test_normals_of_a_tetrahedron_point_outside() -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9]], float) * 1e-4
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    normals = vertex_normals(points, faces, lone=(0, 0, 1))
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
    assert ((points[:4] - points[:4].mean(0)) * normals[:4]).sum(1).min() > 0
    assert normals[4].tolist() == [0, 0, 1]
    assert vertex_normals(points, faces)[4].tolist() == [0, 0, 0]
