"""Gives out motion when its sound is played."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from diffposetalk.live.synced import SyncedChunk

LOG = logging.getLogger(__name__)
OnMotion: TypeAlias = Callable[[SyncedChunk], Awaitable[None] | None]
"""Takes chunks of motion; a function or a coroutine function."""


class Segment:
    """A stretch of speech that is played without a break, except for pauses."""

    def __init__(self, start_s: float) -> None:
        """Begin a segment that is not played yet.

        Args:
            start_s: time of its first chunk on the clock of the chunks, seconds.
        """
        self.start_s = start_s
        self.played_from: float | None = None
        """Time of the loop at which its playback began, pauses added; None before."""

    def due(self, chunk: SyncedChunk) -> float | None:
        """Return the time of the loop at which a chunk is played; None if that is not known yet."""
        return None if self.played_from is None else self.played_from + chunk.position / chunk.rate - self.start_s


AT_ONCE = Segment(0.0)
"""The segment of chunks that are due at once."""
AT_ONCE.played_from = -math.inf


class Pacer:
    """Calls a function with each chunk when the chunk is played."""

    def __init__(self, on_motion: OnMotion) -> None:
        self._on_motion = on_motion
        self._waiting: deque[tuple[Segment, SyncedChunk]] = deque()
        self._changed = asyncio.Event()
        self._paused_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, segment: Segment, chunk: SyncedChunk) -> None:
        """Take the next chunk of a segment."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="face motion")
        self._waiting.append((segment, chunk))
        self._changed.set()

    def started(self, segment: Segment, created_at: float) -> None:
        """Note that the playback of a segment began at ``created_at`` (of `time.time`)."""
        segment.played_from = asyncio.get_running_loop().time() - (time.time() - created_at)
        self._changed.set()

    def pause(self) -> None:
        """Stop the clock."""
        if self._paused_at is None:
            self._paused_at = asyncio.get_running_loop().time()
        self._changed.set()

    def resume(self) -> None:
        """Let the clock go on."""
        if self._paused_at is None:
            return
        paused_s = asyncio.get_running_loop().time() - self._paused_at
        for segment in {segment for segment, _ in self._waiting}:
            if segment.played_from is not None:
                segment.played_from += paused_s
        self._paused_at = None
        self._changed.set()

    def clear(self) -> None:
        """Forget the chunks that were not played, except for those that are due at once."""
        self._waiting = deque(each for each in self._waiting if each[0] is AT_ONCE)
        self._paused_at = None

    async def aclose(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            due = self._waiting[0][0].due(self._waiting[0][1]) if self._waiting and self._paused_at is None else None
            if due is not None and due <= loop.time():
                await self._give(self._waiting.popleft()[1])
                continue
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _give(self, chunk: SyncedChunk) -> None:
        try:
            result = self._on_motion(chunk)
            if inspect.isawaitable(result):
                await result
        except Exception:
            LOG.exception("the function that takes the motion failed")
