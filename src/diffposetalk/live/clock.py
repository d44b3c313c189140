"""The clock of a live face: which moment of the sound is shown now.

The clock starts when the first frames are there, and runs with the time of day. Frames that come too late push it back, so that
nothing is left out. If a microphone's frames then wait longer than needed, it runs a little faster until they do not.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

CATCH_UP = 0.05
"""Share by which the clock runs faster while it catches up."""
OBSERVED = 24
"""Arrivals over which the waiting time is observed before the clock catches up."""


class Clock:
    """Position in the sound over time. Safe to use from several threads."""

    def __init__(self, spare_s: float, live: bool, now: Callable[[], float] = time.monotonic) -> None:
        """Prepare the clock.

        Args:
            spare_s: seconds that frames are there before they are shown, against uneven arrival.
            live: whether sound cannot come faster than it is spoken, so that waiting means delay.
            now: seconds of a clock that only rises.
        """
        self._spare_s, self._live, self._now = spare_s, live, now
        self._lock = threading.Lock()
        self._position: float | None = None
        self._at = 0.0
        self._waited: deque[float] = deque(maxlen=OBSERVED)
        self.n_late = 0
        """How often frames came too late."""

    @property
    def position(self) -> float | None:
        """The moment of the sound to show now, seconds; None before the first frames."""
        with self._lock:
            return self._advanced()

    def arrived(self, start_s: float) -> None:
        """Take note that frames from ``start_s`` on have arrived now."""
        with self._lock:
            position = self._advanced()
            if position is None:
                self._position, self._at = start_s - self._spare_s, self._now()
                return
            waits = start_s - position
            self._waited.append(waits)
            if waits < 0:
                self.n_late += 1
                self._position = start_s - self._spare_s
                self._waited.clear()

    def _advanced(self) -> float | None:
        if self._position is None:
            return None
        now = self._now()
        passed, self._at = max(0.0, now - self._at), now
        spare = min(self._waited, default=0.0) - 2 * self._spare_s
        if self._live and len(self._waited) == OBSERVED and spare > 0:
            extra = min(spare, CATCH_UP * passed)
            self._waited = deque((waits - extra for waits in self._waited), OBSERVED)
            passed += extra
        self._position += passed
        return self._position
