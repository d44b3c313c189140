"""What a data set is like: lengths, levels, how much faces and heads move; every clip is read once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
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

Report = Callable[[int, int | None], None]
HEAD_AXES = ("head pitch", "head yaw", "head roll")
"""Names of the three components of head rotation."""
SHORTEST_FOR_BLINKS = 3.0
"""Seconds of a clip from which blinks are counted by the minute."""


@dataclass(frozen=True)
class ClipRow:
    """What is kept of each clip."""

    name: str
    split: str
    speaker: str
    seconds: float
    level_db: float
    """Root mean square of its sound, decibels below full scale."""
    head_spread_deg: tuple[float, float, float]
    """Standard deviation of pitch, yaw and roll."""
    blinks_per_minute: float | None = None
    """None where the channels do not tell, or the clip is short."""


@dataclass
class Histogram:
    """Counts of values in even bins; values beyond the ends count in the outermost."""

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
        """Return the value below which so many percent lie, exact to a bin."""
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
    """What `survey` found."""

    path: Path
    layout: str
    """`tfhp` or `shards`."""
    head: str
    fps: float
    rows: tuple[ClipRow, ...]
    channels: dict[str, dict[str, Histogram]]
    """Of each frame's values, by channel and split."""
    samples: tuple[tuple[str, Clip], ...] = field(repr=False)
    """Some clips to look at, with their split."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: those to train, validate and test on first."""
        return tuple(sorted({row.split for row in self.rows}, key=_place))

    @property
    def hours(self) -> float:
        """Hours of all clips."""
        return sum(row.seconds for row in self.rows) / 3600


def survey(path: str | Path, n_samples: int = 2, progress: Report | None = None) -> Survey:
    """Read a data set.

    Args:
        path: TFHP folder or folder of shards, of any head.
        n_samples: clips of each split to be kept, of different speakers as far as there are; the same ones each time.
        progress: told the number of clips done, and of how many where that is known.

    Raises:
        InputError: there is no data set, no clip in it, or a clip is damaged.
    """
    clips, total = all_clips(path)
    rows: list[ClipRow] = []
    channels: dict[str, dict[str, Histogram]] = {}
    kept: dict[str, dict[str, tuple[bytes, Clip]]] = {}
    head, fps = "", 0.0
    for done, (split, clip) in enumerate(clips, 1):
        head, fps = head or clip.motion.head, fps or clip.motion.fps
        curves = curves_of(clip.motion)
        for name, (low, high, unit, values) in curves.items():
            channels.setdefault(name, {}).setdefault(split, Histogram(low, high, unit)).add(values)
        rows.append(_row(split, clip))
        if n_samples:
            _keep(kept.setdefault(split, {}), clip, n_samples)
        if progress:
            progress(done, total)
    if not rows:
        raise InputError(f"{path}: has no clips")
    samples = [
        (split, clip)
        for split in sorted(kept, key=_place)
        for _, clip in sorted(kept[split].values(), key=lambda x: x[0])
    ]
    return Survey(Path(path), layout_of(path), head, fps, tuple(rows), channels, tuple(samples))


def curves_of(motion: Motion) -> dict[str, tuple[float, float, str, np.ndarray]]:
    """Return what to show of a motion: by name the range shown, the unit, and ``(T,)`` values."""
    found: dict[str, tuple[float, float, str, np.ndarray]] = {}
    names = set(motion.expression_names)
    if names <= set(INDEX):
        for label, wanted in (
            ("jaw open", ("jawOpen",)),
            ("smile", ("mouthSmileLeft", "mouthSmileRight")),
            ("pucker", ("mouthPucker",)),
            ("brow up", ("browInnerUp",)),
            ("brow down", ("browDownLeft", "browDownRight")),
            ("eyes shut", ("eyeBlinkLeft", "eyeBlinkRight")),
        ):
            if set(wanted) <= names:
                found[label] = (0.0, 1.0, "", np.mean([motion.channel(name) for name in wanted], axis=0))
    else:
        for name in motion.expression_names[:3]:
            found[name] = (-4.0, 4.0, "", motion.channel(name))
    if motion.jaw_pose is not None:
        found["jaw opening"] = (-5.0, 40.0, "°", np.rad2deg(motion.jaw_pose[:, 0]))
    for axis, name in enumerate(HEAD_AXES):
        found[name] = (-45.0, 45.0, "°", np.rad2deg(motion.head_pose[:, axis]))
    return found


def _place(split: str) -> tuple[int, str]:
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


def _keep(kept: dict[str, tuple[bytes, Clip]], clip: Clip, n: int) -> None:
    """Keep ``n`` clips: of the speakers that come first by a hash, more than one of a speaker only while there is room."""
    key, order = clip.speaker, hashlib.sha256(clip.name.encode()).digest()
    if key in kept:
        if len(kept) >= n:
            return
        key, order = clip.name, b"\xff" + order
    kept[key] = (order, clip)
    if len(kept) > n:
        del kept[max(kept, key=lambda each: kept[each][0])]
