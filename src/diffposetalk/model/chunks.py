"""Long speech in overlapping chunks, for speech encoders that need the sound around a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from diffposetalk.model.speech_encoder import FRAME_SAMPLES


@dataclass(frozen=True)
class Chunk:
    """A piece of speech to encode, and which of its features count."""

    samples: np.ndarray
    """``(n,)`` float32 at 16 kHz."""
    n_frames: int
    """Motion frames to which the samples are filled up."""
    counted: slice
    """Features of this chunk that count; the others overlap with its neighbours."""


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
