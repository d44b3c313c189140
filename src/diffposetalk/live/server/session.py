"""One session: sound in, sound and motion out, each through a queue of limited length.

A session outlives its connection for a while. Everything here runs on the event loop; only the motion is made elsewhere,
in a thread of the pool, one piece of sound at a time, so that the sessions take turns.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.live.protocol import Sent, encoded
from diffposetalk.live.server.incoming import SoundDecoder
from diffposetalk.live.server.limits import Limits
from diffposetalk.live.synced import SyncedChunk, SyncedStream

LOG = logging.getLogger(__name__)
PIECE_S = 0.16
"""Longest piece of sound that one turn takes, seconds."""
UTTERANCES = 100
"""Utterances whose beginnings a session remembers."""


@dataclass(frozen=True)
class Wishes:
    """How a client wants its answers."""

    sound: str = "pcm16"
    """One of `protocol.SOUND_BACK`."""
    reply: str = "binary"
    """One of `protocol.REPLIES`."""
    slow: str = "pause"
    """One of `protocol.SLOW_RULES`."""


@dataclass(frozen=True)
class _Job:
    """Something to do in a thread, and what to say when it is done."""

    work: Callable[[], list[SyncedChunk]]
    samples: int = 0
    done: Callable[[list[SyncedChunk]], None] | None = None
    stays: bool = False
    """Whether an interruption leaves it in the queue."""


@dataclass(frozen=True)
class _Out:
    """A message that waits: a chunk, or an event."""

    chunk: SyncedChunk | None = None
    event: dict[str, Any] | None = None
    last: bool = False
    stays: bool = False
    """Whether an interruption leaves it in the queue."""

    @property
    def seconds(self) -> float:
        return self.chunk.seconds if self.chunk is not None else 0.0


@dataclass(frozen=True)
class _Kept:
    """A message that was sent, for a client that resumes."""

    number: int
    payload: bytes | str
    seconds: float


class Session:
    """A stream of motion with its queues."""

    def __init__(
        self, synced: SyncedStream, decode: SoundDecoder, wishes: Wishes, limits: Limits, pool: Executor
    ) -> None:
        """Start the work on the queues; `close` ends it."""
        self.id = secrets.token_urlsafe(18)
        self.wishes = wishes
        self.taken = 0
        """Messages of the client that were dealt with, for a client that resumes."""
        self.error: DiffPoseTalkError | None = None
        """Why the session failed, if it did."""
        self._synced = synced
        self._decode = decode
        self._limits = limits
        self._pool = pool
        self._jobs: deque[_Job] = deque()
        self._waiting_samples = 0
        self._outbox: deque[_Out] = deque()
        self._again: deque[_Kept] = deque()
        self._kept: deque[_Kept] = deque()
        self._number = 0
        self._gap = False
        self._sent_end = 0
        self._utterances: deque[int] = deque([0], UTTERANCES)
        self._epoch = 0
        self._changed = asyncio.Event()
        self._worker = asyncio.create_task(self._work(), name=f"session {self.id}")

    @property
    def rate(self) -> int:
        """Samples of the clock per second."""
        return self._synced.rate

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._synced.fps

    @property
    def unsent_s(self) -> float:
        """Seconds of motion that wait to be read."""
        return sum(out.seconds for out in self._outbox)

    @property
    def waiting_s(self) -> float:
        """Seconds of sound whose motion was not begun."""
        return self._waiting_samples / self.rate

    async def hear(self, data: bytes) -> None:
        """Take a message of sound. Waits while the session holds as much sound as it may.

        Raises:
            ProtocolError: the message is not sound.
        """
        await self._until(lambda: self.waiting_s < self._limits.ahead_s)
        for piece in _pieces(self._decode(data), max(1, int(PIECE_S * self.rate))):
            self._waiting_samples += len(piece)
            self._jobs.append(_Job(partial(self._feed, piece), len(piece)))
        self._wake()

    def finish(self) -> None:
        """End the utterance: everything that is left comes out, the way to rest, then `finished`."""
        self._jobs.append(_Job(self._synced_finish, done=partial(self._utterance_over, False)))
        self._wake()

    def interrupt(self, played: int | None = None, name: object = None) -> None:
        """Stop speaking: what waits is dropped; then come `interrupted`, the way to rest, and `finished`.

        Args:
            played: position at which the listener stopped. Default: the end of what was sent.
            name: comes back in `interrupted`. If interruptions follow one another quickly, only the last is answered.
        """
        position = self._sent_end if played is None else min(played, self._sent_end)
        self._drop()

        def done(chunks: list[SyncedChunk]) -> None:
            reached = chunks[0].position if chunks else self._synced.position
            start = max((start for start in self._utterances if start <= reached), default=0)
            event = {"type": "interrupted", "position": reached, "utterance": start, "reached": reached - start}
            self._put(_Out(event=event if name is None else {**event, "id": name}))
            self._utterance_over(True, chunks)

        self._jobs.append(_Job(lambda: self._synced.interrupt(position), done=done))
        self._wake()

    def reset(self, renewed: Callable[[], SyncedStream] | None = None) -> None:
        """Forget everything; the clock begins at 0.

        Args:
            renewed: makes the stream that replaces the present one, such as one with another style.
        """
        self._drop(everything=True)
        self._kept.clear()

        def work() -> list[SyncedChunk]:
            if renewed is None:
                self._synced.reset()
            else:
                self._synced = renewed()
            return []

        def done(_: list[SyncedChunk]) -> None:
            self._utterances = deque([0], UTTERANCES)
            self._sent_end = 0
            self._put(_Out(event={"type": "reset"}, stays=True))

        self._jobs.append(_Job(work, done=done, stays=True))
        self._wake()

    async def next_message(self) -> bytes | str:
        """Return the next message for the client; waits until there is one.

        Raises:
            DiffPoseTalkError: the session failed.
        """
        await self._until(lambda: self._again or self._outbox or self.error)
        if self._again:
            kept = self._again.popleft()
            self._keep(kept)
            return kept.payload
        if not self._outbox:
            assert self.error is not None
            raise self.error
        out = self._outbox.popleft()
        number, self._number = self._number, self._number + 1
        payload: bytes | str
        if out.chunk is None:
            payload = json.dumps({**(out.event or {}), "number": number})
        else:
            payload = encoded(Sent(out.chunk, number, self._gap, out.last), self.wishes.sound, self.wishes.reply)
            self._gap = False
            self._sent_end = out.chunk.end
        self._keep(_Kept(number, payload, out.seconds))
        self._wake()
        return payload

    def resend(self, received: int) -> int:
        """Send again what came after message ``received``; return the number of the first message that follows."""
        self._again = deque(kept for kept in self._kept if kept.number > received)
        self._kept = deque(kept for kept in self._kept if kept.number <= received)
        self._wake()
        return self._again[0].number if self._again else self._number

    def close(self) -> None:
        """End the work. What waits is lost."""
        self._worker.cancel()
        self._drop(everything=True)
        self._kept.clear()

    def _drop(self, everything: bool = False) -> None:
        """Forget the sound that waits and the motion that was not sent; the result of a running job is void."""
        self._epoch += 1
        self._jobs = deque(job for job in self._jobs if job.stays and not everything)
        self._waiting_samples = 0
        self._outbox = deque(out for out in self._outbox if out.stays and not everything)
        self._again.clear()
        self._gap = False

    def _keep(self, kept: _Kept) -> None:
        self._kept.append(kept)
        while len(self._kept) > 1 and sum(each.seconds for each in self._kept) > self._limits.replay_s:
            self._kept.popleft()

    def _put(self, out: _Out) -> None:
        self._outbox.append(out)
        while self.wishes.slow == "drop" and self.unsent_s > self._limits.unsent_s:
            oldest = next(waiting for waiting in self._outbox if waiting.chunk is not None)
            if oldest is out:
                break  # one chunk alone may be longer than the limit
            self._outbox.remove(oldest)
            self._gap = True
        self._wake()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._until(lambda: self._jobs)
            if self.wishes.slow == "pause":
                await self._until(lambda: self.unsent_s < self._limits.unsent_s)
                if not self._jobs:
                    continue  # they were dropped meanwhile
            job, epoch = self._jobs.popleft(), self._epoch
            try:
                chunks = await loop.run_in_executor(self._pool, job.work)
            except DiffPoseTalkError as error:
                self._fail(error)
                return
            except Exception:
                LOG.exception("a session failed")
                self._fail(
                    DiffPoseTalkError("the motion could not be made: a defect of the server; its log shows more")
                )
                return
            if epoch == self._epoch:
                self._waiting_samples -= job.samples
            if epoch == self._epoch or job.stays:
                if job.done is not None:
                    job.done(chunks)
                else:
                    self._put_all(chunks)
            self._wake()

    def _feed(self, piece: np.ndarray) -> list[SyncedChunk]:
        return self._synced.feed(piece)

    def _synced_finish(self) -> list[SyncedChunk]:
        return self._synced.finish()

    def _utterance_over(self, interrupted: bool, chunks: list[SyncedChunk]) -> None:
        """Give out the end of an utterance; the next sound begins another."""
        self._put_all(chunks, last=True)
        start, position = self._utterances[-1], self._synced.position
        event = {"type": "finished", "utterance": start, "position": position, "interrupted": interrupted}
        self._put(_Out(event=event))
        self._utterances.append(position)

    def _put_all(self, chunks: list[SyncedChunk], last: bool = False) -> None:
        for chunk in chunks:
            self._put(_Out(chunk, last=last and chunk is chunks[-1]))

    def _fail(self, error: DiffPoseTalkError) -> None:
        self.error = error
        self._jobs.clear()
        self._waiting_samples = 0
        self._wake()

    def _wake(self) -> None:
        self._changed.set()

    async def _until(self, ready: Callable[[], Any]) -> None:
        while not ready():
            self._changed.clear()
            await self._changed.wait()


def _pieces(sound: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(sound), size):
        yield sound[start : start + size]
