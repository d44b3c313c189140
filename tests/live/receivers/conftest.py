"""A face of which every value is told apart, and receivers on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.receivers.faces import Face, FaceTrack
from diffposetalk.motion import Motion

HEAD = (0.1, 0.3, -0.2)
"""Axis-angle: nods down, turns to the subject's left, tilts to the subject's left shoulder."""


@pytest.fixture
def face() -> Face:
    """Weights 0.01, 0.02, ...; the left eye looks out and down, the right eye in and up."""
    weights = np.arange(1, len(CHANNELS) + 1, dtype=np.float32)[None] / 100
    looks = {"eyeLookOutLeft": 0.5, "eyeLookDownLeft": 0.4, "eyeLookInRight": 0.3, "eyeLookUpRight": 0.2}
    for channel in CHANNELS:
        if channel.startswith("eyeLook"):
            weights[:, CHANNELS.index(channel)] = looks.get(channel, 0)
    track = FaceTrack()
    track.add(np.array([2.5]), Motion(weights, CHANNELS, np.array([HEAD], np.float32), 25.0))
    return track.at(2.5)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A UDP socket on a free port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        yield udp
