"""Curves: what they accept, resampling, and curves of a motion on its head."""

from dataclasses import replace

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, UsageError
from diffposetalk.geometry.rotations import angles_between
from diffposetalk.head import load_head
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.metrics import Curves
from diffposetalk.metrics.lips import curves_of, landmark_curves, mouth_gap
from diffposetalk.motion import Motion


@pytest.fixture(scope="module")
def head() -> AnnyHead:
    return load_head("anny")


def motion_with(**weights: float) -> Motion:
    """Ten frames in which channels rise from 0 to a weight, and the head turns by 0.3."""
    expression, pose = np.zeros((10, 52), np.float32), np.zeros((10, 3), np.float32)
    for name, weight in weights.items():
        expression[:, INDEX[name]] = np.linspace(0, weight, 10)
    pose[:, 1] = np.linspace(0, 0.3, 10)
    return Motion(expression, CHANNELS, pose, 25.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "at least one curve"),
        ({"gap": np.zeros(3), "width": np.zeros(4)}, "width must be"),
        ({"gap": np.zeros((3, 1))}, "gap must be"),
        ({"lids": np.zeros(3)}, "lids must be"),
        ({"head": np.zeros((3, 6))}, "head must be"),
        ({"channels": np.zeros((3, 2)), "channel_names": ("a",)}, "channels must be"),
        ({"gap": np.array([0.0, np.nan])}, "gap holds numbers that are not finite"),
        ({"gap": np.zeros(3), "fps": 0.0}, "fps above 0"),
        ({"gap": np.zeros(3), "unit": "mm"}, "'m' or 'share'"),
    ],
)
def test_refuses_what_are_no_curves(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Curves(**{"fps": 25.0, **fields})


def test_names_slices_and_channels() -> None:
    curves = Curves(25.0, gap=np.arange(5.0), channels=np.eye(5)[:, :2], channel_names=("a", "b"))
    assert curves.names == ["gap", "channels"] and len(curves) == 5 and curves.duration == 0.2
    assert curves.slice(1, 3).gap.tolist() == [1, 2]
    assert curves.channel("b").tolist() == [0, 1, 0, 0, 0]
    assert repr(curves) == "Curves(5 frames, 0.20 s at 25 fps: gap, channels)"
    with pytest.raises(UsageError, match="head is not known"):
        curves.curve("head")
    with pytest.raises(UsageError, match="no channel 'c'"):
        curves.channel("c")


def test_resampling_keeps_duration_and_turns_along_the_shortest_path() -> None:
    pose = np.zeros((50, 3))
    pose[:, 1] = np.linspace(0, 2, 50)
    curves = Curves(50.0, gap=np.linspace(0, 1, 50), head=pose)
    half = curves.resampled(25.0)
    assert len(half) == 25 and half.fps == 25 and half.duration == curves.duration
    assert half.gap == pytest.approx(curves.gap[::2])
    assert angles_between(half.head, pose[::2]) == pytest.approx(np.zeros(25), abs=1e-6)
    assert curves.resampled(50.0).gap is curves.gap


def test_share_of_opening_forgets_the_size_of_the_face() -> None:
    small = Curves(25.0, gap=np.linspace(0, 0.01, 21), width=np.full(21, 0.04))
    large = replace(small, gap=small.gap * 3, width=small.width * 3)
    assert small.share_of_opening().gap == pytest.approx(large.share_of_opening().gap)
    assert small.share_of_opening().width[0] == pytest.approx(0.04 / 0.0095)
    assert small.share_of_opening().unit == "share"
    with pytest.raises(InputError, match="never opens"):
        Curves(25.0, gap=np.zeros(4)).share_of_opening()


def test_curves_of_a_motion(head: AnnyHead) -> None:
    motion = motion_with(jawOpen=0.5, browOuterUpLeft=0.8, eyeBlinkRight=1.0)
    curves = curves_of(motion, head)
    assert curves.names == ["gap", "width", "jaw", "lids", "brow", "head", "channels"]
    assert curves.gap == pytest.approx(mouth_gap(motion, head), abs=1e-9) and curves.gap[-1] > 0.005
    assert curves.jaw == pytest.approx(motion.channel("jawOpen"))
    assert curves.head == pytest.approx(motion.head_pose)
    assert curves.lids[-1].tolist() == [0, 1]
    raised = curves.brow[-1] - curves.brow[0]
    assert raised[0] > 0.002 > abs(raised[1])  # the left brow only
    with pytest.raises(InputError, match="without frames"):
        curves_of(motion.slice(0, 0), head)


def test_a_smile_widens_the_mouth_and_a_pucker_narrows_it(head: AnnyHead) -> None:
    smile = curves_of(motion_with(mouthSmileLeft=1, mouthSmileRight=1), head).width
    pucker = curves_of(motion_with(mouthPucker=1), head).width
    assert smile[-1] - smile[0] > 0.002 and pucker[-1] - pucker[0] < -0.002


def test_lids_of_landmarks_follow_the_blink(head: AnnyHead) -> None:
    """Without the channel, the closure comes from the points of the lids."""
    motion = motion_with(eyeBlinkLeft=1.0)
    points = np.stack([head.landmarks.of(head.vertices(frame)) for frame in motion.expression])
    lids = landmark_curves(points, head.mediapipe_indices, 25.0).lids
    assert lids[-1, 0] > 0.6 and lids[-1, 1] == pytest.approx(0, abs=0.01)
    assert (np.diff(lids[2:, 0]) > 0).all()


def test_landmarks_that_are_missing_leave_curves_out() -> None:
    points = np.random.default_rng(0).normal(size=(4, 2, 3))
    curves = landmark_curves(points, (61, 291), 25.0)
    assert curves.names == ["width"]
    assert curves.width == pytest.approx(np.linalg.norm(points[:, 0] - points[:, 1], axis=-1))
    with pytest.raises(InputError, match="no curve can be measured"):
        landmark_curves(points, (1, 2), 25.0)
    with pytest.raises(InputError, match="landmarks must be"):
        landmark_curves(points[:, :1], (61, 291), 25.0)
