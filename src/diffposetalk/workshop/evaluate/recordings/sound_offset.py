"""Offset of each recording's sound: how much earlier the lips are than the sound that belongs to them.

Files come with offsets of their own, from containers, encoders and editing. A correlation at lag 0 over such files
measures their containers. All offsets here are seconds; below 0 the lips come before the sound. They are found without
the model under test:

1. Files with the same name prefix (``grid_``, ``vr_``) form a group, and a group shares one offset.
2. Where the words of a group are known, its offset is the one at which the lips are closest on p, b and m.
3. Otherwise it is the lag at which the lips correlate best with a linear map from log-mels to the lip aperture, which is
   fitted on the other groups at their offsets. Both are repeated `ROUNDS` times.
4. A clip keeps an offset of its own where its lips say clearly that it differs from its group's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from diffposetalk.metrics import standardised
from diffposetalk.metrics.timing.sound_offset import offset_of_closures, peak
from diffposetalk.workshop.evaluate.recordings.alignment import Phones
from diffposetalk.workshop.evaluate.recordings.clips import FPS, TrackedClip

EARLIEST_S, LATEST_S = -0.2, 0.08
"""Offsets between which the search looks."""
LAGS = range(round(EARLIEST_S * FPS) - 1, round(LATEST_S * FPS) + 2)
"""Frames of the search, with one more on either side for the parabola."""
ROUNDS = 4
"""Number of times the linear map and the offsets are computed from each other."""
INDEPENDENT_PER_S = 6.0
"""Effective number of independent observations in a second of lip motion (its curves are correlated in time)."""
STEP_S = 0.01
"""Step of the offsets that are tried."""
CLEAR = 4.0
"""Gain in log-likelihood from which a clip has an offset of its own instead of its group's."""
SAME_S = 0.03
"""Difference below which an offset counts as the group's, however clear it is."""
RIDGE = 300.0
"""Penalty of the linear map, on standardised inputs."""
CONTEXT = 4
"""Frames on either side that the linear map sees."""

Method = Literal["closures", "group", "clip", "assumed"]

METHODS: dict[Method, str] = {
    "closures": "closures of p, b and m",
    "group": "best lag of its group",
    "clip": "best lag of this clip alone",
    "assumed": "assumed",
}
"""Method in words."""


@dataclass(frozen=True)
class SoundOffset:
    """Offset of one clip's sound."""

    seconds: float
    """Time of a lip movement minus the time of its sound; below 0 the lips come first."""
    method: Method
    """``closures``: of p, b and m of the clip's group. ``group``: best lag of the group. ``clip``: best lag of this clip,
    which clearly differs from its group's. ``assumed``: 0, since nothing correlates."""
    evidence: str
    """Numbers behind it: "9 closures", "r 0.52 over 2 clips"."""
    error_s: float | None = None
    """Standard error in seconds; None where unknown."""


_ASSUMED = SoundOffset(0.0, "assumed", "no known words, no peak inside the search")


def group_of(name: str) -> str:
    """Return the prefix of a clip's name up to the first underscore: ``grid`` of ``grid_bbaf2n``."""
    return name.partition("_")[0]


def sound_offsets(clips: Sequence[TrackedClip], phones: Mapping[str, Phones] | None = None) -> dict[str, SoundOffset]:
    """Estimate the offset of each clip's sound.

    The linear map knows offsets only relative to those of the clips that it is fitted on. Groups with known closures fix
    the zero. Without such a group the offsets are relative to the mean of all groups.

    Args:
        clips: clips with tracked lips.
        phones: phones of the clips whose words are known, by the clip's name.

    Returns:
        Offset by the clip's name.
    """
    groups: dict[str, list[TrackedClip]] = {}
    for clip in clips:
        groups.setdefault(group_of(clip.name), []).append(clip)
    anchors = {name: closure_offset(members, phones or {}) for name, members in groups.items()}
    anchored = {name for name, offset in anchors.items() if offset is not None}
    offsets = {name: offset or _ASSUMED for name, offset in anchors.items()}
    features = {clip.name: speech_features(clip) for clip in clips}
    curves: dict[str, np.ndarray] = {}
    for turn in range(ROUNDS):
        for name, members in groups.items():
            trusted = anchored if turn == 0 and anchored - {name} else groups.keys()
            others = [clip for clip in clips if group_of(clip.name) in trusted - {name}]
            if not others:
                continue
            aligned = [shifted(clip.aperture, offsets[group_of(clip.name)].seconds) for clip in others]
            weights = linear_map([features[clip.name] for clip in others], aligned)
            for clip in members:
                curves[clip.name] = correlation_by_lag(features[clip.name] @ weights, clip.aperture)
            if name not in anchored:
                offsets[name] = group_offset([curves[clip.name] for clip in members], [c.seconds for c in members])
        if not anchored:
            mean = float(np.mean([offset.seconds for offset in offsets.values()]))
            offsets = {name: replace(offset, seconds=offset.seconds - mean) for name, offset in offsets.items()}
    return {clip.name: clip_offset(curves.get(clip.name), clip.seconds, offsets[group_of(clip.name)]) for clip in clips}


def closure_offset(clips: Sequence[TrackedClip], phones: Mapping[str, Phones]) -> SoundOffset | None:
    """Return the offset at which the lips of a group are closest on p, b and m; None with too few of them."""
    known = [(clip.aperture, phones.get(clip.name, [])) for clip in clips]
    offset = offset_of_closures(known, FPS, EARLIEST_S, LATEST_S)
    if offset is None:
        return None
    return SoundOffset(offset.seconds, "closures", f"{offset.n_closures} closures", offset.error_s)


def correlation_by_lag(predicted: np.ndarray, aperture: np.ndarray) -> np.ndarray:
    """Correlate predicted lips with tracked ones that come each of `LAGS` frames later: ``(len(LAGS),)``."""
    n_frames = min(len(predicted), len(aperture))
    if n_frames < len(LAGS) + 2:
        return np.zeros(len(LAGS))
    pairs = [
        (predicted[max(-lag, 0) : n_frames - max(lag, 0)], aperture[max(lag, 0) : n_frames + min(lag, 0)])
        for lag in LAGS
    ]
    return np.array([float((standardised(ours) * standardised(theirs)).mean()) for ours, theirs in pairs])


def group_offset(curves: Sequence[np.ndarray], seconds: Sequence[float]) -> SoundOffset:
    """Return the offset at which several clips correlate best, each weighted by its length.

    Clips without a peak inside the search do not count, nor do those that clearly have an offset of their own: a clip can
    lose at most `CLEAR` in the choice of the offset that most clips share.
    """
    usable = [k for k, curve in enumerate(curves) if peak_inside(curve, seconds[k], 1) is not None]
    if not usable:
        return _ASSUMED
    candidates = np.arange(EARLIEST_S, LATEST_S, STEP_S)
    losses = np.array([_lost(curves[k], seconds[k], candidates) for k in usable])
    shared = int(np.argmin(np.minimum(losses, CLEAR).sum(0)))
    alike = [k for k, loss in zip(usable, losses[:, shared]) if loss < CLEAR]
    weights = [seconds[k] for k in alike]
    mean = np.average([curves[k] for k in alike], axis=0, weights=weights)
    return peak_inside(mean, sum(weights), len(alike)) or _ASSUMED


def clip_offset(curve: np.ndarray | None, seconds: float, group: SoundOffset) -> SoundOffset:
    """Return the clip's own best offset where it is clearly better than its group's, else the group's."""
    own = None if curve is None else peak_inside(curve, seconds, 1)
    if curve is None or own is None or _lost(curve, seconds, np.array([group.seconds]))[0] < CLEAR:
        return group
    r = np.interp(np.array([own.seconds, group.seconds]) * FPS, LAGS, curve)
    evidence = f"r {r[0]:.2f}, {r[1]:.2f} at the group's {1000 * group.seconds:+.0f} ms"
    return replace(own, method="clip", evidence=evidence)


def _lost(curve: np.ndarray, seconds: float, offsets: np.ndarray) -> np.ndarray:
    """Return how much log-likelihood each offset loses against the clip's best one; 0 within `SAME_S` of that one.

    It is that of a linear regression, ``-n / 2 log(1 - r^2)``, with `INDEPENDENT_PER_S` observations in a second.
    """
    place, best = peak(curve)
    r = np.clip([*np.interp(offsets * FPS, LAGS, curve), best], 0.0, 0.9999)
    likelihood = -INDEPENDENT_PER_S * seconds / 2 * np.log(1 - r**2)
    own = (LAGS[0] + place) / FPS
    return np.where(np.abs(offsets - own) < SAME_S, 0.0, likelihood[-1] - likelihood[:-1])


def peak_inside(curve: np.ndarray, seconds: float, n_clips: int) -> SoundOffset | None:
    """Return the offset of the highest correlation, with the error that the curve's bend there allows.

    Returns:
        None where the highest correlation lies at an end of the search or below 0.
    """
    place, r = peak(curve)
    offset = (LAGS[0] + place) / FPS
    best = int(np.argmax(curve))
    if r <= 0 or not 0 < best < len(curve) - 1 or not EARLIEST_S <= offset <= LATEST_S:
        return None
    bend = -float(np.diff(curve[best - 1 : best + 2], 2)[0])
    n = INDEPENDENT_PER_S * seconds
    error = float(np.sqrt((1 - min(r, 1.0) ** 2) / (n * r * bend))) / FPS if bend > 0 else None
    return SoundOffset(offset, "group", f"r {r:.2f} over {n_clips} clip{'s' * (n_clips > 1)}", error)


def shifted(aperture: np.ndarray, offset_s: float) -> np.ndarray:
    """Return lips at the times of their sound: ``(T,)`` values ``offset_s`` later, by cubic interpolation; ends repeat."""
    place = np.clip(np.arange(len(aperture)) + offset_s * FPS, 0, len(aperture) - 1)
    low = np.floor(place).astype(int)
    t = place - low
    padded = np.pad(aperture, (1, 2), mode="edge")
    before, start, end, after = (padded[low + k] for k in range(4))
    slope, slope_end = (end - before) / 2, (after - start) / 2
    return start + t * (
        slope + t * (3 * (end - start) - 2 * slope - slope_end + t * (2 * (start - end) + slope + slope_end))
    )


def linear_map(features: Sequence[np.ndarray], apertures: Sequence[np.ndarray]) -> np.ndarray:
    """Fit standardised apertures by ridge regression on speech features: ``(F,)`` weights."""
    lengths = [min(len(x), len(y)) for x, y in zip(features, apertures)]
    x = np.concatenate([x[:n] for x, n in zip(features, lengths)])
    y = np.concatenate([standardised(y[:n]) for y, n in zip(apertures, lengths)])
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)


def speech_features(clip: TrackedClip) -> np.ndarray:
    """Return standardised log-mels of each frame and of `CONTEXT` frames on either side: ``(T, 26 * 9)``."""
    mels = np.stack([standardised(band) for band in log_mels(clip).T], axis=1)
    padded = np.pad(mels, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    return np.concatenate([padded[k : k + len(mels)] for k in range(2 * CONTEXT + 1)], axis=1)


def log_mels(clip: TrackedClip, n_mels: int = 26, width_s: float = 0.04) -> np.ndarray:
    """Return ``(T, n_mels)`` log-mel energies of ``width_s`` around each frame's time."""
    rate, n_fft = clip.speech.sample_rate, 1024
    width = round(width_s * rate)
    edges = np.linspace(_mel(60.0), _mel(7600.0), n_mels + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    hertz = np.linspace(0, rate / 2, n_fft // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.clip(np.minimum(rising, falling), 0, None)
    n_frames = len(clip.aperture)
    starts = np.round(np.arange(n_frames) / FPS * rate).astype(int)
    padded = np.pad(clip.speech.samples.astype(np.float64), (width // 2, width + rate))
    frames = np.stack([np.resize(padded[s : s + width], width) for s in starts]) * np.hanning(width)
    return np.log(np.abs(np.fft.rfft(frames, n_fft)) ** 2 @ filters.T + 1e-6)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))
