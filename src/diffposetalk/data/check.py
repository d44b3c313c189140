"""What is in a data set and what is wrong with it: every clip is read once."""

from __future__ import annotations

import math
from collections import Counter
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
from diffposetalk.progress import Progress, over
from diffposetalk.speech import Speech

MAX_LISTED = 20
"""Lines about what is wrong; more are counted."""
SILENT_DB = -60.0
"""Root-mean-square level of a clip that is taken to hold no speech, decibels below full scale."""
FAR_MEAN = 0.5
"""Difference of a mean in a statistics file, in standard deviations, from which it is noted."""
FAR_STD = 2.0
"""Factor between standard deviations from which it is noted."""
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
    """Contents: numbers, texts and small tables."""
    problems: list[str] = field(default_factory=list)
    """Faults because of which training would fail or mislead, one line for each."""
    notes: list[str] = field(default_factory=list)
    """Unusual things, one line for each."""


class _Measured:
    """Sums over clips."""

    def __init__(self) -> None:
        self.speakers: Counter[str] = Counter()
        self.seconds = 0.0
        self.shortest, self.longest = math.inf, 0.0
        self.levels: list[float] = []
        self.low: dict[str, np.ndarray] = {}
        self.high: dict[str, np.ndarray] = {}

    def add(self, name: str, speaker: str, speech: Speech, groups: dict[str, np.ndarray], findings: Findings) -> None:
        """Add a clip: its speech, and its channels ``(T, width)`` by group."""
        self.speakers[speaker] += 1
        self.seconds += speech.duration
        self.shortest, self.longest = min(self.shortest, speech.duration), max(self.longest, speech.duration)
        level = 10 * math.log10(max(float(np.square(speech.samples, dtype=np.float64).mean()), 1e-12))
        self.levels.append(level)
        if level < SILENT_DB:
            findings.notes.append(f"{name}: hardly any sound ({level:.0f} dB)")
        if float((np.abs(speech.samples) >= 0.999).mean()) > 1e-3:
            findings.notes.append(f"{name}: its sound is clipped")
        for group, values in groups.items():
            if group == "pose" and float(np.abs(values).max()) > LARGE_ROTATION:
                findings.notes.append(f"{name}: head or jaw turned by {np.degrees(np.abs(values).max()):.0f} degrees")
            low, high = self.low.get(group), self.high.get(group)
            if low is None or high is None or low.shape == values.shape[1:]:
                self.low[group] = np.minimum(values.min(0), np.inf if low is None else low)
                self.high[group] = np.maximum(values.max(0), -np.inf if high is None else high)

    def facts(self) -> dict[str, Any]:
        """Return the facts about all clips."""
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


def check(path: str | Path, progress: Progress | None = None) -> Findings:
    """Read a whole data set; return its contents and its faults.

    Args:
        path: a TFHP LMDB folder, or a folder of shards.
        progress: called with the number of clips done, and of all clips where it is known.

    Returns:
        The findings; broken clips are among the problems and do not end the work.

    Raises:
        InputError: the folder is neither, or cannot be opened at all.
    """
    layout = layout_of(path)
    findings = Findings(str(path), layout)
    measured = _Measured()
    if layout == "tfhp":
        _check_tfhp(TfhpReader(path), findings, measured, progress)
    else:
        _check_shards(ShardReader(path), findings, measured, progress)
    findings.facts = measured.facts() | findings.facts
    findings.notes += _held_out(findings.path, findings.facts["splits"])
    return findings


def _held_out(path: str, splits: dict[str, dict[str, int]]) -> list[str]:
    """Return a warning if validation and test hold more clips than training, as happens with few speakers."""
    train = splits.get("train", {}).get("videos", 0)
    others = sum(splits.get(name, {}).get("videos", 0) for name in SPLITS if name != "train")
    if not 0 < train < others:
        return []
    n_speakers = splits["train"]["speakers"]
    return [
        f"{path}: {others} clips are held out for validation and test, only {train} of {n_speakers} speakers are left "
        "to train on; speakers are held out whole, so add speakers, or split by hand"
    ]


def _check_tfhp(reader: TfhpReader, findings: Findings, measured: _Measured, progress: Progress | None) -> None:
    videos = reader.videos
    findings.facts |= {"seg_len": reader.seg_len, "fps": FPS}
    good: list[str] = []
    for video in over(videos, progress):
        try:
            coefficients, samples = reader.read(video)
            _ = reader.widths
            groups = {name: getattr(coefficients, name) for name in NAMES}
            measured.add(video, speaker_of(video), Speech(samples), groups, findings)
            good.append(video)
        except InputError as error:
            findings.problems.append(str(error))
    findings.facts["videos"] = len(videos)
    _check_keys(reader, findings)
    splits = _check_splits(reader, findings)
    _check_statistics(reader, [video for video in splits.get("train", ()) if video in set(good)], findings)


def _check_keys(reader: TfhpReader, findings: Findings) -> None:
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
            expected = -(-reader.n_frames(video) // reader.seg_len) if video in known else 0
        except InputError:
            continue  # reported above
        if n_segments > expected:
            surplus.append(f"{video} ({n_segments - expected})")
    if surplus:
        findings.problems.append(
            f"{reader.path / 'data.mdb'}: values that belong to no video's length: {_some(surplus)}"
        )


def _check_splits(reader: TfhpReader, findings: Findings) -> dict[str, tuple[str, ...]]:
    """Look at the split files: unknown videos, videos and speakers in two splits, videos in none."""
    splits: dict[str, tuple[str, ...]] = {}
    for name in SPLITS:
        try:
            splits[name] = reader.split(name)
        except InputError as error:
            missing = not (reader.path / f"{name}.txt").exists()
            (findings.notes if missing and name != "train" else findings.problems).append(str(error))
    findings.facts["splits"] = {
        name: {"videos": len(videos), "speakers": len({speaker_of(video) for video in videos})}
        for name, videos in splits.items()
    }
    for name, videos in splits.items():
        twice = [video for video, n in Counter(videos).items() if n > 1]
        if twice:
            findings.notes.append(f"{reader.path / name}.txt: names videos twice: {_some(twice)}")
    names = list(splits)
    for first, second in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
        both = sorted(set(splits[first]) & set(splits[second]))
        persons = sorted({speaker_of(v) for v in splits[first]} & {speaker_of(v) for v in splits[second]})
        if both:
            findings.problems.append(f"{reader.path}: videos both in {first} and {second}: {_some(both)}")
        elif persons:
            findings.notes.append(f"{reader.path}: speakers both in {first} and {second}: {_some(persons)}")
    inside = {video for videos in splits.values() for video in videos}
    outside = [video for video in reader.videos if video not in inside]
    if outside and splits:
        findings.notes.append(f"{reader.path}: videos in no split: {_some(outside)}")
    if (reader.path / "keys.txt").exists():
        try:
            if set(reader.split("keys")) != set(reader.videos):
                findings.problems.append(f"{reader.path / 'keys.txt'}: does not name all videos of data.mdb")
        except InputError as error:
            findings.problems.append(str(error))
    return splits


def _check_statistics(reader: TfhpReader, videos: list[str], findings: Findings) -> None:
    path = reader.path / "stats_train.npz"
    if not path.exists():
        findings.notes.append(f"{path}: absent; make it: diffposetalk dataset stats {reader.path} -o {path}")
        return
    try:
        stated = Statistics.load(path)
    except InputError as error:
        findings.problems.append(str(error))
        return
    if stated.still:
        findings.problems.append(f"{path}: the standard deviation of {', '.join(stated.still[:8])} is 0")
    if not videos:
        return
    if stated.widths != reader.widths:
        widths = ", ".join(f"{name} {width} (data: {reader.widths[name]})" for name, width in stated.widths.items())
        findings.problems.append(f"{path}: made from other data: widths {widths}")
        return
    actual = Statistics.of(_coefficients(reader, video) for video in videos)
    agreement = {}
    for name in NAMES:
        used = slice(0, 4) if name == "pose" else slice(None)
        std = actual[f"{name}_std"][used]
        off = np.abs(stated[f"{name}_mean"] - actual[f"{name}_mean"])[used] / std
        factor = np.exp(np.abs(np.log(stated.divisor(name)[used] / std)))
        agreement[name] = {"mean_off": float(off.max()), "std_factor": float(factor.max())}
        far = int(((off > FAR_MEAN) | (factor > FAR_STD)).sum())
        if far:
            findings.notes.append(
                f"{path}: {name}: {far} of {len(std)} differ from the training split's own (mean by up to "
                f"{off.max():.2g} standard deviations, standard deviations by up to a factor {factor.max():.2g})"
            )
    findings.facts["statistics"] = agreement


def _coefficients(reader: TfhpReader, video: str) -> Coefficients:
    return reader.coefficients(video)


def _check_shards(reader: ShardReader, findings: Findings, measured: _Measured, progress: Progress | None) -> None:
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
                measured.add(clip.name, clip.speaker, clip.speech, _groups(clip), findings)
                done += 1
                if progress:
                    progress(done, total)
        except InputError as error:
            findings.problems.append(str(error))
    findings.facts |= {
        "shards": len(reader.shards),
        "heads": dict(heads),
        "fps": dict(rates) if len(rates) > 1 else next(iter(rates), None),
        "splits": {name: {"videos": counts[name], "speakers": len(speakers.get(name, ()))} for name in reader.splits},
    }
    if len(heads) > 1:
        findings.problems.append(f"{reader.path}: clips of different heads ({', '.join(heads)}) in one data set")


def _groups(clip: Clip) -> dict[str, np.ndarray]:
    motion = clip.motion
    poses = [motion.head_pose] + ([motion.jaw_pose] if motion.jaw_pose is not None else [])
    return {"shape": clip.identities, "exp": motion.expression, "pose": np.concatenate(poses, axis=1)}


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
