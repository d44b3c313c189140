"""Training items against the reference's, draw for draw; truncation; batches that follow from a seed."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.data.coefficients import NAMES, coefficients_to_vector
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.tfhp import TfhpReader
from diffposetalk.errors import DiffPoseTalkWarning, InputError, UsageError
from diffposetalk.motion import MotionSpace, flame_channels
from diffposetalk.workshop.train.paper.batches import Batches, batch_indices
from diffposetalk.workshop.train.paper.pairs import DenoiserItems, StyleItems, truncate


def test_denoiser_items_are_the_references(reference: Path) -> None:
    reader, statistics = TfhpReader(reference / "lmdb"), Statistics.load(reference / "lmdb" / "stats_train.npz")
    expected = np.load(reference / "lmdb_expected.npz")
    items = DenoiserItems(reader, window=25, statistics=statistics)
    assert len(items) == expected["dpt_len"]
    draw = np.random.RandomState(expected["dpt_seed"]).randint
    for index, start in enumerate(expected["dpt_start_frames"]):
        item = items.item(index, draw)
        assert item.start == start
        np.testing.assert_array_equal(item.samples, expected[f"dpt{index}_audio"])
        for name in NAMES:
            np.testing.assert_array_equal(getattr(item.coefficients, name), expected[f"dpt{index}_{name}"])
        assert (item.mean, item.std) == (expected[f"dpt{index}_audio_mean"], expected[f"dpt{index}_audio_std"])


@pytest.mark.parametrize("crop", ["begin", "end"])
def test_crops_are_the_references(reference: Path, crop: str) -> None:
    expected = np.load(reference / "lmdb_expected.npz")
    statistics = Statistics.load(reference / "lmdb" / "stats_train.npz")
    items = DenoiserItems(TfhpReader(reference / "lmdb"), window=25, statistics=statistics, crop=crop)
    item = items.item(0, lambda low, high: pytest.fail("nothing is to be drawn"))
    np.testing.assert_array_equal(item.coefficients.exp, expected[f"dpt_{crop}0_exp"])
    np.testing.assert_array_equal([item.mean, item.std], expected[f"dpt_{crop}0_audio_stats"])


def test_style_items_are_the_references(reference: Path) -> None:
    expected = np.load(reference / "lmdb_expected.npz")
    statistics = Statistics.load(reference / "lmdb" / "stats_train.npz")
    items = StyleItems(TfhpReader(reference / "lmdb"), window=25, statistics=statistics)
    assert list(items.persons) == list(expected["se_person_ids"])
    assert len(items) == expected["se_len"]
    draw = np.random.RandomState(expected["dpt_seed"] + 1).randint
    chooser = random.Random(int(expected["dpt_seed"]) + 2)
    for index in range(len(items)):
        item = items.item(index, draw, lambda n: chooser.choice(range(n)))
        assert (item.video, item.start) == (expected["se_keys"][index], expected["se_start_frames"][index])
        np.testing.assert_array_equal(item.coefficients.vector(), expected[f"se{index}_coef"])


@pytest.mark.parametrize("pad_mode", ["zero", "replicate"])
def test_truncation_is_the_references(reference: Path, pad_mode: str) -> None:
    file = np.load(reference / "truncate.npz")
    samples, ends = torch.from_numpy(file["audio"].astype(np.float32)), torch.from_numpy(file["end_idx"])
    motion, sound = truncate(torch.from_numpy(file["motion"]), samples, ends, pad_mode)
    np.testing.assert_array_equal(motion, file[f"{pad_mode}_motion"])
    tails = np.stack([row[int(end) * 640 - 1 :][:4] for row, end in zip(sound, ends)])
    np.testing.assert_array_equal(tails, file[f"{pad_mode}_audio_tail"])
    np.testing.assert_allclose(sound.double().sum(1), file[f"{pad_mode}_audio_sum"], rtol=1e-9)
    np.testing.assert_array_equal(sound[:, -1], file[f"{pad_mode}_audio_last"])


def test_truncation_refuses_what_it_does_not_know() -> None:
    motion, samples, end = torch.zeros(1, 5, 2), torch.zeros(1, 50), torch.tensor([2])
    with pytest.raises(UsageError, match="pad_mode"):
        truncate(motion, samples, end, "mirror")
    with pytest.raises(UsageError, match="51 samples"):
        truncate(motion, torch.zeros(1, 51), end)


@pytest.mark.parametrize("head_pose", [True, False])
def test_vectors_are_the_references(reference: Path, head_pose: bool) -> None:
    file = np.load(reference / "coefs.npz")
    statistics = Statistics.load(reference / "stats_train.npz")
    kind = "head" if head_pose else "nohead"
    raw = coefficients_to_vector(file["in_exp"], file["in_pose"], head_pose)
    np.testing.assert_array_equal(raw, file[f"{kind}_motion_raw"])
    parts = (statistics["exp_mean"], statistics["pose_mean"]), (statistics["exp_std"], statistics["pose_std"])
    mean, std = (coefficients_to_vector(exp, pose, head_pose) for exp, pose in parts)
    space = MotionSpace("flame", 25.0, flame_channels(50, head_pose), mean, std)
    np.testing.assert_allclose((raw - space.mean) / space.std, file[f"{kind}_motion_norm"], rtol=1e-6, atol=1e-6)

    motion = space.decode(file[f"{kind}_motion_norm"][0])
    np.testing.assert_allclose(motion.expression, file[f"{kind}_back_exp"][0], rtol=1e-5, atol=1e-6)
    assert motion.jaw_pose is not None
    back = np.concatenate([motion.head_pose, motion.jaw_pose], axis=1)
    np.testing.assert_allclose(back[:, :4], file[f"{kind}_back_pose"][0, :, :4], rtol=1e-5, atol=1e-6)
    assert not back[:, 4:].any()  # the released code: the data's mean


def test_short_videos_are_left_out_with_a_warning(reader: TfhpReader) -> None:
    with pytest.warns(DiffPoseTalkWarning, match=r"train\.txt: left out 1 video \(Bob/000\), shorter than 44 frames"):
        assert len(DenoiserItems(reader, window=22)) == 2
    with pytest.raises(InputError, match=r"train\.txt: no video is long enough to train on \(200 frames\)"):
        DenoiserItems(reader, window=100)
    with pytest.raises(InputError, match="long enough"):
        StyleItems(reader, window=100)
    with pytest.raises(UsageError, match="crop"):
        DenoiserItems(reader, window=10, crop="middle")


def test_batch_indices_are_epochs() -> None:
    epoch = np.concatenate([batch_indices(11, 4, 3, k) for k in range(2)])
    assert len(set(epoch)) == 8
    assert (batch_indices(11, 4, 3, 1) == epoch[4:]).all()
    assert (np.concatenate([batch_indices(3, 6, 0, k) for k in range(2)]).reshape(4, 3).sum(1) == 3).all()


@pytest.mark.parametrize("kind", [DenoiserItems, StyleItems])
def test_batches_follow_from_seed_and_number(reader: TfhpReader, kind: type[DenoiserItems] | type[StyleItems]) -> None:
    statistics = Statistics.load(reader.path / "stats_train.npz")
    batches = Batches(kind(reader, window=10, statistics=statistics), n_batch=2, seed=5)
    there = list(batches.iterate(3, 6))
    workers = list(Batches(kind(reader, window=10, statistics=statistics), 2, 5).iterate(4, 6, n_workers=2))
    for one, other in zip(there[1:], workers, strict=True):
        for name, value in vars(one).items():
            assert torch.equal(value, getattr(other, name)) if torch.is_tensor(value) else value == getattr(other, name)
    if kind is DenoiserItems:
        assert there[0].samples.shape == (2, 2, 6400)
        assert there[0].motion.shape == (2, 2, 10, 14)
        assert there[0].identity.shape == (2, 2, 10, 12)
    else:
        assert there[0].first.shape == there[0].second.shape == (2, 10, 14)
