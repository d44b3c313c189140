"""Placing of sound by its time stamps: gaps become silence, repeated sound is dropped, jitter has no effect."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

LOOK_AHEAD_S = 0.3
"""A shift of the time stamps that lasts less than this is taken for jitter of the recorder's clock, seconds."""

LOOK_AHEAD_FRAMES = 8
"""Smallest number of frames that are looked ahead."""

START_TOLERANCE_S = 0.001
"""Sound that begins within this time begins at 0, seconds: containers round to milliseconds."""

STEP_S = 0.004
"""A smaller deviation between two frames is rounding of time stamps, seconds."""

DRIFT_S = 0.04
"""A slow drift of the clock is corrected when it reaches this, seconds (one frame of video)."""

LONGEST_HOLE_S = 3600.0
"""A longer jump forward is a restart of the recorder's clock, not a gap, seconds."""

LONGEST_REPEAT_S = 1.0
"""A longer jump backward is a restart of the recorder's clock, not repeated sound, seconds."""


class TimeLine:
    """Places decoded frames by their time stamps, and measures missing sound.

    Example:
        >>> line = TimeLine(48000)
        >>> samples = np.concatenate(list(line.laid_out(frames)), axis=1)
        >>> line.missing_s
    """

    def __init__(self, rate: int) -> None:
        """Begin at time 0.

        Args:
            rate: samples per second.
        """
        self.rate = rate
        self.n_samples = 0
        """Number of samples yielded so far, including silence."""
        self.missing_s = 0.0
        """Seconds of silence put into gaps."""
        self.holes: list[float] = []
        """Start times of the gaps, seconds."""
        self._waiting: deque[tuple[float, float, np.ndarray]] = deque()  # lateness and its step, seconds; samples
        self._shift = 0  # samples of silence put in, minus samples dropped
        self._drop = 0  # samples of repeated sound still to be dropped
        self._rounding = 0.0  # seconds by which the earliest of the rounded time stamps at the beginning is off

    def laid_out(self, frames: Iterable[tuple[float | None, np.ndarray]]) -> Iterator[np.ndarray]:
        """Yield frames and the silence between them, in order.

        Args:
            frames: time stamp in seconds from the file's beginning (None: directly after the previous frame) and
                ``(channels, n)`` samples.

        Yields:
            ``(channels, n)`` samples.
        """
        n_before, n_waiting = 0, 0
        late, restarts = 0.0, 0.0
        for index, (time_s, samples) in enumerate(frames):
            previous = late
            if time_s is not None:
                late = time_s - n_before / self.rate - restarts
                if not -LONGEST_REPEAT_S < late - previous < LONGEST_HOLE_S:
                    restarts += late - previous
                    late = previous
            step = float("inf") if index == 0 else late - previous
            self._waiting.append((late, step, samples))
            n_before += samples.shape[1]
            n_waiting += samples.shape[1]
            while len(self._waiting) > LOOK_AHEAD_FRAMES and n_waiting > LOOK_AHEAD_S * self.rate:
                n_waiting -= self._waiting[0][2].shape[1]
                yield from self._next()
        while self._waiting:
            yield from self._next()

    def _next(self) -> Iterator[np.ndarray]:
        """Yield the silence before the first waiting frame, if any, and the frame."""
        at_start = self.n_samples == 0 and self._shift == 0
        lateness = [late - self._shift / self.rate for late, _, _ in self._waiting]
        _, step, samples = self._waiting.popleft()
        tolerance = START_TOLERANCE_S if at_start else STEP_S if abs(step) > STEP_S else DRIFT_S
        hole, overlap = min(lateness) - self._rounding, -max(lateness)
        if at_start and (rounding := min(lateness[1:], default=0.0) - max(0.0, hole)) < START_TOLERANCE_S:
            self._rounding = max(rounding, -START_TOLERANCE_S)
        if hole > tolerance:
            n_silent = round(hole * self.rate)
            if not at_start:
                self.holes.append(self.n_samples / self.rate)
                self.missing_s += hole
            self._shift += n_silent
            for first in range(0, n_silent, self.rate):  # a second at a time: holes may be long
                yield self._given(np.zeros((len(samples), min(self.rate, n_silent - first)), samples.dtype))
        elif overlap > tolerance:
            n_repeated = round(overlap * self.rate)
            self._drop += n_repeated
            self._shift -= n_repeated
        if self._drop:
            n_dropped = min(self._drop, samples.shape[1])
            self._drop -= n_dropped
            samples = samples[:, n_dropped:]
        if samples.shape[1]:
            yield self._given(samples)

    def _given(self, samples: np.ndarray) -> np.ndarray:
        self.n_samples += samples.shape[1]
        return samples
