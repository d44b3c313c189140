"""Packets of sound at any rate -> one continuous sound at 16 kHz, at constant memory.

Packets may carry the time of their first sample. Then a lost packet becomes silence, a packet that comes again is ignored,
and a packet that comes late fills its gap, as long as the silence there has not been taken yet.

The resampler is written out here, because its state must be a plain value that can be saved. Its result does not depend
on the lengths of the packets, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.generate.speech_of import MOST_CHANNELS, mono
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.sound import MIN_SAMPLE_RATE

HIGHEST_RATE = 192_000
"""Highest sample rate of packets, Hz."""
TOLERANCE_S = 0.005
"""Seconds by which the time of a packet may differ from the end of the packet before it and still continue it."""
LONGEST_GAP_S = 5.0
"""Longest gap that is filled with silence, seconds. After a longer one the sender's clock is taken to have changed."""
ZERO_CROSSINGS = 24
"""Half the length of the resampling filter, in zero crossings of its kernel."""
_BETA = 9.0
"""Of the Kaiser window: 90 dB of stopband."""


def pcm_samples(pcm: np.ndarray | bytes) -> np.ndarray:
    """Return sound as float32 samples ``(n,)`` in [-1, 1].

    Args:
        pcm: ``(n,)`` or ``(n, channels)``, however small n is, floats in [-1, 1] or integers at full scale; or bytes:
            16-bit little-endian mono.

    Raises:
        InputError: it is not sound.
    """
    if isinstance(pcm, (bytes, bytearray, memoryview)):
        if len(pcm) % 2:
            raise InputError(f"a packet of {len(pcm)} bytes does not hold 16-bit samples; send an even number of bytes")
        pcm = np.frombuffer(pcm, "<i2")
    samples = np.asarray(pcm)
    samples = mono(samples, 1 if samples.ndim == 2 and samples.shape[1] <= MOST_CHANNELS else None)
    if samples.size == 0 and samples.ndim == 1:
        return np.zeros(0, np.float32)
    return Speech.from_array(samples, SAMPLE_RATE).samples


class Packets:
    """Sound that arrives in packets and is taken in pieces of 16 kHz."""

    def __init__(self) -> None:
        self.rate = SAMPLE_RATE
        """Sample rate of the packets, Hz."""
        self._waiting = np.zeros(0, np.float32)  # sound at `rate` that the resampler has not taken
        self._filled = np.zeros(0, bool)  # which of it has arrived; the rest is silence in place of lost packets
        self._first = 0  # number of its first sample since the clock's origin
        self._origin = math.nan  # time of sample 0 on the sender's clock; NaN until a packet tells it
        self._tail = np.zeros(0, np.float32)  # what the resampler still needs of the sound that it has taken
        self._phase = 0  # position of its next output after the middle of `_tail`, in 1 / (outputs per input) samples
        self._ready = np.zeros(0, np.float32)  # at 16 kHz, from before a change of the rate
        self._restart()

    def push(self, pcm: np.ndarray | bytes, sample_rate: int | None = None, at: float | None = None) -> None:
        """Add a packet.

        Args:
            pcm: see `pcm_samples`.
            sample_rate: Hz; None: as before, at first 16 kHz.
            at: time of its first sample on the sender's clock, seconds; None: it follows the packet before it.

        Raises:
            InputError: it is not sound, or its rate or time is impossible.
        """
        samples = pcm_samples(pcm)
        rate = self.rate if sample_rate is None else sample_rate
        if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)):
            raise InputError(f"the sample rate must be a whole number of Hz, not {rate!r:.40}")
        if not MIN_SAMPLE_RATE <= rate <= HIGHEST_RATE:
            raise InputError(f"a sample rate of {rate} Hz is impossible ({MIN_SAMPLE_RATE} to {HIGHEST_RATE})")
        if at is not None and not (isinstance(at, (int, float, np.number)) and math.isfinite(at)):
            raise InputError(f"the time of a packet must be a number of seconds, not {at!r:.40}")
        if rate != self.rate:
            self._change_rate(int(rate))
        end = self._first + len(self._waiting)
        start = end if at is None else self._number(float(at), end)
        if start > end:
            self._append(np.zeros(start - end, np.float32), False)
            end = start
        late = samples[max(0, self._first - start) : max(0, end - start)]
        if len(late):
            where = max(start, self._first) - self._first
            missing = ~self._filled[where : where + len(late)]
            self._waiting[where : where + len(late)][missing] = late[missing]
            self._filled[where : where + len(late)] = True
        self._append(samples[max(0, end - start) :], True)

    def take(self, n: int) -> np.ndarray | None:
        """Return the next ``(n,)`` float32 samples at 16 kHz, or None while there are fewer."""
        if self._n_ready() < n:
            return None
        taken, self._ready = self._ready[:n], self._ready[n:]
        return np.concatenate([taken, self._resampled(n - len(taken))])

    def rest(self) -> np.ndarray:
        """Return all samples that are left, at 16 kHz; the filter's end hears silence."""
        self._append(np.zeros(self._half, np.float32), True)
        rest = self.take(self._n_ready())
        assert rest is not None
        return rest

    def drop(self) -> None:
        """Forget all samples that have not been taken. The next packet follows directly, whatever its time."""
        self._waiting, self._filled = self._waiting[:0], self._filled[:0]
        self._ready = self._ready[:0]
        self._origin = math.nan
        self._restart()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays, for an npz file."""
        numbers = {"rate": self.rate, "first": self._first, "phase": self._phase, "origin": self._origin}
        sounds = {"waiting": self._waiting, "filled": self._filled, "tail": self._tail, "ready": self._ready}
        return {name: np.asarray(value) for name, value in {**numbers, **sounds}.items()}

    @staticmethod
    def of(arrays: Mapping[str, Any]) -> Packets:
        """Return the packets whose state `arrays` holds.

        Raises:
            InputError: the state is damaged.
        """
        packets = Packets()
        try:
            rate = int(arrays["rate"])
            if not MIN_SAMPLE_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(f"a rate of {rate} Hz")
            packets.rate = rate
            packets._first, packets._phase = int(arrays["first"]), int(arrays["phase"])
            packets._origin = float(arrays["origin"])
            for name in ("waiting", "tail", "ready"):
                values = np.array(arrays[name], np.float32)
                if values.ndim != 1 or not np.isfinite(values).all():
                    raise ValueError(name)
                setattr(packets, f"_{name}", values)
            packets._filled = np.array(arrays["filled"], bool)
            packets._half, packets._up, packets._down = filter_sizes(rate)
            if packets._filled.shape != packets._waiting.shape or not 0 <= packets._phase < packets._up:
                raise ValueError("lengths")
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"state of a stream: the packets of sound are damaged ({error})") from None
        return packets

    def _number(self, at: float, end: int) -> int:
        """Return the number of a packet's first sample from its time; ``end``: number after the last sample so far."""
        if math.isnan(self._origin):
            self._origin = at - end / self.rate
        start = round((at - self._origin) * self.rate)
        if abs(start - end) <= TOLERANCE_S * self.rate:
            return end
        if abs(start - end) > LONGEST_GAP_S * self.rate:
            self._origin = at - end / self.rate
            return end
        return start

    def _append(self, samples: np.ndarray, arrived: bool) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        self._filled = np.concatenate([self._filled, np.full(len(samples), arrived)])

    def _change_rate(self, rate: int) -> None:
        ready = self.rest()
        self.drop()
        self.rate, self._ready, self._first = rate, ready, 0
        self._restart()

    def _restart(self) -> None:
        """Start the resampler with silence before the sound."""
        self._half, self._up, self._down = filter_sizes(self.rate)
        self._tail = np.zeros(max(0, self._half - 1), np.float32)
        self._phase = 0

    def _n_ready(self) -> int:
        """Return how many samples at 16 kHz can be made of what has arrived."""
        n_inputs = len(self._tail) + len(self._waiting) - max(0, 2 * self._half - 1)
        return len(self._ready) + max(0, -((self._phase - n_inputs * self._up) // self._down))

    def _resampled(self, n: int) -> np.ndarray:
        """Take ``(n,)`` samples at 16 kHz out of the waiting sound."""
        if n == 0:
            return np.zeros(0, np.float32)
        if self._half == 0:
            samples = self._waiting[:n]
            self._advance(n)
            return samples
        steps = self._phase + np.arange(n) * self._down
        index, phase = steps // self._up, steps % self._up
        last = int(index[-1]) + 2 * self._half
        sound = np.concatenate([self._tail, self._waiting[: max(0, last - len(self._tail))]])
        windows = np.lib.stride_tricks.sliding_window_view(sound, 2 * self._half)[index]
        samples = (windows * filters(self.rate)[phase]).sum(-1, dtype=np.float32)
        after = self._phase + n * self._down
        n_past, self._phase = after // self._up, after % self._up
        n_tail = len(self._tail)
        joined = np.concatenate([self._tail, self._waiting[: max(0, n_past + 2 * self._half - n_tail)]])
        self._tail = joined[n_past:]
        self._advance(len(joined) - n_tail)
        return np.clip(samples, -1, 1)

    def _advance(self, n: int) -> None:
        self._waiting, self._filled = self._waiting[n:], self._filled[n:]
        self._first += n


def filter_sizes(rate: int) -> tuple[int, int, int]:
    """Return half the filter's length in samples at ``rate`` (0: no filter), and up and down of the ratio in lowest terms."""
    if rate == SAMPLE_RATE:
        return 0, 1, 1
    common = math.gcd(rate, SAMPLE_RATE)
    return math.ceil(ZERO_CROSSINGS * max(1, rate / SAMPLE_RATE)), SAMPLE_RATE // common, rate // common


@lru_cache(maxsize=4)
def filters(rate: int) -> np.ndarray:
    """Return the low-pass filter of every phase: ``(up, 2 half)`` float32, rows summing to 1."""
    half, up, _ = filter_sizes(rate)
    cutoff = 0.95 * min(1.0, SAMPLE_RATE / rate)
    distance = np.arange(1 - half, half + 1)[None, :] - np.arange(up)[:, None] / up
    kernel = np.sinc(cutoff * distance) * np.i0(_BETA * np.sqrt(np.maximum(0, 1 - (distance / half) ** 2)))
    return (kernel / kernel.sum(1, keepdims=True)).astype(np.float32)
