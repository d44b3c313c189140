"""FLAME is fitted directly: its landmarks are placed exactly, and known coefficients come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.data.coefficients import Coefficients
from diffposetalk.errors import ModelError
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head import load_head
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.motion import Motion, MotionSpace, flame_channels
from diffposetalk.track import of_landmarks
from diffposetalk.track.camera import Pinhole
from diffposetalk.track.fit import Pose
from diffposetalk.track.landmarks import BROWS, LIDS, LIPS, FaceLandmarks
from diffposetalk.track.model import LandmarkModel

EMBEDDED = sorted([*LIPS, *LIDS, *BROWS, 2, 4, 5, 6, 97, 98, 129, 168, 195, 197, 326, 327, 358])
"""The 105 landmarks of FLAME's own embedding: no outline, no chin, no irises."""
N_FRAMES, SIZE = 50, (640, 480)


@pytest.fixture(scope="module")
def head(free_flame_head: FlameHead) -> FlameHead:
    few = free_flame_head.landmarks.some(EMBEDDED)
    return replace(free_flame_head, mediapipe=(few, np.array(EMBEDDED)), _converted={})


def truth() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients and jaw `(T, 53)`, turns, places and identity."""
    rng, time = np.random.default_rng(1), np.arange(N_FRAMES)[:, None] / 25
    speeds, phases = rng.uniform(3, 9, 50), rng.uniform(0, 6, 50)
    weights = np.concatenate([0.8 * np.sin(speeds * time + phases), np.zeros((N_FRAMES, 3))], 1)
    weights[:, 20:50] *= 0.3
    weights[:, 50] = 0.12 - 0.1 * np.cos(11 * time[:, 0])
    turns = np.concatenate([0.1 * np.sin(3 * time), 0.2 * np.sin(2 * time), 0.05 * np.cos(2 * time)], 1)
    places = np.concatenate([0.02 * np.sin(time), 0.01 * np.cos(time), -0.8 + 0 * time], 1)
    return weights, turns, places, np.concatenate([rng.standard_normal(40) * 0.6, np.zeros(60)])


def seen(head: FlameHead, noise_px: float) -> FaceLandmarks:
    """Return what a camera sees of the head, all 478 landmarks by name, those that the head lacks far off."""
    weights, turns, places, identity = truth()
    vertices = head.vertices(weights[:, :50], jaw_pose=weights[:, 50:], identity=identity)
    whole = np.full((N_FRAMES, 478, 3), [0.0, 0.1, 0.0])
    whole[:, 152] = [0.0, -0.05, 0.0]
    whole[:, head.mediapipe_indices] = head.landmarks.of(vertices)
    for side, corners in ((468, (33, 133)), (473, (263, 362))):
        whole[:, side] = whole[:, corners].mean(1)
    placed = Pose(rotation_matrix(turns), places).place(whole)
    camera = Pinhole.of_size(SIZE)
    points = np.concatenate([camera.project(placed), (places[:, None, 2:] - placed[..., 2:]) * camera.focal / 0.8], 2)
    points += np.random.default_rng(0).standard_normal(points.shape) * noise_px
    return FaceLandmarks(points.astype(np.float32), np.arange(N_FRAMES) / 25, SIZE)


def test_landmarks_are_where_the_head_has_them(head: FlameHead) -> None:
    model = LandmarkModel.of_head(head)
    weights, _, _, identity = truth()
    weights[:, 51:] = 0.05
    person = model.of_person(identity)
    vertices = head.vertices(weights[:, :50], jaw_pose=weights[:, 50:], identity=identity)
    assert np.abs(person.place(weights) - head.landmarks.of(vertices)).max() < 1e-9

    def change(function, width: int, step: float = 1e-5) -> np.ndarray:
        moves = step * np.eye(width)
        return np.stack([(function(move) - function(-move)) / (2 * step) for move in moves], 1)

    few = weights[7:9]
    assert np.allclose(person.derivative(few), change(lambda m: person.place(few + m), 53), atol=1e-7)
    by_identity = change(lambda m: model.of_person(identity + m).place(few), 100)
    assert np.allclose(model.identity_derivative(few), by_identity, atol=1e-7)


def test_known_coefficients_come_back(head: FlameHead, tmp_path: Path) -> None:
    weights, turns, _, identity = truth()
    found = of_landmarks(seen(head, 0.3), LandmarkModel.of_head(head), Pinhole.of_size(SIZE))
    motion = found.motion
    assert motion.head == "flame" and motion.expression.shape == (N_FRAMES, 50) and motion.jaw_pose is not None
    assert np.abs(motion.head_pose - turns).max() < np.deg2rad(4)
    assert np.corrcoef(motion.jaw_pose[:, 0], weights[:, 50])[0, 1] > 0.9
    lips = head.regions["lips"]
    real = head.part(lips).vertices(weights[:, :50], jaw_pose=weights[:, 50:], identity=identity)
    ours = head.part(lips).vertices(motion.expression, jaw_pose=motion.jaw_pose, identity=found.identity)
    off = ours - real
    off = off - off.mean((0, 1))
    assert 1e3 * np.linalg.norm(off, axis=-1).mean() < 1.5
    assert found.quality.error_percent < 1.0

    found.save(tmp_path / "talk.npz")
    again = Motion.load(tmp_path / "talk.npz")
    assert np.array_equal(again.jaw_pose, motion.jaw_pose)
    assert found.identity.shape == (100,)
    assert Coefficients.of_motion(again, found.identity).pose.shape == (N_FRAMES, 6)
    assert MotionSpace.stack(again, flame_channels()).shape == (N_FRAMES, 54)


def test_flame_without_landmarks_says_what_to_get(flame_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mediapipe_landmark_embedding\.npz"):
        LandmarkModel.of_head(load_head(str(flame_path)))
