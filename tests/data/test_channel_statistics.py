"""Statistics of channels of any head: measured right, kept in a file, a motion space made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.cli.main import run
from diffposetalk.data.channel_statistics import ChannelStatistics
from diffposetalk.data.clip import Clip
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.running_statistics import RunningStatistics
from diffposetalk.data.shards import write_shards
from diffposetalk.errors import InputError
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.speech import Speech


def arkit_clip(name: str, n_frames: int, seed: int, n_identity: int = 4) -> Clip:
    """A clip of noise on the free head."""
    rng = np.random.default_rng(seed)
    weights = rng.random((n_frames, len(CHANNELS))).astype(np.float32)
    weights[:, CHANNELS.index("tongueOut")] = 0
    motion = Motion(weights, CHANNELS, 0.1 * rng.standard_normal((n_frames, 3)), 25.0)
    sound = Speech(0.1 * rng.standard_normal(n_frames * 640).astype(np.float32))
    return Clip(sound, motion, rng.standard_normal(n_identity), name.partition("/")[0], name)


@pytest.fixture(scope="module")
def arkit_clips() -> list[Clip]:
    return [arkit_clip(f"{who}/{k}", 30 + 7 * k, 10 * k + ord(who)) for who in "AB" for k in range(2)]


@pytest.fixture(scope="module")
def arkit_shards(arkit_clips, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("arkit") / "set"
    write_shards(arkit_clips, path, lambda name: "val" if name == "B/1" else "train")
    return path


def test_moments_in_pieces_are_those_of_the_whole():
    rows = 1000 + np.random.default_rng(0).standard_normal((90, 3))
    rows[:, 2] = 7.5
    moments = RunningStatistics()
    for piece in np.split(rows, [1, 2, 40, 40]):
        moments.add(piece)
    np.testing.assert_allclose(moments.mean, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.std, rows.std(0), rtol=1e-9)
    np.testing.assert_array_equal([moments.low, moments.high], [rows.min(0), rows.max(0)])
    assert moments.std[2] == 0


def test_the_space_is_that_fitted_to_the_motions(arkit_clips, tmp_path):
    statistics = ChannelStatistics.of(arkit_clips)
    statistics.save(tmp_path / "statistics.json")
    again = ChannelStatistics.load(tmp_path / "statistics.json")
    assert again == statistics
    space = again.motion_space()
    fitted = MotionSpace.fit((clip.motion for clip in arkit_clips), (*CHANNELS, "head_x", "head_y", "head_z"))
    assert (space.head, space.fps, space.channels) == (fitted.head, fitted.fps, fitted.channels)
    np.testing.assert_allclose(space.mean, fitted.mean, atol=1e-6)
    np.testing.assert_allclose(space.std, fitted.std, rtol=1e-5)
    people = np.concatenate([clip.identities for clip in arkit_clips])
    np.testing.assert_allclose(again.identity_space().mean, people.mean(0), atol=1e-6)
    values = np.concatenate([clip.motion.channel("jawOpen") for clip in arkit_clips])
    assert again.channels["jawOpen"]["max"] == pytest.approx(float(values.max()))
    assert again.frames == len(values)


def test_jaw_channels_follow_the_papers_order(clips):
    space = ChannelStatistics.of(clips).motion_space()
    assert space.head == "flame"
    assert space.channels[-4:] == ("head_x", "head_y", "head_z", "jaw_x")
    opening = np.concatenate([clip.motion.jaw_pose for clip in clips])
    assert space.mean[-1] == pytest.approx(opening[:, 0].mean(), abs=1e-6)
    assert space.jaw_rest == pytest.approx(opening[:, 1:].mean(0), abs=1e-6)


def test_without_identities(arkit_clips):
    nobody = [replace(clip, identity=np.zeros(0)) for clip in arkit_clips]
    assert ChannelStatistics.of(nobody).identity_space() is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda clip: replace(clip, motion=replace(clip.motion, head="other")), "head"),
        (lambda clip: replace(clip, motion=clip.motion.resampled(30)), "frame rate"),
        (lambda clip: replace(clip, identity=np.zeros(9)), "identity"),
        (
            lambda clip: replace(clip, motion=replace(clip.motion, expression_names=("x", *CHANNELS[1:]))),
            "channels",
        ),
    ],
)
def test_clips_of_two_kinds_are_refused(arkit_clips, change, what):
    with pytest.raises(InputError, match=f"A/1 differs from the clips before in its {what}"):
        ChannelStatistics.of([arkit_clips[0], change(arkit_clips[1])])
    with pytest.raises(InputError, match="no frames"):
        ChannelStatistics.of([])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text", "not a readable statistics file"),
        ("[]", "not a readable statistics file"),
        ('{"head": "anny"}', "lacks 'fps'"),
        (
            '{"head": "a", "fps": 25, "frames": 1, "split": "train", "channels": {"x": {"mean": "?", "std": 1}}}',
            "not a readable statistics file",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "statistics.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        ChannelStatistics.load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="no such statistics file"):
        ChannelStatistics.load(tmp_path / "none.json")


def test_command_measures_shards_of_any_head(arkit_shards, arkit_clips, capsys):
    assert run(["dataset", "stats", str(arkit_shards), "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert Path(result["output"]) == arkit_shards / "statistics.json"
    assert (result["clips"], result["head"]) == (3, "anny")
    assert ChannelStatistics.load(arkit_shards / "statistics.json") == ChannelStatistics.of(arkit_clips[:3])


def test_command_measures_flame_shards_as_tfhp(clips, tmp_path, tfhp, capsys):
    splits = {"train": ["Ann/000", "Bob/000", "Ann/001"], "val": ["Cem/007"], "test": ["Dot/000"]}
    write_shards(clips, tmp_path / "set", splits)
    assert run(["dataset", "stats", str(tmp_path / "set"), "--quiet"]) == 0
    own, beside = Statistics.load(tmp_path / "set/stats_train.npz"), Statistics.load(tfhp / "stats_train.npz")
    for key, value in beside.values.items():
        np.testing.assert_allclose(own[key], value, rtol=1e-5, atol=1e-6, err_msg=key)
    channels = tmp_path / "channels.json"
    assert run(["dataset", "stats", str(tfhp), "-o", str(channels), "--split", "val", "--quiet"]) == 0
    assert ChannelStatistics.load(channels).frames == 50


def test_commands_refusals_are_one_line(arkit_shards, tmp_path, capsys):
    assert run(["dataset", "stats", str(arkit_shards), "-o", str(tmp_path / "x.npz")]) == 1
    assert "FLAME coefficients need the head 'flame'" in capsys.readouterr().err
    assert run(["dataset", "stats", str(arkit_shards), "--split", "test"]) == 1
    assert "has no split 'test', only" in capsys.readouterr().err
    assert run(["dataset", "stats", str(arkit_shards), "-o", str(tmp_path / "x.txt")]) == 2
    assert not (tmp_path / "x.npz").exists()
