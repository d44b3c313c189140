"""Head motion and beats with known answers."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError

FPS = 25.0


def test_head_speed_is_the_angle_of_the_relative_turn():
    roma, torch = pytest.importorskip("roma"), pytest.importorskip("torch")
    pose = np.random.default_rng(2).normal(size=(30, 3)) * 0.7
    turns = roma.rotvec_to_rotmat(torch.tensor(pose))
    angle = roma.rotmat_to_rotvec(turns[:-1].mT @ turns[1:]).norm(dim=-1).numpy()
    assert metrics.head_angular_speed(pose, FPS) == pytest.approx(angle * FPS, abs=1e-9)
    assert metrics.head_angular_speed(np.zeros((4, 3)), FPS).tolist() == [0, 0, 0]


def test_head_beats_fall_where_a_nod_turns():
    t = np.arange(200) / FPS
    pose = np.zeros((200, 3))
    pose[:, 0] = 0.1 * np.sin(2 * np.pi * 0.5 * t)  # turns at 0.5, 1.5, 2.5... s
    beats = metrics.head_beats(pose, FPS, 0)
    assert len(beats) == 8
    assert beats == pytest.approx(np.arange(8) + 0.5, abs=0.5 / FPS + 1e-9)


def test_smoothing_leaves_out_trembling():
    """A slow nod with a tremble of every other frame."""
    t = np.arange(200) / FPS
    pose = np.zeros((200, 3))
    pose[:, 0] = 0.1 * np.sin(2 * np.pi * 0.5 * t) + 0.001 * (-1) ** np.arange(200)
    assert len(metrics.head_beats(pose, FPS, 0)) > 40
    beats = metrics.head_beats(pose, FPS, 3.0)
    assert beats == pytest.approx(np.arange(8) + 0.5, abs=0.06)
    for still in (np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((2, 3)), np.zeros((9, 3))):
        assert len(metrics.head_beats(still, FPS)) == 0


def test_smoothing_agrees_with_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    for n in (1, 5, 60):
        curve = np.random.default_rng(n).normal(size=n)
        assert metrics.smoothed(curve, 2.0) == pytest.approx(ndimage.gaussian_filter1d(curve, 2.0), abs=1e-12)


def test_speech_beats_fall_on_bursts():
    rng = np.random.default_rng(3)
    samples = rng.normal(size=32000) * 1e-3
    for start in (0.5, 1.0, 1.6):
        samples[int(start * 16000) :][:3000] += rng.normal(size=3000) * 0.2
    assert metrics.speech_beats(samples, 16000) == pytest.approx([0.5, 1.0, 1.6], abs=0.05)
    assert len(metrics.speech_beats(np.zeros(100), 16000)) == 0


def test_beat_alignment():
    reference = np.array([1.0, 2.0])
    assert metrics.beat_alignment(reference, reference, FPS) == 1
    off = metrics.beat_alignment(np.array([1.0 + 3 / FPS]), reference, FPS)
    assert off == pytest.approx(np.exp(-0.5))
    assert metrics.beat_alignment(np.zeros(0), reference, FPS) == 0


def test_the_angle_between_frames() -> None:
    pose = np.zeros((11, 3))
    pose[:, 0] = np.deg2rad(0.45) * np.arange(11)
    assert metrics.mean_head_step(pose) == pytest.approx(0.45)
    assert metrics.mean_head_step(np.zeros((5, 3))) == 0
    with pytest.raises(InputError):
        metrics.mean_head_step(pose[:1])


def test_where_the_head_looks_on_average_does_not_count() -> None:
    pose = np.zeros((100, 3))
    pose[:, 0] = 0.1 * np.sin(np.arange(100) / 5)
    roma, torch = pytest.importorskip("roma"), pytest.importorskip("torch")
    aside = roma.rotvec_to_rotmat(torch.tensor([0.2, 0.5, -0.1], dtype=torch.float64))
    turned = roma.rotmat_to_rotvec(aside @ roma.rotvec_to_rotmat(torch.tensor(pose))).numpy()
    assert metrics.centred_head(turned) == pytest.approx(metrics.centred_head(pose), abs=1e-6)
    features = metrics.head_features(turned, FPS)
    assert features.shape == (99, 6) and features == pytest.approx(metrics.head_features(pose, FPS), abs=1e-6)
    assert features[:, 3] == pytest.approx(np.rad2deg(np.diff(pose[:, 0])) * FPS, abs=1e-6)


def test_skill_of_beats_is_nothing_at_chance_and_one_for_the_truth() -> None:
    rng = np.random.default_rng(1)
    reference = np.sort(rng.uniform(0, 60, 100))
    assert metrics.beat_alignment_skill(reference, reference, FPS, 60) == pytest.approx(1)
    chance = metrics.beat_alignment_chance(reference, FPS, 60)
    random = [metrics.beat_alignment(rng.uniform(0, 60, 200), reference, FPS) for _ in range(20)]
    assert chance == pytest.approx(np.mean(random), abs=0.02) and 0.3 < chance < 0.9
    skills = [metrics.beat_alignment_skill(rng.uniform(0, 60, 200), reference, FPS, 60) for _ in range(20)]
    assert abs(np.mean(skills)) < 0.05
    assert metrics.beat_alignment_skill(np.zeros(0), reference, FPS, 60) == 0
