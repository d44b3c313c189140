"""Lines of `manifest.jsonl`: the result for every video, take and stretch, with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

REASONS = {
    "damaged": "the file, its picture or its sound cannot be read",
    "no picture": "the file has no moving pictures",
    "no sound": "the file has no sound track, or it ends before the picture",
    "silence": "nobody speaks",
    "music": "music sounds, alone or under the voice",
    "noise": "pauses are hardly quieter than the voice",
    "no face": "no face is seen",
    "too short": "shorter than the shortest clip (--shortest)",
    "too long": "longer than 4 h; cut the video into parts first",
    "few frames": "too few frames per second: blinks and closures of the lips would be missed",
    "coverage": "the face was lost in too many frames",
    "profile": "the face is turned too far from the camera",
    "small": "the face is too small",
    "blurred": "the face is blurred",
    "bad fit": "the head does not fit the landmarks",
    "still lips": "there is a voice but the visible lips hardly move: somebody else speaks",
    "duplicate": "the same file as another",
    "worker died": "the process that read the video died or hung, twice",
    "defect": "an unexpected error of this program",
}
"""Reasons for a rejection, and their meaning."""


@dataclass(frozen=True)
class Finding:
    """Result for a video, for a stretch without cuts (take), or for a stretch of a take."""

    kind: Literal["video", "take", "stretch", "clip"]
    """A clip is in the data set; a stretch was rejected."""
    status: Literal["used", "rejected"]
    """A video or a take is used if it gave at least one clip."""
    start_s: float | None = None
    end_s: float | None = None
    """Place in the video, seconds."""
    reason: str = ""
    """Key of `REASONS`; empty if used."""
    why: str = ""
    """Reason in a sentence."""
    notes: tuple[str, ...] = ()
    """Further remarks."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """Measured numbers by name, with the unit in the name."""

    def __post_init__(self) -> None:
        if (self.status == "rejected") != (self.reason in REASONS):
            raise ValueError(f"a finding that is {self.status} for the reason {self.reason!r}")
        for edge in ("start_s", "end_s"):
            value = getattr(self, edge)
            object.__setattr__(self, edge, None if value is None else float(value))
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in self.numbers.items()}
        object.__setattr__(self, "numbers", {name: value for name, value in plain.items() if value is not None})

    @property
    def seconds(self) -> float:
        """Length in seconds; 0 if not known."""
        return 0.0 if self.start_s is None or self.end_s is None else self.end_s - self.start_s

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary for `from_dict`."""
        values = {"kind": self.kind, "status": self.status, "start_s": self.start_s, "end_s": self.end_s}
        return values | {"reason": self.reason, "why": self.why, "notes": list(self.notes), "numbers": self.numbers}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Finding:
        """Rebuild from `to_dict`."""
        return Finding(**{**values, "notes": tuple(values["notes"])})

    def line(self, **names: Any) -> dict[str, Any]:
        """Return the line of the manifest: `names` first, numbers rounded, without empty fields."""
        values = {**names, "kind": self.kind, "status": self.status, "start_s": self.start_s, "end_s": self.end_s}
        values |= {"reason": self.reason, "why": self.why, **self.numbers, "notes": list(self.notes)}
        return {
            name: _rounded(value) for name, value in values.items() if value is not None and value != "" and value != []
        }


def rejected(kind: Literal["video", "take", "stretch"], reason: str, why: str, *span: float, **numbers: Any) -> Finding:
    """Return the finding of a rejected part, from `span[0]` to `span[1]` seconds if a span is given."""
    start, end = span or (None, None)
    return Finding(kind, "rejected", start, end, reason, why, (), numbers)


def lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return the content of a manifest, one JSON object per line."""
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value
