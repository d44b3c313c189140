"""What is done to motion on its way into files: frame rate, knobs, clamping, and FLAME's motion for ARKit's formats."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import DiffPoseTalkWarning
from diffposetalk.exchange import ExportOptions, Scene, export, load_motion
from diffposetalk.exchange.angles import euler_of, rotation_of
from diffposetalk.exchange.prepare import REGIONS, adjusted
from diffposetalk.head.flame.free import FreeFlame
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.motion import Motion

FIRST = {"brows": "browInnerUp", "mouth": "mouthClose", "jaw": "jawOpen", "gaze": "eyeLookUpLeft"}


def test_every_channel_is_in_one_region() -> None:
    for name in CHANNELS:
        inside = [
            region
            for region, starts in REGIONS.items()
            if region != "expression" and starts and name.startswith(starts)
        ]
        assert len(inside) == 1, name


def test_angles_are_yaw_then_pitch_then_roll() -> None:
    angles = np.random.default_rng(1).uniform(-1.2, 1.2, (50, 3))
    theirs = Rotation.from_euler("YXZ", angles[:, [1, 0, 2]]).as_rotvec()
    assert np.abs(rotation_of(angles) - theirs).max() < 1e-6
    assert np.abs(np.array([euler_of(turn[None])[0] for turn in theirs]) - angles).max() < 1e-6


def test_angles_do_not_jump(motion: Motion) -> None:
    yaw = np.linspace(0, 2.2 * np.pi, 40)
    turning = rotation_of(np.stack([0 * yaw, yaw, 0 * yaw], 1))
    assert np.abs(np.diff(euler_of(turning)[:, 1])).max() < 0.3


@pytest.mark.parametrize("region", FIRST)
def test_a_gain_touches_its_region_only(motion: Motion, region: str) -> None:
    full = replace(motion, expression=np.full((50, 52), 0.25))
    louder = adjusted(full, ExportOptions(gain={region: 2.0}))
    assert louder.channel(FIRST[region])[0] == pytest.approx(0.5)
    for other, name in FIRST.items():
        if other != region:
            assert louder.channel(name)[0] == pytest.approx(0.25)
    assert np.array_equal(louder.head_pose, full.head_pose)


def test_single_channels_and_the_head(motion: Motion) -> None:
    done = adjusted(motion, ExportOptions(gain={"mouthSmile": 0.5, "head": 0.5}, offset={"mouthSmileLeft": 0.2}))
    assert done.channel("mouthSmileLeft")[0] == pytest.approx(0.2) and not done.channel("mouthSmileRight").any()
    assert np.allclose(done.head_pose, motion.head_pose / 2)
    turned = adjusted(motion, ExportOptions(offset={"head_yaw_deg": 10}))
    assert np.rad2deg(euler_of(turned.head_pose) - euler_of(motion.head_pose))[:, 1] == pytest.approx(10, abs=1e-3)


def test_smoothing_keeps_what_is_still_and_evens_out_what_jumps() -> None:
    weights, pose = np.full((60, 52), 0.3), np.zeros((60, 3))
    weights[:, INDEX["jawOpen"]] = np.arange(60) % 2
    pose[:, 1] = 3.0 + 0.2 * (np.arange(60) % 2)  # beyond half a turn and back
    done = adjusted(Motion(weights, CHANNELS, pose, 25.0), ExportOptions(smoothing_s={"jaw": 0.1, "head": 0.1}))
    assert done.channel("jawOpen")[10:-10] == pytest.approx(0.5, abs=0.01) and done.channel(
        "browInnerUp"
    ) == pytest.approx(0.3)
    turns = Rotation.from_rotvec(done.head_pose[10:-10])
    middle = Rotation.from_rotvec([0, 3.1, 0])
    assert (turns * middle.inv()).magnitude().max() < 0.01


def test_clamping_is_said_and_can_be_left(tmp_path: Path, motion: Motion) -> None:
    wide = replace(motion, expression=motion.expression * 2 - 0.1)
    with pytest.warns(
        DiffPoseTalkWarning, match=r"52 channel\(s\) were clamped to \[0, 1\], the farthest eyeBlink.* at 1.9"
    ):
        export(wide, tmp_path / "a.csv")
    assert load_motion(tmp_path / "a.csv").expression.max() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(wide, tmp_path / "b.csv", scene=Scene(options=ExportOptions(clamp=False)))
        export(motion, tmp_path / "c.csv")
    assert load_motion(tmp_path / "b.csv").expression.max() == pytest.approx(1.9, abs=1e-6)


@pytest.mark.parametrize("fps", [12.0, 24.0, 29.97, 60.0])
def test_any_frame_rate(tmp_path: Path, motion: Motion, fps: float) -> None:
    done = export(motion, tmp_path / "a.csv", scene=Scene(options=ExportOptions(fps=fps)))
    again = load_motion(done.path)
    assert len(again) == done.frames == round(2 * fps) and again.fps == pytest.approx(fps, rel=2e-4)
    expected = motion.resampled(fps)
    assert np.abs(again.expression - expected.expression).max() < 1e-3
    assert np.abs(again.head_pose - expected.head_pose).max() < 1e-3


def test_flame_reaches_arkit_formats_with_its_residual(
    tmp_path: Path, free_flame: FreeFlame, free_flame_head: FlameHead
) -> None:
    """FLAME's coefficients of the free head: ARKit motion, said in them, comes back as ARKit's channels."""
    weights = np.zeros((12, 52), np.float32)
    weights[:, INDEX["jawOpen"]] = np.linspace(0, 0.5, 12)
    motion = Motion(weights, CHANNELS, np.full((12, 3), 0.1), 25.0)
    flame = free_flame.coefficients(motion)
    done = export(flame, tmp_path / "a_a2f.json", scene=Scene(free_flame_head))
    document = json.loads(done.path.read_text())
    assert done.residual is not None and document["residual"] == done.residual.to_dict()
    assert 0 < document["residual"]["mean_mm"] < 2
    again = load_motion(done.path)
    assert again.channel("jawOpen")[-1] == pytest.approx(0.5, abs=0.1)
    assert np.abs(again.head_pose - 0.1).max() < 1e-3
