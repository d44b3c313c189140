"""A face that says what an agent says: the part that all frameworks share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.live.protocol import as_pcm16
from diffposetalk.live.synced import MotionStream, SyncedChunk, SyncedStream

if TYPE_CHECKING:
    from diffposetalk.generate.talker import Talker

RATE = 24_000
"""Sample rate of the clock until the first sound comes, Hz."""


class Face:
    """Makes motion in a thread of its own, so that the agent's loop goes on.

    Its methods may be cancelled: what a cancelled call would have returned is taken back by the next interruption.
    """

    def __init__(self, stream: MotionStream) -> None:
        """Begin at time 0.

        Args:
            stream: makes the motion, such as `Talker.stream` returns.
        """
        self._synced = SyncedStream(stream, RATE)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="face")
        self._given = 0.0
        self._silent = True

    @property
    def position_s(self) -> float:
        """Seconds since the beginning up to which chunks were returned."""
        return self._given

    @property
    def silent(self) -> bool:
        """Whether no utterance is under way."""
        return self._silent

    async def hear(self, pcm: bytes, rate: int, channels: int = 1) -> list[SyncedChunk]:
        """Take speech; return the chunks that are ready.

        Args:
            pcm: 16-bit samples, little-endian; channels alternate.
            rate: Hz. If it changes, the utterance before it ends.
            channels: number of channels; they are averaged.

        Raises:
            InputError: it is not whole samples.
        """
        if len(pcm) % (2 * channels):
            raise InputError(f"{len(pcm)} bytes are not whole samples of 16 bits in {channels} channels")
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        sound = samples.reshape(-1, channels).mean(1) if channels > 1 else samples
        self._silent = False

        def work() -> list[SyncedChunk]:
            before = []
            if rate != self._synced.rate:
                before = self._synced.finish()
                self._synced.change_rate(rate)
            return before + self._synced.feed(sound)

        return await self._given_out(work)

    async def finish(self) -> list[SyncedChunk]:
        """End the utterance; return what remains of it, and the way to rest."""
        chunks = await self._given_out(lambda: self._synced.finish())
        self._silent = True
        return chunks

    async def interrupt(self, played_s: float | None = None) -> list[SyncedChunk]:
        """Stop speaking; return the way to rest.

        Args:
            played_s: time that the listener has reached. Default, and at most: the end of what was returned.
        """
        reached = self._given if played_s is None else min(max(0.0, played_s), self._given)
        self._silent = True
        return await self._given_out(lambda: self._synced.interrupt(round(reached * self._synced.rate)))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _given_out(self, work: Callable[[], list[SyncedChunk]]) -> list[SyncedChunk]:
        chunks = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        if chunks:
            self._given = chunks[-1].end / chunks[-1].rate
        return chunks


def face_of(talker: Talker | None, stream: MotionStream | None, style: str | None, seed: int) -> Face:
    """Return a face for the arguments that the plugins share.

    Args:
        talker: the model. Default: the bundled one.
        stream: a stream in place of a model.
        style: see `Talker.stream`.
        seed: the same.
    """
    if stream is None:
        if talker is None:
            from diffposetalk.generate.talker import Talker

            talker = Talker.from_pretrained()
        stream = talker.stream(style, seed=seed)
    return Face(stream)


def pcm_of(chunk: SyncedChunk) -> bytes:
    """Return the sound of a chunk as 16-bit samples; what came in goes out unchanged."""
    return as_pcm16(chunk.sound)
