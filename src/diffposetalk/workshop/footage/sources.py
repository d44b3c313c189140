"""Videos of a data set, their speakers, and the speakers of each split."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.parsing import parsing
from diffposetalk.media import VIDEOS

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Source:
    """A video."""

    path: Path
    name: str
    """Path below the named folder, with `/`; the file name if the file itself was named."""
    speaker: str
    stem: str
    """Name of its clips before their number; unique for the speaker."""


def find_videos(paths: Iterable[str | Path], speakers: str | Path | None = None) -> list[Source]:
    """Return all videos of files and folders (with their subfolders), ordered by name.

    The speaker of a video is the first subfolder on the way from the named folder to the video. Without a subfolder it is
    the file name without its ending.

    Args:
        paths: video files, and folders; of a folder, files with the usual endings of videos are used.
        speakers: table `file,speaker` (.csv) that overrides this; files by name, or by path within the folder.

    Raises:
        InputError: a path is absent, no video is there, or the table is wrong.
    """
    rows: dict[Path, tuple[Path, str, str]] = {}
    for entry in map(Path, paths):
        if entry.is_dir():
            videos = sorted(path for path in entry.rglob("*") if path.suffix.lower() in VIDEOS and path.is_file())
            inner = {path: path.relative_to(entry) for path in videos}
            inner = {path: name for path, name in inner.items() if not any(part.startswith(".") for part in name.parts)}
            if not inner:
                raise InputError(f"{entry}: holds no videos ({', '.join(VIDEOS)})")
        elif entry.exists():
            inner = {entry: Path(entry.name)}
        else:
            raise InputError(f"{entry}: no such file or folder")
        for path, relative in inner.items():
            rows.setdefault(path.resolve(), (path, entry.resolve().name if entry.is_dir() else "", relative.as_posix()))
    if not rows:
        raise InputError("no videos were named")
    counts = Counter(inside for *_, inside in rows.values())
    stems = Counter(path.stem for path, _, inside in rows.values() if "/" not in inside)
    sources = []
    for path, folder, inside in rows.values():
        name = inside if counts[inside] == 1 else f"{folder}/{inside}" if folder else path.as_posix()
        top, *deeper = Path(inside).parts
        whose = top if deeper else path.stem
        if not deeper and stems[path.stem] > 1 and folder:  # files 001.mp4 of several folders are not of one person
            whose = f"{folder}_{path.stem}"
        sources.append(Source(path, name, _clean(whose), _clean(path.stem)))
    if len({source.name for source in sources}) < len(sources):
        sources = [replace(source, name=source.path.absolute().as_posix()) for source in sources]
    if speakers is not None:
        sources = _with_speakers(sources, Path(speakers))
    return _with_unique_stems(sorted(sources, key=lambda source: source.name))


def _clean(text: str) -> str:
    """Return a name that a data set's clips may have."""
    return re.sub(r"[^\w-]+", "_", text).strip("_") or "unnamed"


def _with_unique_stems(sources: Sequence[Source]) -> list[Source]:
    """Append a hash of the video's name to stems that a speaker has twice."""
    counts = Counter((source.speaker, source.stem.lower()) for source in sources)

    def stem(source: Source) -> str:
        if counts[source.speaker, source.stem.lower()] == 1:
            return source.stem
        return f"{source.stem}-{hashlib.sha256(source.name.encode()).hexdigest()[:8]}"

    return [replace(source, stem=stem(source)) for source in sources]


def _with_speakers(sources: Sequence[Source], table: Path) -> list[Source]:
    with parsing(table, "table of speakers"), table.open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    if not rows or not {"file", "speaker"} <= set(rows[0]):
        raise InputError(f"{table}: must be a table with the columns file,speaker")
    by_name = {source.name: source for source in sources}
    by_file: dict[str, list[Source]] = {}
    for source in sources:
        by_file.setdefault(source.path.name, []).append(source)
    chosen: dict[str, str] = {}
    for line, row in enumerate(rows, 2):
        file, speaker = (row["file"] or "").strip(), (row["speaker"] or "").strip()
        if not file or not speaker:
            raise InputError(f"{table}: line {line} lacks the file or the speaker")
        fitting = [by_name[file]] if file in by_name else by_file.get(file, [])
        if len(fitting) != 1:
            what = "is none of the videos" if not fitting else "could be several videos; write its path"
            raise InputError(f"{table}: line {line}: {file} {what}")
        if chosen.setdefault(fitting[0].name, _clean(speaker)) != _clean(speaker):
            raise InputError(f"{table}: line {line}: {file} has two speakers")
    return [replace(source, speaker=chosen.get(source.name, source.speaker)) for source in sources]


def check_shares(val: float, test: float) -> None:
    """Refuse shares of the speakers that are out of range.

    Raises:
        UsageError: they leave nothing to train on.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise UsageError(f"shares of {val:g} (val) and {test:g} (test) leave nothing to train on")


FEWEST_SPEAKERS = 3
"""Smallest number of speakers for held-out splits. With fewer, holding one out says little and costs half of the data."""


def split_speakers(speakers: Iterable[str], val: float, test: float) -> dict[str, str]:
    """Return the split of each speaker: those whose name's hash comes first are held out.

    With fewer than `FEWEST_SPEAKERS` speakers, all are in the training split. Otherwise each split with a share above 0
    gets at least one speaker, as long as one remains for training.

    Args:
        speakers: by name.
        val: share of the speakers kept for validation.
        test: share kept for test.

    Raises:
        UsageError: as `check_shares`.
    """
    check_shares(val, test)
    ranked = sorted(set(speakers), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(ranked) < FEWEST_SPEAKERS:
        return dict.fromkeys(ranked, "train")
    split: dict[str, str] = {}
    left = list(ranked)
    for name, share in (("val", val), ("test", test)):
        n = max(1, round(share * len(ranked))) if share else 0
        n = min(n, max(0, len(left) - 1))
        split |= dict.fromkeys(left[:n], name)
        left = left[n:]
    return split | dict.fromkeys(left, "train")


def split_notes(splits: Mapping[str, Mapping[str, float]], val: float, test: float) -> tuple[str, ...]:
    """Return one line for each split whose size differs from the requested share.

    Args:
        splits: by split, its `speakers` and `clips`; empty splits are absent.
        val: requested share of the speakers for validation.
        test: requested share for testing.
    """
    n_speakers = sum(int(split["speakers"]) for split in splits.values())
    n_clips = sum(int(split["clips"]) for split in splits.values())
    if (val or test) and n_speakers < FEWEST_SPEAKERS:
        who = "the one speaker is" if n_speakers == 1 else f"all {n_speakers} speakers are"
        return (f"{who} in the training split: held-out splits need at least {FEWEST_SPEAKERS} speakers",)
    notes = []
    for name, share in (("val", val), ("test", test)):
        held = splits.get(name, {}).get("clips", 0) / max(n_clips, 1)
        if held > max(2 * share, share + 0.1):
            notes.append(
                f"{100 * held:.0f} % of the clips are in {name}, not {100 * share:.0f} %, because whole speakers are held out "
                f"and there are {n_speakers} (use --{name} 0 to train on all of them)"
            )
    return tuple(notes)


def members(split_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the speakers of each split, in order of their names."""
    return {split: sorted(name for name, each in split_of.items() if each == split) for split in SPLITS}
