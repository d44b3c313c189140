"""The client for asyncio."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.live.client.events import Event, LiveError
from diffposetalk.live.protocol import PROTOCOL, Sent, as_pcm16, decoded, is_loopback

UNREAD = 1000
"""Messages that wait for the program to read them; then the client stops reading, and the server notices."""
RESENT_BYTES = 2**23
"""How much of what was sent is kept for `resume`, bytes."""
AHEAD_S = 10.0
"""How far `Live.speak` sends arrays of sound ahead of the motion, seconds; so an interruption does not queue behind them."""
RETRY_S = 0.2
"""Seconds between attempts to connect again."""
OPEN_S = 10.0
"""Seconds in which a server must answer."""


class Live:
    """A session with a server. Made by `connect`, which describes the arguments."""

    def __init__(self, url: str, start: dict[str, Any], tls: Any = None, resumes: bool = True) -> None:
        self.url = url
        self.rate = 0
        """Samples of the clock per second."""
        self.fps = 0.0
        """Frames per second."""
        self.about: dict[str, Any] = {}
        """What the server said of itself: styles, channels, limits and so on."""
        self._start = start
        self._tls = tls
        self._resumes = resumes
        self._socket: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._speaker: asyncio.Task[None] | None = None
        self._queue: asyncio.Queue[Sent | Event | DiffPoseTalkError] = asyncio.Queue(UNREAD)
        self._sent: deque[bytes | str] = deque()
        self._sent_bytes = self._n_sent = 0
        self._number = -1
        self._read_end = 0
        self._interrupts: dict[int, asyncio.Future[Event]] = {}
        self._n_interrupts = 0
        self._over: LiveError | None = None
        self._end = self._utterance = 0
        self._came = asyncio.Event()
        self._in_order = asyncio.Lock()  # one message after the other, also while lost ones are sent again
        self._resender: asyncio.Task[None] | None = None
        self._breaking = asyncio.Lock()

    @property
    def session(self) -> str:
        """Name of the session; whoever knows it can resume it."""
        return str(self.about.get("session", ""))

    async def send(self, sound: np.ndarray | bytes) -> None:
        """Send sound: int16 or float samples, ``(n,)`` or ``(n, channels)``; or bytes in the encoding that was declared."""
        await self._send(sound if isinstance(sound, bytes) else self._encoded(sound))

    async def finish(self) -> None:
        """End the utterance; its last chunks and then the event `finished` will come."""
        await self._send(json.dumps({"type": "finish"}))

    async def interrupt(self, played: int | None = None) -> Event:
        """Stop speaking, at once. The chunks that `receive` has not returned yet are dropped; then comes the way to rest.

        Args:
            played: position that the listener has heard. Default: the end of what `receive` returned.

        Returns:
            The event `interrupted`: ``position``, ``utterance`` (where it began), ``reached`` (samples of it).
        """
        if self._over is not None:
            raise self._over
        if self._speaker is not None:
            self._speaker.cancel()
        name, self._n_interrupts = self._n_interrupts, self._n_interrupts + 1
        answer = self._interrupts[name] = asyncio.get_running_loop().create_future()
        self._forget_queue()
        played = self._read_end if played is None else min(played, self._read_end)
        await self._send(json.dumps({"type": "interrupt", "played": played, "id": name}))
        return await answer

    async def reset(self, style: str | None = None, seed: int | None = None) -> None:
        """Forget everything; the clock begins at 0. Optionally with another style or seed."""
        asked = {"style": style, "seed": seed}
        given = {name: value for name, value in asked.items() if value is not None}
        await self._send(json.dumps({"type": "reset", **given}))

    async def ping(self) -> None:
        """Ask for the event `pong`; this also keeps an idle session alive."""
        await self._send(json.dumps({"type": "ping"}))

    async def receive(self) -> Sent | Event:
        """Return the next chunk or event; waits for it.

        Raises:
            LiveError: the server ended the session, or the connection is lost for good.
        """
        if self._over is not None and self._queue.empty():
            raise self._over
        item = await self._queue.get()
        if isinstance(item, DiffPoseTalkError):
            raise item
        if isinstance(item, Sent):
            self._read_end = item.chunk.end
        return item

    async def speak(
        self, blocks: Iterable[np.ndarray | bytes] | AsyncIterable[np.ndarray | bytes]
    ) -> AsyncIterator[Sent]:
        """Send an utterance and yield its chunks as they come; after an interruption the way to rest is the last.

        An utterance that is still under way is interrupted first, and ends there.
        """

        async def sending() -> None:
            n_sent, start = 0, self._utterance
            async for block in _asynchronous(blocks):
                while self._over is None and n_sent > self._end - start + AHEAD_S * self.rate:
                    self._came.clear()
                    await self._came.wait()
                await self.send(block)
                n_sent += 0 if isinstance(block, bytes) else len(block)
            await self.finish()

        await self._break_off(self._speaker)
        speaker = self._speaker = asyncio.create_task(sending())
        finished = False
        try:
            while not finished and self._speaker is speaker:
                item = await self.receive()
                if isinstance(item, Sent):
                    yield item
                elif item.kind == "error":
                    raise LiveError(item.fields.get("code", "failed"), item.fields.get("message", "refused"))
                else:
                    finished = item.kind == "finished"
            if finished:
                with suppress(asyncio.CancelledError):
                    await speaker  # an error in the blocks is the caller's
        finally:
            speaker.cancel()
            if finished and self._speaker is speaker:
                self._speaker = None
            await self._break_off(speaker)

    async def _break_off(self, speaker: asyncio.Task[None] | None) -> None:
        """Interrupt an utterance if it is still under way, and pass over what is left of it."""
        async with self._breaking:
            if speaker is None or self._speaker is not speaker:
                return
            with suppress(LiveError):
                await self.interrupt()
                while not (isinstance(item := await self.receive(), Event) and item.kind == "finished"):
                    pass
            self._speaker = None

    async def resume(self) -> None:
        """Connect again after the connection was lost. The session goes on where it was; nothing is lost or repeated.

        Only for sessions that do not do it by themselves (see `connect`).

        Raises:
            LiveError: the session is over (`unknown-session`), or more was lost than this client keeps.
        """
        await self._hang_up()
        await self._continue()
        self._over = None
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """End the session."""
        if self._socket is not None:
            await self._socket.close()
        await self._hang_up()

    async def _begin(self) -> None:
        self.about = await self._open(self._start)
        self.rate, self.fps = self.about["rate"], self.about["fps"]
        self._reader = asyncio.create_task(self._read())

    async def _continue(self) -> None:
        """Connect to the session again; send again, in the background, what the server has not got."""
        resume = {"type": "resume", "protocol": PROTOCOL, "session": self.session, "received": self._number}
        if "token" in self._start:
            resume["token"] = self._start["token"]
        if self._resender is not None:
            await self._resender
        await self._in_order.acquire()
        try:
            answer = await self._open(resume)
            missing = self._n_sent - answer["received"]
            if missing > len(self._sent) or answer["next"] > self._number + 1:
                raise LiveError("unknown-session", "too much was lost to resume the session; start anew")
        except BaseException:
            self._in_order.release()
            raise
        self._resender = asyncio.create_task(self._resend(list(self._sent)[len(self._sent) - missing :]))

    async def _resend(self, messages: list[bytes | str]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            with suppress(ConnectionClosed):
                for message in messages:
                    await self._socket.send(message)
        finally:
            self._in_order.release()

    async def _open(self, first: dict[str, Any]) -> dict[str, Any]:
        """Open the WebSocket, send the first message, return the answer."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidStatus, WebSocketException

        try:
            async with asyncio.timeout(OPEN_S):
                self._socket = await connect(
                    self.url, max_size=None, compression=None, ssl=self._tls,
                    proxy=None if is_loopback(urlsplit(self.url).hostname or "") else True,
                )  # fmt: skip
                await self._socket.send(json.dumps(first))
                answer = json.loads(await self._socket.recv())
        except InvalidStatus as error:
            code = {401: "bad-token", 503: "full"}.get(error.response.status_code, "refused")
            reason = error.response.body.decode(errors="replace").strip()
            raise LiveError(code, f"{self.url}: {reason or error}") from None
        except (OSError, TimeoutError, WebSocketException) as error:
            raise LiveError("disconnected", f"{self.url}: cannot connect: {error or 'no answer'}") from None
        if answer.get("type") == "error":
            await self._socket.close()
            raise LiveError(answer.get("code", "failed"), answer.get("message", "refused"))
        return answer

    async def _hang_up(self) -> None:
        for task in (self._reader, self._resender):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._socket is not None:
            if not self._socket.transport.is_closing():
                self._socket.transport.abort()
            await self._socket.wait_closed()

    async def _send(self, message: bytes | str) -> None:
        from websockets.exceptions import ConnectionClosed

        async with self._in_order:
            self._n_sent += 1
            self._sent.append(message)
            self._sent_bytes += len(message)
            while self._sent_bytes > RESENT_BYTES and len(self._sent) > 1:
                self._sent_bytes -= len(self._sent.popleft())
            with suppress(ConnectionClosed):  # `receive` says so, and resuming sends it again
                await self._socket.send(message)

    async def _read(self) -> None:
        """Read until the session is over, over new connections where the old one is lost."""
        while True:
            error = await self._read_connection()
            if error.code != "disconnected" or not self._resumes:
                break
            failure = await self._continued()
            if failure is not None:
                error = failure
                break
        for answer in self._interrupts.values():
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # nobody may wait for it
        self._interrupts.clear()
        self._over = error
        self._came.set()
        await self._queue.put(error)

    async def _continued(self) -> LiveError | None:
        """Resume the session, for as long as the server keeps it; return why that failed, None if it did not."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.about["limits"]["resume_s"]
        while True:
            try:
                await self._continue()
                return None
            except LiveError as error:
                if error.code != "disconnected" or loop.time() > until:
                    return error
            await asyncio.sleep(RETRY_S)

    async def _read_connection(self) -> LiveError:
        """Read until the connection ends; return why it did."""
        from websockets.exceptions import ConnectionClosed

        try:
            async for message in self._socket:
                item = self._understood(message)
                if isinstance(item, LiveError):
                    return item
                if item is not None:
                    await self._queue.put(item)
        except ConnectionClosed:
            pass
        except DiffPoseTalkError as damaged:
            return LiveError("bad-message", str(damaged))
        return LiveError("disconnected", f"{self.url}: the connection is lost")

    def _understood(self, message: bytes | str) -> Sent | Event | LiveError | None:
        """Return what a message means; None for what an interruption has made void."""
        if isinstance(message, bytes):
            return self._noted(decoded(message))
        fields = json.loads(message)
        kind = fields.get("type")
        if kind == "chunk":
            return self._noted(decoded(message))
        self._number = fields.get("number", self._number)
        if kind == "error" and fields.get("fatal"):
            return LiveError(fields.get("code", "failed"), fields.get("message", "refused"))
        event = Event(kind, fields)
        if kind == "interrupted":
            self._answered(fields.get("id"), event)
        elif kind == "finished" and self._interrupts:
            return None
        if kind in ("finished", "reset"):
            self._end = self._utterance = fields.get("position", 0)
        return event

    def _noted(self, sent: Sent) -> Sent | None:
        self._number = sent.number
        if self._interrupts:
            return None
        self._end = sent.chunk.end
        self._came.set()
        return sent

    def _answered(self, name: int | None, event: Event) -> None:
        """Give the answer to an interruption and to those before it, which it covers."""
        for earlier in [each for each in self._interrupts if name is None or each <= name]:
            answer = self._interrupts.pop(earlier)
            if not answer.done():
                answer.set_result(event)

    def _forget_queue(self) -> None:
        """Drop the chunks that nobody has read."""
        items = []
        while not self._queue.empty():
            items.append(self._queue.get_nowait())
        for item in items:
            if not isinstance(item, Sent) and not (isinstance(item, Event) and item.kind == "finished"):
                self._queue.put_nowait(item)

    def _encoded(self, sound: np.ndarray) -> bytes:
        sound = np.asarray(sound)
        if self._start["sound"]["encoding"] == "float32":
            scale = 32768 if sound.dtype == np.int16 else 1
            return (sound.astype("<f4") / np.float32(scale)).tobytes()
        return sound.astype("<i2").tobytes() if sound.dtype == np.int16 else as_pcm16(sound)


async def _asynchronous(blocks: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(blocks, AsyncIterable):
        async for block in blocks:
            yield block
    else:
        for block in blocks:
            yield block
