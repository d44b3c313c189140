"""The manifest of a data set made of videos: which were used, and which parts were rejected and why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from diffposetalk.files.limits import JSON_FACTOR, read_bytes
from diffposetalk.files.parsing import parsing

MANIFEST = "manifest.jsonl"
"""Name of the manifest in the data set's folder."""


@dataclass(frozen=True)
class Rejection:
    """A video or a part of one that is not in the data set."""

    video: str
    kind: str
    """`video`, `take`, `stretch` or `clip`."""
    reason: str
    """In one or two words."""
    why: str
    """In a sentence."""
    start_s: float | None
    end_s: float | None

    @property
    def seconds(self) -> float:
        """Duration; 0 where it is not known."""
        return 0.0 if self.start_s is None or self.end_s is None else max(0.0, self.end_s - self.start_s)


@dataclass(frozen=True)
class Manifest:
    """Contents of a manifest."""

    videos: int
    used_videos: int
    rejected: tuple[Rejection, ...]
    """Each second once: a rejected video or take is replaced by its rejected parts where the manifest lists them."""
    notes: tuple[tuple[str, str], ...]
    """Video and a remark on it."""


def read_manifest(folder: str | Path) -> Manifest | None:
    """Read ``manifest.jsonl`` in a data set's folder; None if there is no manifest, or one that is not about videos.

    Raises:
        InputError: a line is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return None
    with parsing(path, "manifest"):
        lines = read_bytes(path, "manifest", JSON_FACTOR).decode().splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        with parsing(f"{path}: line {number}", "row of a manifest"):
            row = json.loads(line)
            if isinstance(row, dict) and not {"kind", "video"} <= row.keys():
                return None  # the manifest of a corpus, not of videos
            rows.append(_checked(row))
    videos = [row for row in rows if row["kind"] == "video"]
    rejected = [part for _, group in groupby(rows, key=lambda row: row["video"]) for part in _parts(list(group))]
    notes = [(row["video"], str(note)) for row in videos for note in row["notes"]]
    return Manifest(len(videos), sum(row["status"] == "used" for row in videos), tuple(rejected), tuple(notes))


def _checked(row: Any) -> dict[str, Any]:
    """Return the fields of a row that `read_manifest` uses, after a check of their types.

    Raises:
        ValueError: a field is missing or of another type.
    """
    if not isinstance(row, dict):
        raise ValueError("it is not a JSON object")
    checked: dict[str, Any] = {}
    for name in ("video", "kind", "status", "reason", "why"):
        value = row[name] if name in ("video", "kind", "status") else row.get(name, "")
        if not isinstance(value, str):
            raise ValueError(f"{name} is not text")
        checked[name] = value
    for name in ("start_s", "end_s"):
        seconds = row.get(name)
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, (int, float))):
            raise ValueError(f"{name} is not a number")
        checked[name] = None if seconds is None else float(seconds)
        if seconds is not None and not math.isfinite(checked[name]):
            raise ValueError(f"{name} is not a finite number")
    checked["notes"] = row.get("notes", [])
    if not isinstance(checked["notes"], list) or not all(isinstance(note, str) for note in checked["notes"]):
        raise ValueError("notes is not a list of texts")
    return checked


def _parts(rows: Sequence[dict[str, Any]]) -> Iterator[Rejection]:
    """Yield the rejections of one video; a whole video or take only if no row of its parts follows."""
    for row, after in zip(rows, [*rows[1:], None]):
        if row["status"] == "rejected" and not (after and _inside(after, row)):
            yield Rejection(row["video"], row["kind"], row["reason"], row["why"], row["start_s"], row["end_s"])


def _inside(part: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Return whether a row is about a part of the row before it."""
    if whole["kind"] == "video":
        return True
    start, first, end = part["start_s"] or 0.0, whole["start_s"] or 0.0, whole["end_s"] or 0.0
    return whole["kind"] == "take" and part["kind"] in ("stretch", "clip") and first <= start < end - 1e-6
