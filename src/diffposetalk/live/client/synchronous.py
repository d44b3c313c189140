"""The client for programs without asyncio: the other one, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any

import numpy as np

from diffposetalk.live.client.asynchronous import Live
from diffposetalk.live.client.events import Event
from diffposetalk.live.protocol import Sent


class LiveSync:
    """`Live` for programs without asyncio: the same methods, but they wait. Made by `connect_sync`."""

    def __init__(self, live: Live, loop: asyncio.AbstractEventLoop) -> None:
        self.live = live
        self._loop = loop

    def send(self, sound: np.ndarray | bytes) -> None:
        """See `Live.send`."""
        self._wait(self.live.send(sound))

    def finish(self) -> None:
        """See `Live.finish`."""
        self._wait(self.live.finish())

    def interrupt(self, played: int | None = None) -> Event:
        """See `Live.interrupt`."""
        return self._wait(self.live.interrupt(played))  # type: ignore[no-any-return]

    def reset(self, style: str | None = None, seed: int | None = None) -> None:
        """See `Live.reset`."""
        self._wait(self.live.reset(style, seed))

    def resume(self) -> None:
        """See `Live.resume`."""
        self._wait(self.live.resume())

    def receive(self, timeout_s: float | None = None) -> Sent | Event | None:
        """Return the next chunk or event, or None if there is none within ``timeout_s``; see `Live.receive`."""

        async def within() -> Sent | Event | None:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self.live.receive()
            except TimeoutError:
                return None

        return self._wait(within())  # type: ignore[no-any-return]

    def speak(self, blocks: Iterable[np.ndarray | bytes]) -> Iterator[Sent]:
        """See `Live.speak`."""
        chunks = self.live.speak(blocks)

        async def following() -> Sent | None:
            return await anext(chunks, None)

        try:
            while (sent := self._wait(following())) is not None:
                yield sent
        finally:
            self._wait(chunks.aclose())  # type: ignore[attr-defined]

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
