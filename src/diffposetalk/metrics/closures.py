"""Closures of the lips: whether lips close on p, b, m, and only there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from diffposetalk.errors import InputError

PRESSED = frozenset(("p", "b", "m"))
"""Phones for which the lips must meet."""
OPEN = frozenset(("aa", "ae", "ah", "ao", "aw", "ay"))
"""Vowels for which the mouth opens (ARPAbet)."""
SILENT = frozenset(("sil", "sp", "spn", ""))
"""Symbols of silence."""
TRUTH_SHARE = 0.7
"""Share of the captured p, b, m frames that count as closed."""
NEAR_S = 0.08
"""Seconds from p, b or m within which lips may be closed: two frames at 25 fps. Lips close before and open after the sound."""

Phone = tuple[str, float, float]
"""Symbol, start and end in seconds."""


@dataclass(frozen=True)
class Closures:
    """Counts of closures on p, b, m and on open vowels, and the lip gaps there."""

    n_pressed: int
    """Number of p, b and m intervals."""
    n_sealed: int
    """Number of these in which the gap falls below the threshold."""
    n_open: int
    """Number of open-vowel intervals."""
    n_open_sealed: int
    """Number of these in whose middle half the mouth is sealed: false closures."""
    pressed_gap: float
    """Mean gap over p, b, m intervals, in units of the clip's 95th percentile; nan without any."""
    open_gap: float
    """Mean gap over open vowels, same unit; nan without any."""

    @property
    def share(self) -> float:
        """Share of p/b/m intervals that are sealed; nan without any."""
        return _share(self.n_sealed, self.n_pressed)

    @property
    def gap_ratio(self) -> float:
        """Mean gap in p/b/m over mean gap in open vowels; nan where the mouth never opens."""
        return self.pressed_gap / self.open_gap if self.open_gap else float("nan")

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
    phones: Iterable[Phone],
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


@dataclass(frozen=True)
class BilabialClosures:
    """Closed frames against the frames of p, b, m; counts that add up over clips."""

    n_pressed: int = 0
    """Frames of p, b and m."""
    n_pressed_closed: int = 0
    """Number of these in which the lips are closed."""
    n_closed: int = 0
    """Closed frames while somebody speaks."""
    n_closed_near: int = 0
    """Number of these within `NEAR_S` of p, b or m."""
    n_closures: int = 0
    """Closures while somebody speaks: runs of closed frames."""
    n_false_closures: int = 0
    """Number of these without p, b or m within `NEAR_S` of any of their frames."""

    @property
    def score(self) -> float:
        """Bilabial closure score (BCS), percent; nan without any frame of p, b or m."""
        return 100 * _share(self.n_pressed_closed, self.n_pressed)

    @property
    def precision(self) -> float:
        """Closure precision, percent: share of closed frames that are near p, b or m; nan if the mouth never closes."""
        return 100 * _share(self.n_closed_near, self.n_closed)

    @property
    def false_closures(self) -> float:
        """Share of the closures that are false, percent; nan if the mouth never closes."""
        return 100 * _share(self.n_false_closures, self.n_closures)

    @staticmethod
    def pooled(parts: Iterable[BilabialClosures]) -> BilabialClosures:
        """Add up the counts of several clips, so that each frame weighs the same."""
        parts = list(parts)
        return BilabialClosures(*(sum(getattr(part, f.name) for part in parts) for f in fields(BilabialClosures)))


def bilabial_frames(phones: Iterable[Phone], n_frames: int, fps: float) -> np.ndarray:
    """Return which frames lie in p, b or m: ``(n_frames,)`` bool.

    Frame i is at ``i / fps`` seconds. An interval between two frames, shorter than a frame, counts as the frame that is
    nearest to its middle.

    Args:
        phones: ``(symbol, start, end)`` in seconds, lower-case ARPAbet without stress marks.
        n_frames: frames of the clip; intervals beyond its end are left out.
        fps: frames per second.
    """
    return _frames_of((phone for phone in phones if phone[0] in PRESSED), n_frames, fps)


def closure_limit(gaps: Sequence[np.ndarray], pressed: Sequence[np.ndarray], share: float = TRUTH_SHARE) -> float:
    """Return the lip gap that a share of the captured p, b, m frames does not exceed: the limit of the closure score.

    Args:
        gaps: captured lip gap of each clip, ``(T,)``, one unit for all.
        pressed: `bilabial_frames` of each clip, ``(T,)``.
        share: of the frames of all clips together; the paper's 70 %.

    Returns:
        The smallest captured gap with at least that share of the frames at or below it.

    Raises:
        InputError: the clips have no frame of p, b or m, or gaps and frames differ in length.
    """
    values = []
    for gap, frames in zip(gaps, pressed, strict=True):
        if np.shape(gap) != np.shape(frames):
            raise InputError(f"a lip gap of {np.shape(gap)} does not fit frames of p, b, m of {np.shape(frames)}")
        values.append(np.asarray(gap, np.float64)[np.asarray(frames, bool)])
    pooled = np.concatenate(values) if values else np.zeros(0)
    if len(pooled) == 0:
        raise InputError("no frame of p, b or m, so there is no limit for closed lips")
    return float(np.quantile(pooled, share, method="inverted_cdf"))


def bilabial_closures(gap: np.ndarray, fps: float, phones: Iterable[Phone], limit: float) -> BilabialClosures:
    """Compare closed frames with p, b, m: the bilabial closure score and its opposite, closure precision.

    A frame is closed if its gap is at most ``limit``. The score is the share of p, b, m frames that are closed: the
    truth has 70 by construction (more where gaps are equal), the best published system 57.5. It only asks that lips
    close on p, b, m; a mouth that never opens has 100. So precision asks the opposite: which share of the closed frames
    lies near p, b or m. Frames of silence and before, between and after the phones are not counted there, since lips
    may rest closed.

    Args:
        gap: ``(T,)`` inner-lip gap in the unit of the limit; frame i is at ``i / fps`` seconds.
        fps: frames per second.
        phones: as for `bilabial_frames`; `SILENT` symbols are silence.
        limit: `closure_limit` of the captured clips.

    Source: BCS is that of arXiv:2606.13630, as described by others. That text leaves open over what the threshold is
        taken. Here it is one threshold over all captured clips that are compared, unless the caller makes one for each
        speaker. Precision is ours.
    """
    gap = np.asarray(gap, np.float64)
    if gap.ndim != 1 or len(gap) == 0:
        raise InputError(f"a lip gap must be (T,) with at least one frame, got {gap.shape}")
    phones = list(phones)
    pressed = bilabial_frames(phones, len(gap), fps)
    spoken = _frames_of((phone for phone in phones if phone[0] not in SILENT), len(gap), fps)
    near = pressed.copy()
    for shift in range(1, int(NEAR_S * fps + 1e-9) + 1):
        near[shift:] |= pressed[:-shift]
        near[:-shift] |= pressed[shift:]
    closed = gap <= limit
    speaking = closed & spoken
    edges = np.flatnonzero(np.diff(speaking.astype(np.int8), prepend=0, append=0))
    runs = list(zip(edges[::2], edges[1::2]))
    return BilabialClosures(
        int(pressed.sum()),
        int((pressed & closed).sum()),
        int(speaking.sum()),
        int((speaking & near).sum()),
        len(runs),
        sum(not near[start:end].any() for start, end in runs),
    )


def _frames_of(phones: Iterable[Phone], n_frames: int, fps: float) -> np.ndarray:
    frames = np.zeros(n_frames, bool)
    for _, start, end in phones:
        first, last = int(np.ceil(start * fps - 1e-9)), int(np.ceil(end * fps - 1e-9))
        if first >= last:
            first = int(np.floor((start + end) / 2 * fps + 0.5))
            last = first + 1
        frames[max(0, first) : max(0, last)] = True
    return frames


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
