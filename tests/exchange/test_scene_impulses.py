"""One channel at a time, in every format of scenes: it arrives on the right side, with the right sign and unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.exchange import ExportOptions, Scene, export
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.motion import Motion

EXACT = 1e-6
"""Metres."""


def impulse(channel: str) -> Motion:
    """Rest, then one channel at full, or the head turned by 0.3 rad about an axis (`head_x`...)."""
    expression, pose = np.zeros((2, 52)), np.zeros((2, 3))
    if channel in INDEX:
        expression[1, INDEX[channel]] = 1
    else:
        pose[1, "xyz".index(channel[-1])] = 0.3
    return Motion(expression, CHANNELS, pose, 25.0)


@pytest.mark.parametrize("suffix", [".glb", ".usdc", ".pc2", ".ply"])
@pytest.mark.parametrize(
    ("channel", "region", "direction"),
    [
        ("jawLeft", "lower_teeth", (1, 0, 0)),
        ("mouthLeft", "lips", (1, 0, 0)),
        ("eyeBlinkLeft", "left_lid", (0, -1, 0)),
        ("eyeLookInLeft", "left_iris", (-1, 0, 0)),
        ("head_y", "nose", (1, 0, 0)),
        ("head_x", "nose", (0, -1, 0)),
        ("head_z", "crown", (-1, 0, 0)),
    ],
)
def test_impulses(
    players: Any,
    head: AnnyHead,
    suffix: str,
    channel: str,
    region: str,
    direction: tuple[int, int, int],
    tmp_path: Path,
) -> None:
    """Left is the subject's, +X; yaw goes to the left, pitch down, roll toward the right shoulder; radians throughout."""
    rest, motion = head.data["vertices"], impulse(channel)
    path = tmp_path / f"a{suffix}"
    export(motion, path, scene=Scene(head, options=ExportOptions(used_only=True)))
    still, moved = (players.vertices(path, frame, head) for frame in (0, 1))
    drawn = np.unique(head.mesh().faces)  # a file need not hold hair of other kinds
    assert np.abs((still - rest)[drawn]).max() < EXACT
    assert np.abs((moved - head.vertices(motion.expression[1], motion.head_pose[1]))[drawn]).max() < EXACT
    lids, ball = head.regions["eyelids"], head.regions["left_eye"]
    chosen = {
        "left_lid": lids[rest[lids, 0] > 0],
        "left_iris": ball[rest[ball, 2].argsort()[-20:]],
        "nose": [int(rest[:, 2].argmax())],
        "crown": [int(drawn[rest[drawn, 1].argmax()])],
    }.get(region, head.regions.get(region))
    shift = (moved - still)[chosen].mean(0)
    assert int(np.abs(shift[:2]).argmax()) == int(np.abs(direction).argmax())
    assert shift @ np.array(direction) > 5e-4
