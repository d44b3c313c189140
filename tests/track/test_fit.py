"""Known motion of the head, seen by a camera with noise, is recovered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diffposetalk.arkit import INDEX
from diffposetalk.errors import ModelError, UsageError
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head import load_head
from diffposetalk.head.base import BaseHead
from diffposetalk.metrics import blink_frames
from diffposetalk.track import of_landmarks
from diffposetalk.track.camera import Pinhole
from diffposetalk.track.fit import Pose
from diffposetalk.track.landmarks import FaceLandmarks, lip_aperture
from diffposetalk.track.model import LandmarkModel

N_FRAMES, SIZE = 60, (640, 480)


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    return LandmarkModel.of_head(load_head("anny"))


def truth(model: LandmarkModel) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, head pose, identity and where the head is."""
    time = np.arange(N_FRAMES) / 25
    weights = np.zeros((N_FRAMES, len(model.names)))
    weights[:, INDEX["jawOpen"]] = 0.25 - 0.25 * np.cos(2 * np.pi * 2 * time)
    for side in ("Left", "Right"):
        weights[:, INDEX[f"mouthSmile{side}"]] = np.clip(0.5 * np.sin(2 * time), 0, 1)
        weights[:, INDEX[f"browOuterUp{side}"]] = 0.3 + 0.3 * np.sin(4 * time)
        weights[30:34, INDEX[f"eyeBlink{side}"]] = [0.7, 1.0, 0.9, 0.4]
    turns = np.stack([0.1 * np.sin(3 * time), 0.25 * np.sin(2 * time), 0.08 * np.cos(2 * time)], 1)
    identity = np.random.default_rng(3).standard_normal(len(model.identity_basis)) * 0.7
    place = np.stack([0.02 * np.sin(time), 0.01 * np.cos(time), -0.8 + 0 * time], 1)
    return weights, turns, identity, place


def seen(model: LandmarkModel, noise_px: float = 0.5) -> FaceLandmarks:
    weights, turns, identity, place = truth(model)
    pose = Pose(rotation_matrix(turns), place)
    placed = pose.place(model.of_person(identity).place(weights))
    camera = Pinhole.of_size(SIZE)
    points = np.zeros((N_FRAMES, 478, 3))
    points[..., :2] = camera.project(placed)
    points[..., 2] = -(placed[..., 2] - place[:, None, 2]) * camera.focal / 0.8
    points += np.random.default_rng(0).standard_normal(points.shape) * noise_px
    return FaceLandmarks(points.astype(np.float32), np.arange(N_FRAMES) / 25, SIZE)


def r(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_known_motion_is_recovered(model: LandmarkModel) -> None:
    weights, turns, identity, _ = truth(model)
    face = seen(model)
    found = of_landmarks(face, model, Pinhole.of_size(SIZE))
    motion = found.motion
    assert (len(motion), motion.fps, motion.head) == (N_FRAMES, 25.0, "anny")
    assert motion.expression.min() >= 0 and motion.expression.max() <= 1
    for axis in range(3):
        assert r(motion.head_pose[:, axis], turns[:, axis]) > 0.99
    assert np.abs(motion.head_pose - turns).max() < np.deg2rad(4)
    assert r(motion.channel("jawOpen"), weights[:, INDEX["jawOpen"]]) > 0.97
    assert r(motion.channel("mouthSmileLeft"), weights[:, INDEX["mouthSmileLeft"]]) > 0.9
    assert r(motion.channel("browOuterUpLeft"), weights[:, INDEX["browOuterUpLeft"]]) > 0.9
    blinks = blink_frames((motion.channel("eyeBlinkLeft") + motion.channel("eyeBlinkRight")) / 2)
    assert len(blinks) == 1 and abs(blinks[0] - 31) <= 1
    real = lip_aperture(model.of_person(identity).place(weights))
    assert r(lip_aperture(found.fit.model.place(found.fit.weights)), real) > 0.98
    assert found.quality.error_percent < 2.0
    assert found.quality.coverage == 1.0


def test_a_wild_landmark_is_not_believed(model: LandmarkModel) -> None:
    face = seen(model)
    points = face.points.copy()
    points[:, [50, 280, 164], :2] += 40
    found = of_landmarks(replace(face, points=points), model, Pinhole.of_size(SIZE))
    weights, turns, _, _ = truth(model)
    assert r(found.motion.head_pose[:, 1], turns[:, 1]) > 0.99
    assert r(found.motion.channel("jawOpen"), weights[:, INDEX["jawOpen"]]) > 0.95


def test_gaps_are_bridged_and_rates_are_changed(model: LandmarkModel, tmp_path) -> None:
    face = seen(model).slice(0, 40)
    points = face.points.copy()
    points[10:13] = np.nan
    slow = FaceLandmarks(points, np.arange(40) / 12.5, SIZE)
    found = of_landmarks(slow, model, Pinhole.of_size(SIZE), fps=25.0)
    assert len(found.motion) == 80 and found.motion.fps == 25.0
    assert list(np.flatnonzero(~found.detected)) == [10, 11, 12]
    assert found.quality.fps == pytest.approx(12.5)
    found.save(tmp_path / "talk.npz")
    from diffposetalk.motion import Motion

    again = Motion.load(tmp_path / "talk.npz")
    assert np.array_equal(again.expression, found.motion.expression)
    with np.load(tmp_path / "talk.npz") as file:
        assert np.array_equal(file["identity"], found.identity)
        assert file["seen"].shape == (80,) and file["translation"].shape == (80, 3)


def test_uneven_frames_and_a_lying_head_are_read(model: LandmarkModel) -> None:
    face = seen(model)
    weights, turns, _, _ = truth(model)
    kept = np.sort(np.random.default_rng(5).permutation(N_FRAMES)[:45])  # a variable frame rate: frames left out
    kept = np.union1d(kept, [0, N_FRAMES - 1])
    uneven = FaceLandmarks(face.points[kept], face.times[kept], SIZE)
    found = of_landmarks(uneven, model, Pinhole.of_size(SIZE))
    assert abs(len(found.motion) - N_FRAMES) <= 1
    n_frames = min(len(found.motion), N_FRAMES)
    assert r(found.motion.head_pose[:n_frames, 1], turns[:n_frames, 1]) > 0.99
    assert r(found.motion.channel("jawOpen")[:n_frames], weights[:n_frames, INDEX["jawOpen"]]) > 0.95
    assert not any("is tilted by" in line for line in found.quality.warnings)

    points = face.points[:20, :, [1, 0, 2]].copy()  # a quarter turn of the picture
    points[..., 0] = SIZE[1] - points[..., 0]
    lying = of_landmarks(FaceLandmarks(points, face.times[:20], SIZE[::-1]), model, Pinhole.of_size(SIZE[::-1]))
    assert abs(abs(lying.quality.leaning_deg) - 90) < 10
    assert any("rotate it first" in line for line in lying.quality.warnings)
    assert lying.quality.error_percent < 2.0


def test_projection_has_its_derivative() -> None:
    camera = Pinhole.of_size(SIZE, 60.0)
    point = np.array([0.1, -0.05, -0.7])
    numeric = np.stack([(camera.project(point + d) - camera.project(point - d)) / 2e-6 for d in 1e-6 * np.eye(3)], 1)
    assert np.allclose(camera.jacobian(point), numeric, rtol=1e-5, atol=1e-3)
    with pytest.raises(UsageError, match="between 1 and 150"):
        Pinhole.of_size(SIZE, 180)


def test_heads_without_arkit_are_refused(model: LandmarkModel) -> None:
    class Other(BaseHead):
        name, expression_names = "other", ("exp_00",)

    with pytest.raises(ModelError, match="retarget"):
        LandmarkModel.of_head(Other())  # type: ignore[arg-type]
