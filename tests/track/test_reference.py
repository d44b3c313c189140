"""A reference seen from the side or for a moment says nothing of the head's rest or of one side; a good one is left as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.motion import Motion
from diffposetalk.track.quality import Quality
from diffposetalk.track.reference import MOST_RESTING_DEG, MOST_SIDEWAYS, MOST_SWING_DEG, doubt_of, reference_motion

GOOD = Quality(2.0, 0.7, 3.0, 1.0, 1.0, 0.5, 0.2, 80.0, turned_deg=5.0, leaning_deg=0.0, fps=25.0, seconds=8.0)
ASIDE = replace(GOOD, turned_deg=45.0, seconds=1.9)


def talking(sideways: float = 0.0, pose_deg: tuple[float, float, float] = (0, 0, 0), swing_deg: float = 2.0) -> Motion:
    rng = np.random.default_rng(0)
    expression = rng.uniform(0.1, 0.3, (50, 52)).astype(np.float32)
    for name in ("mouthLeft", "jawLeft", "jawRight"):
        expression[:, INDEX[name]] = 0
    expression[:, INDEX["mouthRight"]] = sideways + 0.02 * rng.uniform(-1, 1, 50) * (sideways > 0)
    expression[:, INDEX["mouthSmileRight"]] += sideways
    swings = np.deg2rad(swing_deg) * np.sin(np.linspace(0, 12, 50))[:, None] * np.array([1, 0, 0])
    turned = roma.rotvec_to_rotmat(torch.tensor(np.deg2rad(pose_deg))) @ roma.rotvec_to_rotmat(torch.from_numpy(swings))
    return Motion(expression, CHANNELS, roma.rotmat_to_rotvec(turned).numpy().astype(np.float32), 25.0, "anny")


def mean_deg(motion: Motion) -> float:
    return float(np.rad2deg(np.linalg.norm(motion.head_pose.mean(0))))


def channel(motion: Motion, name: str) -> np.ndarray:
    return motion.expression[:, INDEX[name]]


def test_a_good_reference_is_left_as_it_is() -> None:
    motion = talking()
    kept = reference_motion(motion, GOOD)
    assert np.allclose(kept.expression, motion.expression, atol=1e-6)
    assert np.allclose(kept.head_pose, motion.head_pose, atol=1e-6)


def test_seen_from_the_side_nothing_steady_is_left() -> None:
    motion = talking(0.5, (-30.0, 40.0, 5.0), swing_deg=20.0)
    kept = reference_motion(motion, ASIDE)
    assert mean_deg(kept) < 0.5
    assert np.rad2deg(np.sqrt((kept.head_pose**2).sum(1).mean())) == pytest.approx(MOST_SWING_DEG, rel=0.05)
    for left, right in (("mouthLeft", "mouthRight"), ("browDownLeft", "browDownRight")):
        net = channel(kept, left) - channel(kept, right)
        assert abs(net.mean()) < 0.01
        moved = channel(motion, left) - channel(motion, right)
        assert np.corrcoef(net, moved)[0, 1] > 0.95  # what moves about it stays
    smile = (channel(motion, "mouthSmileLeft") + channel(motion, "mouthSmileRight")) / 2
    for side in ("Left", "Right"):
        assert np.allclose(channel(kept, f"mouthSmile{side}"), smile, atol=1e-6)
    assert kept.expression.min() >= 0 and kept.expression.max() <= 1


def test_an_uneven_mouth_is_followed_the_less_the_further_the_head_is_turned() -> None:
    left = []
    for degrees in (0.0, 3.0, 6.0, 12.0, 24.0):
        for sign in (1, -1):
            motion = talking(0.2, (0.0, sign * degrees, 0.0), swing_deg=0.0)
            kept = reference_motion(motion, GOOD)
            net, before = (channel(m, "mouthSmileRight") - channel(m, "mouthSmileLeft") for m in (kept, motion))
            left.append(net.mean() / before.mean())
            brows = [channel(m, "browDownLeft") - channel(m, "browDownRight") for m in (kept, motion)]
            assert np.allclose(*brows, atol=1e-6)
    assert left[::2] == pytest.approx(left[1::2], abs=1e-3)
    assert left[0] == pytest.approx(1) and left[4] == pytest.approx(0.5, abs=0.02) and left[8] < 0.1
    assert left[::2] == sorted(left[::2], reverse=True)


def test_any_reference_is_limited() -> None:
    kept = reference_motion(talking(0.5, (-40.0, 0.0, 0.0)), GOOD)
    assert mean_deg(kept) == pytest.approx(MOST_RESTING_DEG, abs=0.3)
    assert (channel(kept, "mouthRight") - channel(kept, "mouthLeft")).mean() == pytest.approx(MOST_SIDEWAYS, abs=0.01)


def test_doubt_grows_with_the_angle_and_as_the_clip_gets_shorter() -> None:
    assert doubt_of(GOOD) == 0 and doubt_of(ASIDE) == 1
    angles = [doubt_of(replace(GOOD, turned_deg=degrees)) for degrees in (10, 15, 20, 25, 35)]
    lengths = [doubt_of(replace(GOOD, seconds=seconds)) for seconds in (5, 3.5, 3, 2.5, 1)]
    assert angles == sorted(angles) and lengths == sorted(lengths) and 0 < lengths[2] < 1


def test_other_heads_keep_their_expression() -> None:
    motion = Motion(
        np.full((30, 3), -2.0, np.float32), ("e0", "e1", "e2"), np.full((30, 3), 0.4, np.float32), 25.0, "flame"
    )
    kept = reference_motion(motion, ASIDE)
    assert np.array_equal(kept.expression, motion.expression)
    assert np.abs(kept.head_pose).max() < 1e-5
