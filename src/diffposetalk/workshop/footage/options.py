"""Options of a data set build: which clips are cut, and how they are divided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffposetalk.errors import UsageError
from diffposetalk.track.limits import LIMITS, clip_limit

LONGEST_PIECE_S = 60.0
"""Longest piece of a take that is tracked at once, seconds; longer takes are divided at pauses."""


@dataclass(frozen=True)
class CutOptions:
    """Requirements of a clip, and how it is tracked. The defaults of its limits are in `track.limits`."""

    head: str = "anny"
    """Head to fit: anny, or a FLAME file."""
    landmarker: str | None = None
    """Face model of MediaPipe, face_landmarker.task (default: the one in the asset folder, else the bundled one)."""
    field_of_view: float | None = None
    """Angle of view of the camera along the longer side of the picture, degrees (default: 30)."""
    shortest_s: float = 2.0
    """Shortest clip, seconds."""
    longest_s: float = 20.0
    """Longest clip, seconds."""
    pause_s: float = 1.0
    """Longest pause inside a clip, seconds; the speech is cut at longer pauses."""
    smooth: Literal["prior", "savgol"] = "prior"
    """Smoothing of the motion: prior (the tracker's own), or savgol (also a Savitzky-Golay filter, as in the paper)."""
    correct_lag: bool = True
    """Measure the audio-video offset and correct it."""
    most_error_percent: float = clip_limit("error_percent")
    """Largest reprojection error, percent of the inter-ocular distance."""
    least_coverage: float = clip_limit("coverage")
    """Smallest share of the frames in which the face is visible."""
    most_turned_deg: float = clip_limit("turned_deg")
    """Largest median angle between face and camera, degrees."""
    smallest_px: float = clip_limit("eye_distance_px")
    """Smallest distance between the eyes, pixels."""
    least_fps: float = clip_limit("fps")
    """Lowest frame rate of a video."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.shortest_s <= self.longest_s / 2:
            raise UsageError(
                f"clips from {self.shortest_s:g} to {self.longest_s:g} s: the shortest clip must have at least 0.5 s and "
                "at most half of the longest, so that long speech can be divided"
            )
        if self.longest_s > LONGEST_PIECE_S:
            raise UsageError(f"clips of {self.longest_s:g} s are too long; at most {LONGEST_PIECE_S:g} s")
        if not 0 <= self.least_coverage <= 1:
            raise UsageError(f"coverage is a share of the frames, from 0 to 1, not {self.least_coverage:g}")
        if min(self.pause_s, self.most_error_percent, self.most_turned_deg, self.smallest_px, self.least_fps) < 0:
            raise UsageError("limits cannot be below 0")
        if self.smooth not in ("prior", "savgol"):
            raise UsageError(f"smoothing {self.smooth!r} is unknown; choose prior or savgol")

    def limits(self) -> dict[str, float]:
        """Return the limit of each checked number by its name in `track.limits`: the option's, else the table's."""
        chosen = {
            "error_percent": self.most_error_percent,
            "coverage": self.least_coverage,
            "turned_deg": self.most_turned_deg,
            "eye_distance_px": self.smallest_px,
            "fps": self.least_fps,
        }
        return {limit.value: limit.clip for limit in LIMITS if limit.clip is not None} | chosen


@dataclass(frozen=True)
class BuildOptions:
    """Where finished videos are stored, and how speakers are divided."""

    work: Path | None = None
    """Keep finished videos in this folder (default: OUT.work, removed at the end)."""
    speakers: Path | None = None
    """Table file,speaker (.csv) that names the speaker of each video (default: the video's folder, or its name)."""
    val: float = 0.1
    """Share of speakers for validation."""
    test: float = 0.1
    """Share of speakers for testing."""
