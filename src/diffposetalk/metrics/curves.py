"""Curves over time: lips against capture, closures, blinks, head beats, joins between windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.geometry.rotations import angles_between

PRESSED = frozenset(("p", "b", "m"))
"""Phones for which the lips must meet."""
OPEN = frozenset(("aa", "ae", "ah", "ao", "aw", "ay"))
"""Vowels for which the mouth opens (ARPAbet)."""


@dataclass(frozen=True)
class LagCorrelation:
    """Pearson correlation of generated with captured curves at each shift."""

    lags: tuple[int, ...]
    """Frames. Lag k pairs ``predicted[t + k]`` with ``reference[t]``: above 0, the generated curve comes later."""
    r: tuple[float, ...]
    """One correlation per lag, over all clips together."""

    @property
    def r0(self) -> float:
        """Correlation without a shift."""
        return self.r[self.lags.index(0)]

    @property
    def best_lag(self) -> int:
        """The lag with the highest correlation."""
        return self.lags[int(np.argmax(self.r))]

    @property
    def best_r(self) -> float:
        """Correlation at the best lag."""
        return max(self.r)


def standardised(curve: np.ndarray) -> np.ndarray:
    """Return a curve with mean 0 and spread 1 (all zeros where it does not move)."""
    curve = np.asarray(curve, np.float64)
    spread = curve.std()
    return (curve - curve.mean()) / spread if spread > 1e-12 else np.zeros_like(curve)


def lag_correlation(
    predicted: Sequence[np.ndarray], reference: Sequence[np.ndarray], max_lag: int = 8
) -> LagCorrelation:
    """Correlate generated with captured curves, pooled over clips, at lags ``-max_lag..max_lag``.

    Each clip is cut to its shorter curve and standardised by itself; then the clips are joined end to end, so
    that a long clip counts by its length and no clip's level or scale matters. A curve that does not move
    counts as zeros.

    Args:
        predicted: one ``(T,)`` curve per clip.
        reference: the captured curves, same order, same frame rate.
        max_lag: frames.

    Returns:
        The correlation at each lag; positive lag = generated later than captured (real lips lead).

    Raises:
        InputError: no clips, differing numbers of clips, or a clip shorter than ``max_lag + 2`` frames.
    """
    if not predicted or len(predicted) != len(reference):
        raise InputError(f"{len(predicted)} generated curves for {len(reference)} captured ones")
    pairs = []
    for number, (ours, theirs) in enumerate(zip(predicted, reference)):
        n_frames = min(len(ours), len(theirs))
        if n_frames < max_lag + 2:
            raise InputError(f"clip {number} has {n_frames} frames, too few for lags up to {max_lag}")
        pairs.append((standardised(ours[:n_frames]), standardised(theirs[:n_frames])))
    lags = tuple(range(-max_lag, max_lag + 1))
    correlations = []
    for lag in lags:
        ours = np.concatenate([p[max(lag, 0) : len(p) + min(lag, 0)] for p, _ in pairs])
        theirs = np.concatenate([t[max(-lag, 0) : len(t) - max(lag, 0)] for _, t in pairs])
        correlations.append(float((standardised(ours) * standardised(theirs)).mean()))
    return LagCorrelation(lags, tuple(correlations))


@dataclass(frozen=True)
class Closures:
    """How well lips close where the sound says so."""

    n_pressed: int
    """p, b and m intervals looked at."""
    n_sealed: int
    """Those in which the gap fell below the threshold."""
    n_open: int
    """Open-vowel intervals looked at."""
    n_open_sealed: int
    """Those in whose middle half the mouth was sealed: false closures."""
    pressed_gap: float
    """Mean gap over p, b, m intervals, in units of the clip's 95th percentile; nan without any."""
    open_gap: float
    """Mean gap over open vowels, same unit; nan without any."""

    @property
    def share(self) -> float:
        """Share of p/b/m intervals that are sealed; nan without any."""
        return self.n_sealed / self.n_pressed if self.n_pressed else float("nan")

    @property
    def gap_ratio(self) -> float:
        """Mean gap in p/b/m over mean gap in open vowels."""
        return self.pressed_gap / self.open_gap

    @staticmethod
    def pooled(parts: Iterable[Closures]) -> Closures:
        """Join the counts and means of several clips, each interval weighing the same."""
        parts = list(parts)
        n_pressed, n_open = sum(p.n_pressed for p in parts), sum(p.n_open for p in parts)

        def mean(total: float, count: int) -> float:
            return total / count if count else float("nan")

        return Closures(
            n_pressed,
            sum(p.n_sealed for p in parts),
            n_open,
            sum(p.n_open_sealed for p in parts),
            mean(sum(p.pressed_gap * p.n_pressed for p in parts if p.n_pressed), n_pressed),
            mean(sum(p.open_gap * p.n_open for p in parts if p.n_open), n_open),
        )


def closures(
    gap: np.ndarray,
    fps: float,
    phones: Iterable[tuple[str, float, float]],
    threshold: float = 0.10,
    tolerance: float = 0.02,
) -> Closures:
    """Count the p, b, m intervals in which the lips seal.

    The gap is interpolated linearly between frames and read every 2 ms. An interval counts as sealed if the
    gap falls below ``threshold`` times the clip's 95th percentile anywhere within it, widened by
    ``tolerance`` on either side.

    Args:
        gap: ``(T,)`` inner-lip gap, any unit; frame i is at ``i / fps`` seconds.
        fps: frames per second.
        phones: ``(symbol, start, end)`` in seconds, lower-case ARPAbet without stress marks.
        threshold: share of the clip's 95th percentile.
        tolerance: seconds; the default is half a frame at 25 fps.

    Returns:
        Counts and mean gaps. A mouth that never opens is sealed everywhere; its ratio of gaps tells it apart.
    """
    gap = np.asarray(gap, np.float64)
    if gap.ndim != 1 or len(gap) == 0:
        raise InputError(f"a lip gap must be (T,) with at least one frame, got {gap.shape}")
    times, scale = np.arange(len(gap)) / fps, max(float(np.percentile(gap, 95)), 1e-12)

    def read(start: float, end: float) -> np.ndarray:
        return np.interp(np.arange(start, end + 1e-9, 0.002), times, gap) / scale

    sealed, pressed, opened, false = [], [], [], []
    for symbol, start, end in phones:
        if start >= times[-1]:
            continue
        if symbol in PRESSED:
            sealed.append(read(start - tolerance, end + tolerance).min() < threshold)
            pressed.append(read(start, end).mean())
        elif symbol in OPEN:
            quarter = (end - start) / 4
            false.append(read(start + quarter, end - quarter).min() < threshold)
            opened.append(read(start, end).mean())
    return Closures(
        len(sealed),
        int(np.sum(sealed)),
        len(opened),
        int(np.sum(false)),
        float(np.mean(pressed)) if pressed else float("nan"),
        float(np.mean(opened)) if opened else float("nan"),
    )


def closing_time(gap: np.ndarray, fps: float, silent_from: float, limit: float) -> float:
    """Return how long after ``silent_from`` (s) the gap falls below ``limit`` for good; inf if it never does."""
    above = np.flatnonzero(np.asarray(gap) >= limit)
    if len(above) == 0 or above[-1] / fps < silent_from:
        return 0.0
    if above[-1] == len(gap) - 1:
        return float("inf")
    return float((above[-1] + 1) / fps - silent_from)


def blink_frames(lid: np.ndarray, closed: float = 0.5, reopened: float = 0.25) -> np.ndarray:
    """Find blinks in an eyelid curve.

    Args:
        lid: ``(T,)`` lid closure, 0 open to 1 shut (mean of the two ``eyeBlink`` channels).
        closed: a blink begins when the curve rises to this.
        reopened: the next one can begin only after the curve has fallen below this.

    Returns:
        Frame of the deepest closure of each blink.
    """
    blinks: list[int] = []
    peak = -1
    for frame, value in enumerate(np.asarray(lid)):
        if peak < 0 and value >= closed:
            peak = frame
        elif peak >= 0:
            if value > lid[peak]:
                peak = frame
            if value < reopened:
                blinks.append(peak)
                peak = -1
    if peak >= 0:
        blinks.append(peak)
    return np.array(blinks, int)


def head_angular_speed(head_pose: np.ndarray, fps: float) -> np.ndarray:
    """Return the head's turning speed from frame to frame, ``(T - 1,)`` rad/s, from ``(T, 3)`` axis-angle."""
    return angles_between(head_pose[:-1], head_pose[1:]) * fps


def head_beats(head_pose: np.ndarray, fps: float) -> np.ndarray:
    """Return the times (s) of the head's beats: local minima of its angular speed, ``(n,)``.

    The speed between frames i and i + 1 is placed at their middle.
    """
    speed = head_angular_speed(head_pose, fps)
    if len(speed) < 3:
        return np.zeros(0)
    low = (speed[1:-1] < speed[:-2]) & (speed[1:-1] <= speed[2:])
    return (np.flatnonzero(low) + 1.5) / fps


def speech_beats(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the times (s) of the speech's beats, ``(n,)``: where loudness rises fastest, about once a syllable.

    The rise is that of the log energy of 25 ms frames every 10 ms, smoothed over 50 ms; a peak counts if it
    lies above the mean rise by one standard deviation and is the highest within 100 ms.
    """
    hop, width = sample_rate // 100, sample_rate // 40
    n_frames = max(0, (len(samples) - width) // hop + 1)
    if n_frames < 21:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float64), width)[::hop][:n_frames]
    loudness = np.log((frames**2).mean(-1) + 1e-6)
    rise = np.maximum(np.diff(np.convolve(loudness, np.ones(5) / 5, "same"), prepend=loudness[0]), 0)
    rise[:3] = rise[-3:] = 0
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rise, 10), 21).max(-1)
    peaks = np.flatnonzero((rise >= around) & (rise > rise.mean() + rise.std()))
    return (peaks * hop + width / 2) / sample_rate


def beat_alignment(beats: np.ndarray, reference: np.ndarray, fps: float, sigma_frames: float = 3.0) -> float:
    """Measure beat alignment: ``(1/n) sum_i exp(-min_j (t_i - t_j)^2 / (2 sigma^2))``, i over ``beats``.

    Args:
        beats: ``(n,)`` seconds, of the generated head (`head_beats`).
        reference: ``(m,)`` seconds, of the captured head (the paper's form) or of the speech
            (`speech_beats`); say which.
        fps: frames per second, for sigma.
        sigma_frames: width of the tolerance, frames.

    Returns:
        In [0, 1]; 0 if either has no beats.

    Source: DiffPoseTalk (arXiv:2310.00434), after Bailando and AIST++.
    """
    if len(beats) == 0 or len(reference) == 0:
        return 0.0
    nearest = np.abs(np.subtract.outer(beats, reference)).min(1)
    return float(np.exp(-(nearest**2) / (2 * (sigma_frames / fps) ** 2)).mean())


@dataclass(frozen=True)
class Seams:
    """Motion at the joins between windows against motion inside them."""

    at_joins: float
    """Mean speed over the step into each window's first frame, units per second."""
    inside: float
    """Mean speed over all other steps."""
    inside_p99: float
    """99th percentile of the speed over all other steps."""
    beyond: float
    """Share of joins faster than ``inside_p99``; about 0.01 where joins are like any other step."""
    acceleration_ratio: float
    """Mean acceleration over the two steps at each join, as a multiple of that elsewhere."""


def seams(values: np.ndarray, fps: float, window: int, first: int | None = None) -> Seams:
    """Compare speed at window joins with speed inside windows.

    Args:
        values: ``(T, D)`` channels or coordinates of one group (lips, upper face, head); speed is their norm.
        fps: frames per second.
        window: frames from one join to the next.
        first: first frame of the second window; default ``window``.

    Returns:
        Speeds and accelerations at the joins and elsewhere.

    Raises:
        InputError: the sequence holds no join.
    """
    values = np.asarray(values, np.float64).reshape(len(values), -1)
    starts = np.arange(window if first is None else first, len(values) - 1, window)
    if len(starts) == 0 or starts[0] < 1:
        raise InputError(f"no window join in {len(values)} frames with windows of {window}")
    step = np.diff(values, axis=0) * fps
    speed = np.linalg.norm(step, axis=-1)
    bend = np.linalg.norm(np.diff(step, axis=0), axis=-1) * fps
    join = np.zeros(len(speed), bool)
    join[starts - 1] = True
    bent = np.zeros(len(bend), bool)
    bent[np.clip(np.concatenate([starts - 2, starts - 1]), 0, len(bend) - 1)] = True
    top = float(np.percentile(speed[~join], 99))
    return Seams(
        at_joins=float(speed[join].mean()),
        inside=float(speed[~join].mean()),
        inside_p99=top,
        beyond=float((speed[join] > top).mean()),
        acceleration_ratio=float(bend[bent].mean() / max(bend[~bent].mean(), 1e-12)),
    )
