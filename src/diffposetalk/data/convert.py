"""From one layout of a data set to the other: a TFHP LMDB folder, a folder of shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from diffposetalk.data.clip import Clip
from diffposetalk.data.shards import OTHER, ShardReader, write_shards
from diffposetalk.data.tfhp import SPLITS, TfhpReader
from diffposetalk.data.tfhp_write import write_tfhp
from diffposetalk.errors import InputError
from diffposetalk.progress import Progress, with_total

"""Told how many clips are done, and of how many where that is known."""


def layout_of(path: str | Path) -> str:
    """Return "tfhp" or "shards".

    Raises:
        InputError: the folder is neither.
    """
    path = Path(path)
    if path.name == "data.mdb" or (path / "data.mdb").exists():
        return "tfhp"
    if path.is_dir() and any(path.glob("*-[0-9]*.tar")):
        return "shards"
    what = "no such folder" if not path.exists() else "neither a TFHP folder (data.mdb) nor one of shards (*.tar)"
    raise InputError(f"{path}: {what}")


def clips_of(path: str | Path, split: str) -> tuple[Iterator[Clip], int]:
    """Return the clips of a split of a data set of either layout, read as they are asked for, and how many there are.

    Raises:
        InputError: no data set, or no such split, or nothing in it.
    """
    clips: Iterator[Clip]
    if layout_of(path) == "tfhp":
        tfhp = TfhpReader(path)
        videos = tfhp.split(split)
        clips, n_clips = (tfhp.clip(video) for video in videos), len(videos)
    else:
        shards = ShardReader(path)
        clips, names = shards.clips(split), shards.splits.get(split, [])
        n_clips = sum(shards.counts.get(name, 0) for name in names) or sum(1 for _ in shards.clips(split))
    if n_clips == 0:
        raise InputError(f"{path}: the split {split!r} is empty")
    return clips, n_clips


def all_clips(path: str | Path) -> tuple[Iterator[tuple[str, Clip]], int | None]:
    """Return every clip of a data set of either layout with its split's name, and how many there are where that is known.

    Raises:
        InputError: no data set.
    """
    if layout_of(path) == "tfhp":
        tfhp = TfhpReader(path)
        splits = splits_on_disk(tfhp)
        inside = {video for videos in splits.values() for video in videos}
        splits[OTHER] = tuple(video for video in tfhp.videos if video not in inside)
        clips = ((split, tfhp.clip(video)) for split, videos in splits.items() for video in dict.fromkeys(videos))
        return clips, sum(len(set(videos)) for videos in splits.values())
    shards = ShardReader(path)
    return ((split, clip) for split in shards.splits for clip in shards.clips(split)), sum(
        shards.counts.values()
    ) or None


def tfhp_to_shards(source: str | Path, target: str | Path, progress: Progress | None = None) -> int:
    """Write a TFHP data set as shards: each split in its file's order, videos in none as "other".

    Returns:
        Number of clips.

    Raises:
        InputError: the data set cannot be read.
        UsageError: the target already exists.
    """
    reader = TfhpReader(source)
    splits = splits_on_disk(reader)
    ordered = list(dict.fromkeys([video for split in splits.values() for video in split] + list(reader.videos)))
    counts = write_shards(
        (reader.clip(video) for video in ordered),
        target,
        splits if splits else None,
        source=f"TFHP {reader.path.name}",
        progress=with_total(progress, len(ordered)),
    )
    return sum(counts.values())


def shards_to_tfhp(source: str | Path, target: str | Path, seg_len: int = 100, progress: Progress | None = None) -> int:
    """Write shards of FLAME clips as a TFHP data set with split files and statistics.

    Returns:
        Number of clips.

    Raises:
        InputError: the shards cannot be read, or are for another head than "flame".
        UsageError: the target already exists.
    """
    reader = ShardReader(source)
    members: dict[str, list[str]] = {split: [] for split in (*SPLITS, *reader.splits) if split != OTHER}

    def clips() -> Iterator[Clip]:
        for split in reader.splits:
            for clip in reader.clips(split):
                members.get(split, []).append(clip.name)
                yield clip

    total = sum(reader.counts.values()) or None
    return write_tfhp(clips(), target, seg_len, members, with_total(progress, total)).videos


def splits_on_disk(reader: TfhpReader) -> dict[str, tuple[str, ...]]:
    """Return the videos of each split file that there is."""
    return {name: reader.split(name) for name in SPLITS if (reader.path / f"{name}.txt").exists()}
