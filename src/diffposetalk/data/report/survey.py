"""What a data set is like: lengths, levels, how much faces and heads move; every clip is read once."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.data.clip import Clip
from diffposetalk.data.convert import all_clips, layout_of
from diffposetalk.data.tfhp import SPLITS
from diffposetalk.errors import InputError
from diffposetalk.metrics import blink_frames
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress

HEAD_AXES = ("head pitch", "head yaw", "head roll")
"""Names of the three components of head rotation."""
SHORTEST_FOR_BLINKS = 3.0
"""Shortest clip, in seconds, whose blinks per minute are counted."""


@dataclass(frozen=True)
class ClipRow:
    """Measures of one clip."""

    name: str
    split: str
    speaker: str
    seconds: float
    level_db: float
    """Root mean square of its sound, decibels below full scale."""
    head_spread_deg: tuple[float, float, float]
    """Standard deviation of pitch, yaw and roll."""
    blinks_per_minute: float | None = None
    """None if the motion has no blink channels or the clip is too short."""


@dataclass
class Histogram:
    """Counts of values in bins of one width; values beyond the ends are counted in the outermost bins."""

    low: float
    high: float
    unit: str = ""
    counts: np.ndarray = field(default_factory=lambda: np.zeros(600, np.int64), repr=False)

    def add(self, values: np.ndarray) -> None:
        """Count values ``(n,)``."""
        n = len(self.counts)
        place = (np.asarray(values, np.float64) - self.low) / (self.high - self.low) * n
        self.counts += np.bincount(np.clip(place, 0, n - 1).astype(int), minlength=n)

    def percentile(self, percent: float) -> float:
        """Return a percentile, exact to one bin."""
        total = np.cumsum(self.counts)
        if total[-1] == 0:
            return math.nan
        index = int(np.searchsorted(total, percent / 100 * total[-1]))
        return self.low + (self.high - self.low) * (min(index, len(total) - 1) + 0.5) / len(total)

    def bars(self, n: int = 60) -> np.ndarray:
        """Return the counts in ``n`` wider bins; ``n`` divides their number."""
        return self.counts.reshape(n, -1).sum(1)


@dataclass(frozen=True)
class Survey:
    """Measures of a data set, as `survey` returns them."""

    path: Path
    layout: str
    """`tfhp` or `shards`."""
    head: str
    fps: float
    rows: tuple[ClipRow, ...]
    channels: dict[str, dict[str, Histogram]]
    """Values of all frames, by channel and split."""
    samples: tuple[tuple[str, Clip], ...] = field(repr=False)
    """Split and clip of the clips that the page shows."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: those to train, validate and test on first."""
        return tuple(sorted({row.split for row in self.rows}, key=_order))

    @property
    def hours(self) -> float:
        """Hours of all clips."""
        return sum(row.seconds for row in self.rows) / 3600


def survey(path: str | Path, n_samples: int = 2, progress: Progress | None = None) -> Survey:
    """Read a data set.

    Args:
        path: TFHP folder or folder of shards, of any head.
        n_samples: clips of each split to keep as samples, of different speakers where possible; the same in each run.
        progress: called with the number of clips read, and of all clips where it is known.

    Raises:
        InputError: there is no data set, no clip in it, or a clip is damaged.
    """
    clips, total = all_clips(path)
    rows: list[ClipRow] = []
    channels: dict[str, dict[str, Histogram]] = {}
    samples: dict[str, dict[str, tuple[bytes, Clip]]] = {}
    head, fps = "", 0.0
    for done, (split, clip) in enumerate(clips, 1):
        head, fps = head or clip.motion.head, fps or clip.motion.fps
        curves = curves_of(clip.motion)
        for name, (low, high, unit, values) in curves.items():
            channels.setdefault(name, {}).setdefault(split, Histogram(low, high, unit)).add(values)
        rows.append(_row(split, clip))
        if n_samples:
            _add_sample(samples.setdefault(split, {}), clip, n_samples)
        if progress:
            progress(done, total)
    if not rows:
        raise InputError(f"{path}: has no clips")
    ranked = [
        (split, clip)
        for split in sorted(samples, key=_order)
        for _, clip in sorted(samples[split].values(), key=lambda x: x[0])
    ]
    return Survey(Path(path), layout_of(path), head, fps, tuple(rows), channels, tuple(ranked))


def curves_of(motion: Motion) -> dict[str, tuple[float, float, str, np.ndarray]]:
    """Return the curves of a motion that the page shows: for each name its range, its unit and ``(T,)`` values."""
    curves: dict[str, tuple[float, float, str, np.ndarray]] = {}
    names = set(motion.expression_names)
    if names <= set(INDEX):
        for label, channels in (
            ("jaw open", ("jawOpen",)),
            ("smile", ("mouthSmileLeft", "mouthSmileRight")),
            ("pucker", ("mouthPucker",)),
            ("brow up", ("browInnerUp",)),
            ("brow down", ("browDownLeft", "browDownRight")),
            ("eyes shut", ("eyeBlinkLeft", "eyeBlinkRight")),
        ):
            if set(channels) <= names:
                curves[label] = (0.0, 1.0, "", np.mean([motion.channel(name) for name in channels], axis=0))
    else:
        for name in motion.expression_names[:3]:
            curves[name] = (-4.0, 4.0, "", motion.channel(name))
    if motion.jaw_pose is not None:
        curves["jaw opening"] = (-5.0, 40.0, "°", np.rad2deg(motion.jaw_pose[:, 0]))
    for axis, name in enumerate(HEAD_AXES):
        curves[name] = (-45.0, 45.0, "°", np.rad2deg(motion.head_pose[:, axis]))
    return curves


def _order(split: str) -> tuple[int, str]:
    return (*SPLITS, split).index(split), split


def _row(split: str, clip: Clip) -> ClipRow:
    power = float(np.square(clip.speech.samples, dtype=np.float64).mean())
    pitch, yaw, roll = (float(value) for value in np.rad2deg(clip.motion.head_pose.std(0)))
    blinks = None
    lids = {"eyeBlinkLeft", "eyeBlinkRight"}
    if lids <= set(clip.motion.expression_names) and clip.duration >= SHORTEST_FOR_BLINKS:
        shut = np.mean([clip.motion.channel(name) for name in sorted(lids)], axis=0)
        blinks = 60 * len(blink_frames(shut)) / clip.duration
    level = 10 * math.log10(max(power, 1e-12))
    return ClipRow(clip.name, split, clip.speaker, clip.duration, level, (pitch, yaw, roll), blinks)


def _add_sample(samples: dict[str, tuple[bytes, Clip]], clip: Clip, n: int) -> None:
    """Keep at most ``n`` samples, those whose hash comes first; two of one speaker only while there is room."""
    key, order = clip.speaker, hashlib.sha256(clip.name.encode()).digest()
    if key in samples:
        if len(samples) >= n:
            return
        key, order = clip.name, b"\xff" + order
    samples[key] = (order, clip)
    if len(samples) > n:
        del samples[max(samples, key=lambda key: samples[key][0])]
