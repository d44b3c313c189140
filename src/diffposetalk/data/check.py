"""What is in a data set and what is wrong with it: every clip is read once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import NAMES, Coefficients
from diffposetalk.data.convert import layout_of
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.lmdb_folder import Store
from diffposetalk.data.shards import ShardReader
from diffposetalk.data.tfhp import FPS, SPLITS, TfhpReader, speaker_of
from diffposetalk.errors import InputError
from diffposetalk.speech import Speech

Report = Callable[[int, int | None], None]
MAX_LISTED = 20
"""Lines about what is wrong; more are counted."""
SILENT_DB = -60.0
"""Root-mean-square level of a clip that is taken to hold no speech, decibels below full scale."""
FAR_MEAN, FAR_STD = 0.5, 2.0
"""A statistics file is remarked on where its mean is off by so many spreads, or its spread by such a factor."""
LARGE_ROTATION = math.pi / 2
"""Radians beyond which a head or jaw is taken for a mistake of the tracker."""


@dataclass
class Findings:
    """The result of `check`."""

    path: str
    """The data set."""
    layout: str
    """`tfhp` or `shards`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What is in it: numbers, texts and small tables."""
    problems: list[str] = field(default_factory=list)
    """What is wrong, a line each; training on the data would fail or mislead."""
    notes: list[str] = field(default_factory=list)
    """What is unusual, a line each."""


class _Measured:
    """Sums over clips."""

    def __init__(self) -> None:
        self.speakers: Counter[str] = Counter()
        self.seconds = 0.0
        self.shortest, self.longest = math.inf, 0.0
        self.levels: list[float] = []
        self.low: dict[str, np.ndarray] = {}
        self.high: dict[str, np.ndarray] = {}

    def add(self, name: str, speaker: str, speech: Speech, groups: dict[str, np.ndarray], found: Findings) -> None:
        """Take a clip's speech and channels `(T, width)` by group into account."""
        self.speakers[speaker] += 1
        self.seconds += speech.duration
        self.shortest, self.longest = min(self.shortest, speech.duration), max(self.longest, speech.duration)
        level = 10 * math.log10(max(float(np.square(speech.samples, dtype=np.float64).mean()), 1e-12))
        self.levels.append(level)
        if level < SILENT_DB:
            found.notes.append(f"{name}: hardly any sound ({level:.0f} dB)")
        if float((np.abs(speech.samples) >= 0.999).mean()) > 1e-3:
            found.notes.append(f"{name}: its sound is clipped")
        for group, values in groups.items():
            if group == "pose" and float(np.abs(values).max()) > LARGE_ROTATION:
                found.notes.append(f"{name}: head or jaw turned by {np.degrees(np.abs(values).max()):.0f} degrees")
            low, high = self.low.get(group), self.high.get(group)
            if low is None or high is None or low.shape == values.shape[1:]:
                self.low[group] = np.minimum(values.min(0), np.inf if low is None else low)
                self.high[group] = np.maximum(values.max(0), -np.inf if high is None else high)

    def facts(self) -> dict[str, Any]:
        """Return what was summed."""
        level = np.array(self.levels or [math.nan])
        return {
            "clips": len(self.levels),
            "speakers": len(self.speakers),
            "hours": self.seconds / 3600,
            "shortest_seconds": self.shortest if self.levels else 0.0,
            "longest_seconds": self.longest,
            "speech_level_db": {"median": float(np.median(level)), "lowest": float(level.min())} if self.levels else {},
            "ranges": {
                group: {"width": len(self.low[group]), "min": float(self.low[group].min()), "max": float(high.max())}
                for group, high in self.high.items()
                if len(high)
            },
        }


def check(path: str | Path, progress: Report | None = None) -> Findings:
    """Read a whole data set, say what is in it and what is wrong.

    Args:
        path: a TFHP LMDB folder, or a folder of shards.
        progress: told how many clips are done, and of how many where that is known.

    Returns:
        The findings; broken clips are among the problems and do not end the work.

    Raises:
        InputError: the folder is neither, or cannot be opened at all.
    """
    layout = layout_of(path)
    found = Findings(str(path), layout)
    measured = _Measured()
    if layout == "tfhp":
        _check_tfhp(TfhpReader(path), found, measured, progress)
    else:
        _check_shards(ShardReader(path), found, measured, progress)
    found.facts = measured.facts() | found.facts
    found.notes += _held_out(found.path, found.facts["splits"])
    return found


def _held_out(path: str, splits: dict[str, dict[str, int]]) -> list[str]:
    """Return a line where validation and test hold more than training: so happens with very few speakers."""
    train = splits.get("train", {}).get("videos", 0)
    others = sum(splits.get(name, {}).get("videos", 0) for name in SPLITS if name != "train")
    if not 0 < train < others:
        return []
    n_speakers = splits["train"]["speakers"]
    return [
        f"{path}: {others} clips are held out for validation and test, only {train} of {n_speakers} speakers are left "
        "to train on; speakers are held out whole, so add speakers, or split by hand"
    ]


def _check_tfhp(reader: TfhpReader, found: Findings, measured: _Measured, progress: Report | None) -> None:
    videos = reader.videos
    found.facts |= {"seg_len": reader.seg_len, "fps": FPS}
    good: list[str] = []
    for done, video in enumerate(videos, 1):
        try:
            coefficients, samples = reader.read(video)
            _ = reader.widths
            groups = {name: getattr(coefficients, name) for name in NAMES}
            measured.add(video, speaker_of(video), Speech(samples), groups, found)
            good.append(video)
        except InputError as error:
            found.problems.append(str(error))
        if progress:
            progress(done, len(videos))
    found.facts["videos"] = len(videos)
    _check_keys(reader, found)
    splits = _check_splits(reader, found)
    _check_statistics(reader, [video for video in splits.get("train", ()) if video in set(good)], found)


def _check_keys(reader: TfhpReader, found: Findings) -> None:
    """Look for segments that no video's length accounts for."""
    surplus = []
    counts: Counter[str] = Counter()
    for key in Store(reader.path).keys():  # noqa: SIM118 (no mapping)
        video, _, last = key.rpartition("/")
        if last != "metadata":
            counts[video] += 1
    known = set(reader.videos)
    for video, n_segments in counts.items():
        try:
            wanted = -(-reader.n_frames(video) // reader.seg_len) if video in known else 0
        except InputError:
            continue  # told of above
        if n_segments > wanted:
            surplus.append(f"{video} ({n_segments - wanted})")
    if surplus:
        found.problems.append(f"{reader.path / 'data.mdb'}: values that belong to no video's length: {_some(surplus)}")


def _check_splits(reader: TfhpReader, found: Findings) -> dict[str, tuple[str, ...]]:
    """Look at the split files: unknown videos, videos and speakers in two splits, videos in none."""
    splits: dict[str, tuple[str, ...]] = {}
    for name in SPLITS:
        try:
            splits[name] = reader.split(name)
        except InputError as error:
            missing = not (reader.path / f"{name}.txt").exists()
            (found.notes if missing and name != "train" else found.problems).append(str(error))
    found.facts["splits"] = {
        name: {"videos": len(videos), "speakers": len({speaker_of(video) for video in videos})}
        for name, videos in splits.items()
    }
    for name, videos in splits.items():
        twice = [video for video, n in Counter(videos).items() if n > 1]
        if twice:
            found.notes.append(f"{reader.path / name}.txt: names videos twice: {_some(twice)}")
    names = list(splits)
    for first, second in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
        both = sorted(set(splits[first]) & set(splits[second]))
        persons = sorted({speaker_of(v) for v in splits[first]} & {speaker_of(v) for v in splits[second]})
        if both:
            found.problems.append(f"{reader.path}: videos both in {first} and {second}: {_some(both)}")
        elif persons:
            found.notes.append(f"{reader.path}: speakers both in {first} and {second}: {_some(persons)}")
    inside = {video for videos in splits.values() for video in videos}
    outside = [video for video in reader.videos if video not in inside]
    if outside and splits:
        found.notes.append(f"{reader.path}: videos in no split: {_some(outside)}")
    if (reader.path / "keys.txt").exists():
        try:
            if set(reader.split("keys")) != set(reader.videos):
                found.problems.append(f"{reader.path / 'keys.txt'}: does not name all videos of data.mdb")
        except InputError as error:
            found.problems.append(str(error))
    return splits


def _check_statistics(reader: TfhpReader, videos: list[str], found: Findings) -> None:
    path = reader.path / "stats_train.npz"
    if not path.exists():
        found.notes.append(f"{path}: absent; make it: diffposetalk dataset stats {reader.path} -o {path}")
        return
    try:
        stated = Statistics.load(path)
    except InputError as error:
        found.problems.append(str(error))
        return
    if stated.still:
        found.problems.append(f"{path}: the spread of {', '.join(stated.still[:8])} is 0")
    if not videos:
        return
    if stated.widths != reader.widths:
        widths = ", ".join(f"{name} {width} (data: {reader.widths[name]})" for name, width in stated.widths.items())
        found.problems.append(f"{path}: made from other data: widths {widths}")
        return
    actual = Statistics.of(_coefficients(reader, video) for video in videos)
    agreement = {}
    for name in NAMES:
        used = slice(0, 4) if name == "pose" else slice(None)
        std = actual[f"{name}_std"][used]
        off = np.abs(stated[f"{name}_mean"] - actual[f"{name}_mean"])[used] / std
        factor = np.exp(np.abs(np.log(stated.spread(name)[used] / std)))
        agreement[name] = {"mean_off": float(off.max()), "std_factor": float(factor.max())}
        far = int(((off > FAR_MEAN) | (factor > FAR_STD)).sum())
        if far:
            found.notes.append(
                f"{path}: {name}: {far} of {len(std)} differ from the training split's own (mean by up to "
                f"{off.max():.2g} of its spread, spread by up to a factor {factor.max():.2g})"
            )
    found.facts["statistics"] = agreement


def _coefficients(reader: TfhpReader, video: str) -> Coefficients:
    return reader.coefficients(video)


def _check_shards(reader: ShardReader, found: Findings, measured: _Measured, progress: Report | None) -> None:
    heads: Counter[str] = Counter()
    rates: Counter[float] = Counter()
    total = sum(reader.counts.values()) or None
    done = 0
    speakers: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for split in reader.splits:
        try:
            for clip in reader.clips(split):
                heads[clip.motion.head] += 1
                rates[clip.motion.fps] += 1
                counts[split] += 1
                speakers.setdefault(split, set()).add(clip.speaker)
                measured.add(clip.name, clip.speaker, clip.speech, _groups(clip), found)
                done += 1
                if progress:
                    progress(done, total)
        except InputError as error:
            found.problems.append(str(error))
    found.facts |= {
        "shards": len(reader.shards),
        "heads": dict(heads),
        "fps": dict(rates) if len(rates) > 1 else next(iter(rates), None),
        "splits": {name: {"videos": counts[name], "speakers": len(speakers.get(name, ()))} for name in reader.splits},
    }
    if len(heads) > 1:
        found.problems.append(f"{reader.path}: clips of different heads ({', '.join(heads)}) in one data set")


def _groups(clip: Clip) -> dict[str, np.ndarray]:
    motion = clip.motion
    poses = [motion.head_pose] + ([motion.jaw_pose] if motion.jaw_pose is not None else [])
    return {"shape": clip.identities, "exp": motion.expression, "pose": np.concatenate(poses, axis=1)}


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
