"""What clips cut from videos must be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diffposetalk.errors import UsageError

LONGEST_PIECE_S = 60.0
"""Longer takes are fitted in pieces, divided where nobody speaks, seconds."""


@dataclass(frozen=True)
class CutOptions:
    """What a clip must be like."""

    head: str = "anny"
    """Head to fit: anny, or FLAME's file."""
    landmarker: str | None = None
    """MediaPipe's face_landmarker.task; none for the asset folder's."""
    field_of_view: float | None = None
    """The cameras' angle of view over the longer side, degrees; none if unknown."""
    shortest_s: float = 2.0
    longest_s: float = 20.0
    """Length of a clip, seconds."""
    pause_s: float = 1.0
    """Longer silence is left out, seconds."""
    smooth: Literal["prior", "savgol"] = "prior"
    """Motion as the fit's own prior in time leaves it, or also smoothed by a Savitzky-Golay filter as the paper's."""
    correct_lag: bool = True
    """Measure how far the sound is late, and shift it."""
    most_error_percent: float = 5.0
    """Reprojection error, of the inter-ocular distance."""
    least_coverage: float = 0.9
    """Part of the frames in which the face is seen."""
    most_turned_deg: float = 35.0
    """Median of the clip."""
    smallest_px: float = 25.0
    """Between the eyes."""
    least_fps: float = 20.0
    """Of the video."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.shortest_s <= self.longest_s / 2:
            raise UsageError(
                f"clips from {self.shortest_s:g} to {self.longest_s:g} s: the shortest must be at least 0.5 s and "
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
