"""Time between the extrema of a generated and a captured lip gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics.curves import smoothed


@dataclass(frozen=True)
class Misalignment:
    """Extrema of the captured lip gap and those of the generated one that dynamic time warping joins to them."""

    offsets_ms: tuple[float, ...]
    """Time of each generated extremum minus that of the captured one, milliseconds; above 0: generated later."""
    n_joined: int
    """Captured extrema that were joined to one or more."""
    n_extrema: int
    """Captured extrema."""

    @property
    def mean_ms(self) -> float:
        """Mean temporal misalignment (MTM): mean of the absolute offsets, milliseconds; nan if no extremum was joined."""
        return float(np.abs(self.offsets_ms).mean()) if self.offsets_ms else float("nan")

    @property
    def signed_ms(self) -> float:
        """Mean of the offsets, milliseconds; above 0: generated later; nan if no extremum was joined."""
        return float(np.mean(self.offsets_ms)) if self.offsets_ms else float("nan")

    @property
    def joined(self) -> float:
        """Share of the captured extrema that were joined to one; nan without extrema."""
        return self.n_joined / self.n_extrema if self.n_extrema else float("nan")


def temporal_misalignment(
    predicted: np.ndarray, truth: np.ndarray, fps: float, sigma_frames: float = 2.0
) -> Misalignment:
    """Measure how far generated openings and closings of the mouth lie in time from captured ones: MTM.

    Both gaps are smoothed by a Gaussian. Dynamic time warping aligns their first differences (cost: absolute difference;
    steps: one frame of either or of both). A pair of extrema of one kind that the path joins counts if the generated one
    lies between the captured extrema before and after the captured one.

    Extrema that are joined to none do not count, so a face that hardly moves may have a low mean: look at
    `Misalignment.joined`, too. The mean over clips is the mean of the clips' means, as published. At 30 fps the published
    systems have 50 to 62 ms on VOCASET.

    Args:
        predicted: ``(T,)`` generated lip gap, any unit.
        truth: ``(T',)`` captured lip gap in the same unit. Units matter: the differences of the two are compared.
        fps: frames per second of both.
        sigma_frames: width of the Gaussian, frames.

    Raises:
        InputError: a gap is not ``(T,)`` with at least 2 frames.

    Source: Chae-Yeon et al. 2025 (arXiv:2503.20308) and the evaluation script of its authors, from which the steps, the
        border of the smoothing (mirrored) and the ties of the path (the diagonal first) are taken.
    """
    gaps = [np.asarray(gap, np.float64) for gap in (truth, predicted)]
    for gap in gaps:
        if gap.ndim != 1 or len(gap) < 2:
            raise InputError(f"a lip gap must be (T,) with at least 2 frames, got {gap.shape}")
    real, ours = (smoothed(gap, sigma_frames) for gap in gaps)
    kinds_real, kinds_ours = _extrema(real), _extrema(ours)
    frames_real = np.flatnonzero(kinds_real)
    offsets: list[float] = []
    joined: set[int] = set()
    for frame, other in _warping_path(np.diff(real, prepend=real[0]), np.diff(ours, prepend=ours[0])):
        if kinds_real[frame] == 0 or kinds_real[frame] != kinds_ours[other]:
            continue
        place = int(np.searchsorted(frames_real, frame))
        before = frames_real[place - 1] if place > 0 else 0
        after = frames_real[place + 1] if place < len(frames_real) - 1 else len(real) - 1
        if before <= other <= after:
            offsets.append((other - frame) * 1e3 / fps)
            joined.add(frame)
    return Misalignment(tuple(offsets), len(joined), len(frames_real))


def _extrema(values: np.ndarray) -> np.ndarray:
    """Return 1 at each maximum, -1 at each minimum and 0 elsewhere: ``(T,)``; the middle of a level top counts."""
    kinds = np.zeros(len(values), int)
    steps = np.diff(values)
    moving = np.flatnonzero(steps)
    signs = np.sign(steps[moving]).astype(int)
    turns = np.flatnonzero(signs[:-1] != signs[1:])
    kinds[(moving[turns] + 1 + moving[turns + 1]) // 2] = signs[turns]
    return kinds


def _warping_path(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """Return the path of dynamic time warping between ``(T,)`` and ``(T',)`` values, from the first pair to the last.

    The costs are added up along anti-diagonals, whose cells do not depend on one another.
    """
    n, m = len(one), len(other)
    came_from = np.zeros((n, m), np.int8)  # 0: one frame of both, 1: of the first, 2: of the second
    blocked = np.full(n + 1, np.inf)
    before_last, last = blocked.copy(), blocked.copy()  # total cost of cell (i, d - i) at i + 1, for the last two d
    before_last[0] = 0.0
    for diagonal in range(n + m - 1):
        rows = np.arange(max(0, diagonal - m + 1), min(n, diagonal + 1))
        options = np.stack([before_last[rows], last[rows], last[rows + 1]])
        best = options.argmin(0)
        current = blocked.copy()
        current[rows + 1] = np.abs(one[rows] - other[diagonal - rows]) + options[best, np.arange(len(rows))]
        came_from[rows, diagonal - rows] = best
        before_last, last = last, current
    i, j = n - 1, m - 1
    path: list[tuple[int, int]] = []
    while i >= 0 and j >= 0:
        path.append((i, j))
        step = int(came_from[i, j])
        i, j = i - (step != 2), j - (step != 1)
    return path[::-1]
