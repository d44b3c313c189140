"""Manner statistics, diversity and style recognition with known answers."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError
from diffposetalk.motion import Motion


def a_motion(smile: float = 0.2, yaw: float = 0.1) -> Motion:
    expression = np.zeros((250, 52), np.float32)
    expression[:, INDEX["mouthSmileLeft"]] = smile
    expression[:, INDEX["mouthSmileRight"]] = smile
    expression[:, INDEX["jawOpen"]] = np.linspace(0, 1, 250)
    for start in (50, 150):
        for side in ("Left", "Right"):
            expression[start : start + 4, INDEX["eyeBlink" + side]] = 1
    pose = np.zeros((250, 3), np.float32)
    pose[:, 1] = yaw * np.sin(np.arange(250))
    return Motion(expression, CHANNELS, pose, 25.0)


def test_manner_statistics():
    found = metrics.manner_statistics(a_motion())
    assert found["blinks_per_minute"] == pytest.approx(12)
    assert found["smile_mean"] == pytest.approx(0.2)
    assert found["mouth_open_p95"] == pytest.approx(0.95, abs=0.01)
    assert found["yaw_std_deg"] == pytest.approx(np.rad2deg(0.1 / np.sqrt(2)), rel=0.02)
    assert found["pitch_std_deg"] == found["asymmetry"] == 0


def test_statistics_correlate_over_clips():
    reference = [metrics.manner_statistics(a_motion(smile=s)) for s in (0.1, 0.3, 0.5)]
    generated = [metrics.manner_statistics(a_motion(smile=s / 2, yaw=0.2)) for s in (0.1, 0.3, 0.5)]
    found = metrics.statistics_correlation(reference, generated)
    assert found["smile_mean"] == pytest.approx(1)
    assert np.isnan(found["pitch_std_deg"])
    with pytest.raises(InputError):
        metrics.statistics_correlation(reference[:2], generated[:2])


def test_diversity():
    samples = np.zeros((3, 10, 2))
    samples[1, :, 0], samples[2, :, 1] = 3, 4
    assert metrics.diversity(samples) == pytest.approx((3 + 4 + 5) / 3)
    with pytest.raises(InputError):
        metrics.diversity(samples[:1])


def test_retrieval():
    centroids = np.eye(3)
    vectors = np.array([[2, 0.1, 0], [0, 1, 0.2], [0.9, 0, 1]])
    assert metrics.nearest_centroid(vectors, centroids).tolist() == [0, 1, 2]
    assert metrics.retrieval_accuracy(vectors, np.array([0, 1, 0]), centroids) == pytest.approx(2 / 3)
    with pytest.raises(InputError):
        metrics.nearest_centroid(vectors, np.eye(2))
