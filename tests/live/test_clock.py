"""The clock of a live face and the faces between frames."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.clock import Clock
from diffposetalk.live.receivers.faces import KEPT_S, REST_S, FaceTrack
from diffposetalk.motion import Motion


class Day:
    """A time of day that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_clock_starts_with_the_first_frames_and_keeps_them_a_while() -> None:
    day = Day()
    clock = Clock(0.08, live=True, now=day)
    assert clock.position is None
    clock.arrived(0.0)
    assert clock.position == pytest.approx(-0.08)
    day.now += 0.5
    assert clock.position == pytest.approx(0.42)


def test_late_frames_push_the_clock_back() -> None:
    day = Day()
    clock = Clock(0.08, live=False, now=day)
    clock.arrived(0.0)
    day.now += 3.0  # nothing came for 3 s
    clock.arrived(0.4)
    assert clock.position == pytest.approx(0.32) and clock.n_late == 1


@pytest.mark.parametrize(("live", "expected"), [(True, 0.16), (False, 1.0)])
def test_a_microphone_that_fell_behind_is_caught_up_with(live: bool, expected: float) -> None:
    day = Day()
    clock = Clock(0.08, live=live, now=day)
    clock.arrived(0.0)
    day.now += 1.08  # a hiccup: the position is 1.0
    for k in range(1, 400):  # then frames wait for a second before they are shown
        clock.arrived(1.0 + 0.08 * k + 0.92)
        day.now += 0.08
    position = clock.position
    assert position is not None
    waits = (1.0 + 0.08 * 399 + 0.92) - (position - 0.08)
    assert waits == pytest.approx(expected, abs=0.06)


def motion(*values: float, yaw: tuple[float, ...] = ()) -> Motion:
    weights = np.zeros((len(values), len(CHANNELS)), np.float32)
    weights[:, CHANNELS.index("jawOpen")] = values
    weights[:, CHANNELS.index("browInnerUp")] = values
    head = np.zeros((len(values), 3), np.float32)
    head[:, 1] = yaw or 0
    return Motion(weights, CHANNELS, head, 25.0)


def test_faces_between_frames_are_interpolated() -> None:
    track = FaceTrack()
    track.add(np.array([0.0, 0.04]), motion(0.0, 0.4, yaw=(0.0, 0.2)))
    track.add(np.array([0.08]), motion(0.8, yaw=(0.4,)))
    for k in range(13):  # 150 faces a second from 25
        face = track.at(k / 150)
        assert face.weight("jawOpen") == pytest.approx(10 * k / 150, abs=1e-5)
        assert face.angles[1] == pytest.approx(5 * k / 150, abs=1e-5)
    assert track.at(-1.0).weight("jawOpen") == 0


def test_without_new_frames_the_mouth_closes_and_the_rest_stays() -> None:
    track = FaceTrack()
    track.add(np.array([0.0]), motion(0.8, yaw=(0.2,)))
    half, later = track.at(REST_S / 2), track.at(REST_S + 1)
    assert half.weight("jawOpen") == pytest.approx(0.4)
    assert later.weight("jawOpen") == 0 and later.mouths.max() == 0
    assert later.weight("browInnerUp") == pytest.approx(0.8) and later.angles[1] == pytest.approx(0.2)


def test_a_track_has_constant_memory_and_frames_can_be_replaced() -> None:
    track = FaceTrack()
    for start in range(200):
        track.add(start + np.arange(25) / 25, motion(*[0.5] * 25))
    assert len(track) <= (KEPT_S + 2) * 25
    track.add(np.array([199.0]), motion(0.1))
    assert track.end_s == 199.0 and track.at(199.0).weight("jawOpen") == pytest.approx(0.1)
