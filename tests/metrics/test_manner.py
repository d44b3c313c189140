"""Manner statistics and style recognition with known answers."""

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


def test_retrieval():
    centroids = np.eye(3)
    vectors = np.array([[2, 0.1, 0], [0, 1, 0.2], [0.9, 0, 1]])
    assert metrics.nearest_centroid(vectors, centroids).tolist() == [0, 1, 2]
    assert metrics.retrieval_accuracy(vectors, np.array([0, 1, 0]), centroids) == pytest.approx(2 / 3)
    with pytest.raises(InputError):
        metrics.nearest_centroid(vectors, np.eye(2))


def test_blinks():
    lid = np.zeros(200)
    for centre in (20, 60, 61, 150):
        lid[centre - 2 : centre + 3] = np.maximum(lid[centre - 2 : centre + 3], [0.3, 0.7, 1, 0.7, 0.3])
    lid[199] = 0.9
    lid[100:110] = 0.4  # a half-lowered lid is no blink
    assert metrics.blink_frames(lid).tolist() == [20, 60, 150, 199]


def test_curve_statistics_name_what_is_known() -> None:
    gap = np.abs(np.sin(np.arange(250) / 3)) * 0.01
    lids = np.zeros((250, 2))
    lids[50:54] = lids[150:154] = 1
    pose = np.zeros((250, 3))
    pose[:, 1] = 0.3 + 0.1 * np.sin(np.arange(250))  # looks aside: the mean direction does not count
    found = metrics.curve_statistics(metrics.Curves(25.0, gap=gap, lids=lids, head=pose))
    assert found["gap_mean"] == pytest.approx(gap.mean()) and found["gap_p95"] == pytest.approx(0.00997, abs=1e-4)
    assert found["blinks_per_minute"] == pytest.approx(12)
    assert found["yaw_std_deg"] == pytest.approx(np.rad2deg(0.1 / np.sqrt(2)), rel=0.02)
    assert "width_mean" not in found and "brow_std" not in found


def test_retrieval_by_statistics() -> None:
    references = [{"gap": 1.0, "head": 10.0, "same": 3.0}, {"gap": 1.2, "head": 10.0, "same": 3.0}]
    generated = [{"gap": 1.05, "head": 55.0, "same": 4.0}, {"gap": 1.3, "head": 0.0, "same": 9.0}]
    assert metrics.statistics_retrieval(generated, [0, 1], references) == 1  # head and same do not vary
    assert metrics.statistics_retrieval(generated, [1, 0], references) == 0
    with pytest.raises(InputError, match="at least 2 references"):
        metrics.statistics_retrieval(generated, [0, 0], references[:1])
    with pytest.raises(InputError, match="some lack a curve"):
        metrics.statistics_retrieval([{"gap": 1.0}], [0], references)
