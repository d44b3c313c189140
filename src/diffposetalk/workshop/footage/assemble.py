"""Results of many videos -> one data set: names, splits, statistics, manifest and shards, in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from diffposetalk.data.channel_statistics import ChannelSums
from diffposetalk.data.clip import Clip
from diffposetalk.data.shards import write_shards
from diffposetalk.errors import InputError
from diffposetalk.files.atomic import replacing_folder, write_atomically
from diffposetalk.progress import Progress, with_total
from diffposetalk.workshop.footage.manifest import Finding, lines
from diffposetalk.workshop.footage.options import CutOptions
from diffposetalk.workshop.footage.sources import Source, members, split_speakers
from diffposetalk.workshop.footage.staging import Staging, version_of

MANIFEST, STATISTICS, SETTINGS = "manifest.jsonl", "statistics.json", "build.json"
SOURCE = "filmed people, tracked by diffposetalk"


@dataclass(frozen=True)
class Outcome:
    """Result for a video."""

    source: Source
    findings: tuple[Finding, ...]
    key: str | None = None
    """Key of its clips in the staging folder."""

    @property
    def clips(self) -> list[Finding]:
        """The findings of its clips."""
        return [finding for finding in self.findings if finding.kind == "clip"]


@dataclass(frozen=True)
class Assembled:
    """Content of a data set."""

    clips: int
    seconds: float
    members: dict[str, list[str]]
    """Speakers by split."""
    splits: dict[str, dict[str, float]]
    """By split, its `speakers`, `clips` and `hours`."""


def assembled(
    outcomes: Sequence[Outcome],
    staging: Staging,
    output: Path,
    cutting: CutOptions,
    val: float,
    test: float,
    progress: Progress,
) -> Assembled:
    """Write the data set's folder, complete or not at all.

    Args:
        outcomes: of all videos, in order.
        staging: holds the clips; gets the manifest if there is not one clip.
        output: folder to be made.
        cutting: requirements of a clip; written to `build.json`.
        val: share of the speakers kept for validation.
        test: share kept for test.
        progress: called with the number of clips written.

    Raises:
        InputError: there is not one clip.
        DiffPoseTalkError: the disk refuses.
    """
    split_of = split_speakers((each.source.speaker for each in outcomes if each.clips), val, test)
    manifest = lines(_rows(outcomes, split_of))
    n_clips = sum(len(each.clips) for each in outcomes)
    if n_clips == 0:
        staging.make()
        where = staging.folder / MANIFEST
        write_atomically(where, manifest)
        raise InputError(f"{output}: {len(outcomes)} videos gave not one clip; {where} says why")
    sums = ChannelSums(str(output))
    counts = {split: {"speakers": len(names), "clips": 0, "hours": 0.0} for split, names in members(split_of).items()}
    seconds = 0.0

    def clips() -> Iterator[Clip]:
        nonlocal seconds
        for each in outcomes:
            for number, clip in enumerate(staging.clips(each.key) if each.key and each.clips else ()):
                name = _name(each.source, number)
                split = split_of[each.source.speaker]
                counts[split]["clips"] += 1
                counts[split]["hours"] += clip.duration / 3600
                seconds += clip.duration
                if split == "train":
                    sums.add(clip)
                yield replace(clip, speaker=each.source.speaker, name=name)

    with replacing_folder(output) as temporary:
        counted = with_total(progress, n_clips, "writing")
        write_shards(clips(), temporary, lambda name: split_of[name.partition("/")[0]], SOURCE, progress=counted)
        (temporary / MANIFEST).write_bytes(manifest)
        if counts.get("train", {}).get("clips"):
            sums.statistics("train").save(temporary / STATISTICS)
        settings = {name: value for name, value in asdict(cutting).items() if name not in ("landmarker",)}
        settings["head"] = Path(cutting.head).name
        about = {
            "version": version_of("diffposetalk"),
            "cutting": settings,
            "val": val,
            "test": test,
            "speakers": members(split_of),
        }
        (temporary / SETTINGS).write_bytes(_json(about))
    return Assembled(n_clips, seconds, members(split_of), {split: row for split, row in counts.items() if row["clips"]})


def _name(source: Source, number: int) -> str:
    return f"{source.speaker}/{source.stem}-{number:03d}"


def _rows(outcomes: Sequence[Outcome], split_of: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the manifest's lines: each video, then its takes, stretches and clips."""
    for each in outcomes:
        number = 0
        for finding in each.findings:
            names: dict[str, Any] = {"video": each.source.name}
            if finding.kind == "video":
                names["speaker"] = each.source.speaker
                names["split"] = split_of[each.source.speaker] if each.clips else None
            elif finding.kind == "clip":
                names["clip"] = _name(each.source, number)
                number += 1
            yield finding.line(**names)


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()
