"""What a data set's manifest says of the videos and stretches that did not become clips."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class LeftOut:
    """A video, a take or a stretch of one that is not in the data set."""

    video: str
    kind: str
    reason: str
    why: str
    start_s: float | None
    end_s: float | None

    @property
    def seconds(self) -> float:
        """How long it is; 0 where not known."""
        return 0.0 if self.start_s is None or self.end_s is None else max(0.0, self.end_s - self.start_s)


@dataclass(frozen=True)
class Manifest:
    """What became of the videos that a data set was made of."""

    videos: int
    used_videos: int
    left_out: tuple[LeftOut, ...]
    """Each second once: of a rejected video or take only its parts, where these are told."""
    notes: tuple[tuple[str, str], ...]
    """Video and what is worth knowing of it."""


def read_manifest(folder: str | Path) -> Manifest | None:
    """Read ``manifest.jsonl`` in a data set's folder; None where there is none that tells of videos.

    Raises:
        InputError: a line of it is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return None
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            if "kind" not in row or "video" not in row:
                return None
            row["status"], row["video"] = str(row["status"]), str(row["video"])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: line {number} is damaged ({error})") from None
        found.append(row)
    videos = [row for row in found if row["kind"] == "video"]
    left_out = [part for _, rows in groupby(found, key=lambda row: row["video"]) for part in _parts(list(rows))]
    notes = [(row["video"], str(note)) for row in videos for note in row.get("notes", ())]
    return Manifest(len(videos), sum(row["status"] == "used" for row in videos), tuple(left_out), tuple(notes))


def _parts(rows: Sequence[dict[str, Any]]) -> Iterator[LeftOut]:
    """Yield what was left out of a video; a video or take only where none of its parts follows."""
    for row, after in zip(rows, [*rows[1:], None]):
        if row["status"] == "rejected" and not (after and _inside(after, row)):
            span = (row.get("start_s"), row.get("end_s"))
            yield LeftOut(row["video"], str(row["kind"]), str(row.get("reason", "")), str(row.get("why", "")), *span)


def _inside(part: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Tell whether a row of the manifest is of a part of the one before it."""
    if whole["kind"] == "video":
        return True
    within = part.get("start_s", 0.0) < whole.get("end_s", 0.0) - 1e-6 and part.get("start_s", 0.0) >= whole.get(
        "start_s", 0.0
    )
    return bool(whole["kind"] == "take" and part["kind"] in ("stretch", "clip") and within)
