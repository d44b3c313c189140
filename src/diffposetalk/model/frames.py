"""Speech in motion frames: the numbers of mel and motion frames, mel filters, blocks and chunks of samples; no torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from diffposetalk.speech import SAMPLE_RATE

HOP = 160
"""Samples from one mel frame to the next (10 ms)."""
MEL_WINDOW = 400
"""Samples of a mel frame's window."""
OVERLAP = MEL_WINDOW - HOP
"""Samples before a hop that its mel frame also sees."""
MELS_PER_FRAME = 4
"""Mel frames in one motion frame (25 a second)."""
FRAME_SAMPLES = HOP * MELS_PER_FRAME
"""Samples of one motion frame."""
LOOKAHEAD = 6
"""Motion frames of speech, after a frame's own, that its feature depends on."""
SILENCE = -8 / 3
"""Normalised log-mel of silence, which is taken to surround a recording."""
LEAST_WEIGHT = 1e-6
"""Smallest weight of the running mean. In silence the weight decays; without a floor it would reach 0 after minutes."""
MEL_FLOOR = 1e-5
"""Added to mel energies; about the level of noise at -55 dB below full scale."""


@dataclass(frozen=True)
class Chunk:
    """A piece of speech to encode, and which of its features count."""

    samples: np.ndarray
    """``(n,)`` float32 at 16 kHz."""
    n_frames: int
    """Motion frames to which the samples are filled up."""
    counted: slice
    """Features of this chunk that count; the others overlap with its neighbours."""

    def filled(self, replicate: bool = False) -> np.ndarray:
        """Return samples ``(640 n_frames,)``, filled up with zeros or with the last sample repeated."""
        missing = self.n_frames * FRAME_SAMPLES - len(self.samples)
        last = self.samples[-1] if replicate else np.float32(0)
        return np.concatenate([self.samples, np.full(missing, last, np.float32)])


def chunks(blocks: Iterable[np.ndarray], length: int, overlap: int, multiple: int = 1) -> Iterator[Chunk]:
    """Cut speech into chunks; speech of up to a chunk and an overlap stays whole.

    Args:
        blocks: ``(n,)`` float32 samples at 16 kHz, of any lengths.
        length: motion frames of a chunk that count.
        overlap: motion frames on either side that its encoding also sees.
        multiple: the last chunk is filled up so that all frames together are a multiple of this.
    """
    known = np.zeros(0, np.float32)  # from the overlap before the first frame not yet given out
    n_given = n_before = 0  # frames given out; those of them at the beginning of `known`
    for block in blocks:
        known = np.concatenate([known, block])
        while len(known) > (n_frames := n_before + length + overlap) * FRAME_SAMPLES:
            yield Chunk(known[: n_frames * FRAME_SAMPLES], n_frames, slice(n_before, n_before + length))
            known = known[(n_before + length - overlap) * FRAME_SAMPLES :]
            n_before = overlap
            n_given += length
    if len(known) > n_before * FRAME_SAMPLES:
        n_frames = math.ceil(len(known) / FRAME_SAMPLES)
        n_frames += -(n_given + n_frames - n_before) % multiple
        yield Chunk(known, n_frames, slice(n_before, n_frames))


def filled_up(blocks: Iterable[np.ndarray], multiple: int, replicate: bool = False) -> Iterator[np.ndarray]:
    """Yield blocks of samples and, at the end, what is missing to a multiple: zeros, or the last sample repeated."""
    n_samples, last = 0, np.float32(0)
    for block in blocks:
        n_samples += len(block)
        last = block[-1] if len(block) else last
        yield block
    if n_samples % multiple:
        yield np.full(multiple - n_samples % multiple, last if replicate else 0, np.float32)


def mel_filters(n_mels: int, low_hz: float = 50.0, high_hz: float = 7600.0) -> np.ndarray:
    """Return triangular mel filters ``(257, n_mels)`` float32 over a 512-point spectrum (HTK mel scale, unit peak)."""

    def to_mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    points = 700 * (10 ** (np.linspace(to_mel(low_hz), to_mel(high_hz), n_mels + 2) / 2595) - 1)
    hz = np.linspace(0, SAMPLE_RATE / 2, 257)[:, None]
    rise = (hz - points[:-2]) / (points[1:-1] - points[:-2])
    fall = (points[2:] - hz) / (points[2:] - points[1:-1])
    return np.minimum(rise, fall).clip(min=0).astype(np.float32)
