"""Playing the sound of a live face by its clock."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.generate.packets import pcm_samples
from diffposetalk.live.sources import Packet, sounddevice

if TYPE_CHECKING:
    from diffposetalk.live.clock import Clock

TOLERANCE_S = 0.06
"""Seconds by which the sound may be away from the clock before it jumps there."""
KEPT_S = 60.0
"""Seconds of sound that are kept."""


class Player:
    """Plays the sound that it is given, at the moments that the clock says. All packets must have one rate."""

    def __init__(self, rate: int) -> None:
        """Open the loudspeaker.

        Raises:
            UsageError: the package sounddevice or its library is missing.
            DiffPoseTalkError: there is no loudspeaker, or it does not play this rate.
        """
        sound = sounddevice("--play")
        self._rate, self._delay_s = rate, 0.0
        self._clock: Clock | None = None
        self._blocks: deque[np.ndarray] = deque()
        self._first = self._n = 0  # numbers of the first sample kept, and of the one after the last
        self._next = 0
        self._lock = threading.Lock()
        try:
            self._stream = sound.OutputStream(
                samplerate=rate, channels=1, dtype="float32", latency="low", callback=self._wanted
            )
        except (sound.PortAudioError, ValueError, OSError) as error:
            raise DiffPoseTalkError(f"--play: the loudspeaker cannot be opened ({error}); leave --play out") from None

    def start(self, clock: Clock, delay_s: float) -> None:
        """Begin to play: what the clock says, ``delay_s`` seconds later."""
        self._clock, self._delay_s = clock, delay_s
        self._stream.start()

    def add(self, packet: Packet) -> None:
        """Add sound."""
        samples = pcm_samples(packet.samples)
        with self._lock:
            self._blocks.append(samples)
            self._n += len(samples)
            while self._n - self._first - len(self._blocks[0]) > KEPT_S * self._rate:
                self._first += len(self._blocks.popleft())

    def close(self) -> None:
        """Stop."""
        self._stream.close()

    def _wanted(self, out: np.ndarray, n: int, times: Any, status: Any) -> None:
        position = self._clock.position if self._clock is not None else None
        if position is None:
            out[:] = 0
            return
        ahead = max(0.0, float(times.outputBufferDacTime) - float(times.currentTime))
        due = round((position - self._delay_s + ahead) * self._rate)
        if abs(due - self._next) > TOLERANCE_S * self._rate:
            self._next = due
        out[:, 0] = self._samples(self._next, n)
        self._next += n

    def _samples(self, start: int, n: int) -> np.ndarray:
        """Return samples ``start`` to ``start + n``; silence where there are none."""
        result = np.zeros(n, np.float32)
        with self._lock:
            at = self._first
            for block in self._blocks:
                low, high = max(start, at), min(start + n, at + len(block))
                if low < high:
                    result[low - start : high - start] = block[low - at : high - at]
                at += len(block)
        return result
