"""Shards: round trips, read by the WebDataset package, converted both ways; damaged ones refused."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import NAMES
from diffposetalk.data.convert import layout_of, shards_to_tfhp, tfhp_to_shards
from diffposetalk.data.shards import ShardReader, write_shards
from diffposetalk.data.tfhp import TfhpReader
from diffposetalk.errors import InputError, UsageError
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech


@pytest.fixture
def shards(clips: list[Clip], tmp_path: Path) -> Path:
    """The clips as shards of bounded size."""
    path = tmp_path / "shards"
    write_shards(clips, path, {"train": [clip.name for clip in clips[:4]]}, "a test", shard_bytes=100_000)
    return path


def same(one: Clip, other: Clip) -> None:
    assert (one.name, one.speaker, one.motion.head, one.motion.fps) == (
        other.name, other.speaker, other.motion.head, other.motion.fps,
    )  # fmt: skip
    assert one.motion.expression_names == other.motion.expression_names
    np.testing.assert_array_equal(one.speech.samples, other.speech.samples)
    for name in ("expression", "head_pose", "jaw_pose", "eye_pose"):
        np.testing.assert_array_equal(getattr(one.motion, name), getattr(other.motion, name))
    np.testing.assert_array_equal(one.identity, other.identity)
    np.testing.assert_array_equal(one.identities, other.identities)


def test_round_trip(clips: list[Clip], shards: Path) -> None:
    reader = ShardReader(shards)
    assert len(reader.splits["train"]) > 1
    assert sum(reader.counts.values()) == len(clips)
    assert set(reader.splits) == {"train", "other"}
    for one, other in zip(reader.clips("train"), clips[:4], strict=True):
        same(one, other)
    assert [clip.name for clip in reader.clips("other")] == ["Dot/000"]
    assert layout_of(shards) == "shards"


def test_any_head_and_rate(motion: Motion, tmp_path: Path) -> None:
    from dataclasses import replace

    eyes = replace(motion.resampled(30), eye_pose=np.zeros((60, 6), np.float32))
    clip = Clip(Speech(np.zeros(44100 * 2, np.float32), 44100), eyes, np.zeros(0), "a.b", "a.b/c")
    write_shards([clip], tmp_path / "shards")
    same(next(ShardReader(tmp_path / "shards").clips()), clip)


def test_webdataset_reads_them(clips: list[Clip], shards: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    from safetensors.numpy import load

    urls = [str(path) for path in sorted(shards.glob("train-*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [clip.name for clip in clips[:4]]
    assert json.loads(samples[0]["json"])["speaker"] == "Ann"
    np.testing.assert_array_equal(load(samples[0]["safetensors"])["expression"], clips[0].motion.expression)


def test_same_clips_same_bytes(clips: list[Clip], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shards(clips, tmp_path / name)
    one, other = ((tmp_path / name / "train-000000.tar").read_bytes() for name in ("a", "b"))
    assert one == other


def test_converted_both_ways(tfhp: Path, tmp_path: Path) -> None:
    assert tfhp_to_shards(tfhp, tmp_path / "shards") == 5
    assert shards_to_tfhp(tmp_path / "shards", tmp_path / "back", seg_len=20) == 5
    one, other = TfhpReader(tfhp), TfhpReader(tmp_path / "back")
    assert one.videos == other.videos
    for split in ("train", "val", "test"):
        assert one.split(split) == other.split(split)
    for video in one.videos:
        same(one.clip(video), other.clip(video))


def test_the_references_identity_of_every_frame_survives(reference: Path, tmp_path: Path) -> None:
    source = TfhpReader(reference / "lmdb")
    tfhp_to_shards(source.path, tmp_path / "shards")
    shards_to_tfhp(tmp_path / "shards", tmp_path / "back")
    back = TfhpReader(tmp_path / "back")
    for video in source.videos:
        for name in NAMES:
            one, other = (getattr(reader.coefficients(video), name) for reader in (source, back))
            np.testing.assert_array_equal(one, other)


def test_arkit_shards_are_no_tfhp(motion: Motion, tmp_path: Path) -> None:
    clip = Clip(Speech(np.zeros(32000, np.float32)), motion, np.zeros(3), "a", "a/0")
    write_shards([clip], tmp_path / "shards")
    with pytest.raises(InputError, match=r"'anny'.*'flame'"):
        shards_to_tfhp(tmp_path / "shards", tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shards"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_truncated_shards_are_refused(shards: Path, share: float) -> None:
    path = shards / "train-000000.tar"
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(InputError, match=r"train-000000\.tar"):
        list(ShardReader(shards).clips())


def test_lost_shards_and_clips_are_missed(shards: Path) -> None:
    (shards / "train-000000.tar").rename(shards / "elsewhere")
    with pytest.raises(InputError, match=r"train-000000\.tar: no such shard"):
        ShardReader(shards)
    with tarfile.open(shards / "train-000000.tar", "w"):
        pass
    with pytest.raises(InputError, match=r"train-000000\.tar: holds 0 clips of"):
        list(ShardReader(shards).clips())


def put(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("part", "data", "message"),
    [
        ("json", None, r"a/0: the sample lacks \.json"),
        ("json", b"{", "a/0: not a readable sample"),
        ("json", b"{}", "a/0: .*it lacks .format_version."),
        ("json", b'{"format_version": 99}', "a/0: format 99 is newer"),
        ("safetensors", b"1234567890", "a/0: not a readable sample"),
        ("flac", b"fLaC", "a/0.flac: its sound cannot be decoded"),
    ],
)
def test_damaged_samples_are_named(
    clips: list[Clip], tmp_path: Path, part: str, data: bytes | None, message: str
) -> None:
    from diffposetalk.data.shards import PARTS, encode_sample

    parts = dict(zip(PARTS, encode_sample(clips[0])))
    members = {f"a/0.{name}": value for name, value in parts.items() if name != part}
    if data is not None:
        members[f"a/0.{part}"] = data
    put(tmp_path / "train-000000.tar", members)
    with pytest.raises(InputError, match=message) as caught:
        list(ShardReader(tmp_path).clips())
    assert "train-000000.tar" in str(caught.value)


def test_what_cannot_be_written(clips: list[Clip], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips"):
        write_shards([], tmp_path / "shards")
    with pytest.raises(InputError, match="two clips have this name"):
        write_shards([clips[0], clips[0]], tmp_path / "shards")
    with pytest.raises(UsageError, match="does not exist"):
        write_shards(clips, tmp_path / "deep" / "shards")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="already exists"):
        write_shards(clips, tmp_path)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no shards here"):
        ShardReader(tmp_path)
    with pytest.raises(InputError, match="neither a TFHP folder"):
        layout_of(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        layout_of(tmp_path / "none")
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(InputError, match=r"dataset\.json: not a readable"):
        ShardReader(tmp_path)
