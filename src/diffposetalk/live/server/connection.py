"""One connection: its first message, then reading and sending side by side until one of them ends."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.live.protocol import (
    CLOSED,
    PROTOCOL,
    REPLIES,
    SLOW_RULES,
    SOUND_BACK,
    ProtocolError,
    choice,
    control,
    whole,
)
from diffposetalk.live.server.incoming import decoder_of
from diffposetalk.live.server.limits import Rate
from diffposetalk.live.server.session import Session, Wishes
from diffposetalk.live.server.voices import Manner

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

    from diffposetalk.live.server.sessions import Sessions

LOG = logging.getLogger(__name__)
NO_POSITION = 2**53
"""Largest position in a message."""


class Connection:
    """Serves one WebSocket."""

    def __init__(self, socket: ServerConnection, sessions: Sessions, authorised: bool) -> None:
        """Serve ``socket``.

        Args:
            socket: the WebSocket.
            sessions: the sessions of the server.
            authorised: whether the request has already shown the token.
        """
        self._socket = socket
        self._sessions = sessions
        self._limits = sessions.limits
        self._authorised = authorised
        self._session: Session | None = None
        self._n_errors = 0
        self._ended = False
        self._active_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self) -> None:
        """Serve until the connection ends."""
        try:
            async with asyncio.timeout(self._limits.start_s):
                first = await self._socket.recv()
            await self._converse(await self._begin(first))
        except TimeoutError:
            await self._refuse(ProtocolError("idle", f"nothing came in for {self._limits.start_s:g} s"))
        except DiffPoseTalkError as error:
            await self._refuse(error)
        except ConnectionClosed:
            pass
        finally:
            if self._session is not None:
                ended = self._ended or self._socket.close_code == 1000
                self._sessions.left(self._session, self, ended)

    async def take_over(self) -> None:
        """Leave the session, because another connection resumes it; `serve` then says so to the client, if it is there."""
        self._session = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, first: str | bytes) -> Session:
        """Return the session that the first message starts or resumes."""
        if isinstance(first, bytes):
            raise ProtocolError("bad-message", 'the first message must be text: {"type": "start", ...}')
        message = control(first)
        self._check_token(message)
        if message.get("protocol", PROTOCOL) != PROTOCOL:
            raise ProtocolError("bad-message", f"this server speaks version {PROTOCOL} of the protocol")
        if message["type"] == "resume":
            received = whole(message, "received", -1, NO_POSITION, -1)
            session = self._session = await self._sessions.resumed(message.get("session"), self)
            following = session.resend(-1 if received is None else received)
            await self._say("resumed", session=session.id, received=session.taken, next=following)
            return session
        if message["type"] != "start":
            raise ProtocolError("bad-message", "the first message must be start or resume")
        decode = decoder_of(message.get("sound"))
        manner = Manner.of(message)
        wishes = Wishes(
            choice(message, "sound_back", SOUND_BACK, "pcm16"),
            choice(message, "reply", REPLIES, "binary"),
            choice(message, "slow", SLOW_RULES, "pause"),
        )
        session = self._session = await self._sessions.started(decode, manner, wishes, self)
        await self._say("started", session=session.id, rate=session.rate, **self._sessions.described(session))
        return session

    def _check_token(self, message: dict[str, Any]) -> None:
        if not self._authorised and not same_token(message.get("token"), self._sessions.token):
            raise ProtocolError("bad-token", "the token is missing or wrong")

    async def _converse(self, session: Session) -> None:
        """Read and send until one of the two ends; raise what ended it."""
        self._check_ours(session)
        self._tasks = [asyncio.create_task(self._read(session)), asyncio.create_task(self._send(session))]
        try:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._check_ours(session)
        for task in done:
            task.result()

    def _check_ours(self, session: Session) -> None:
        if self._session is not session:
            raise ProtocolError("taken-over", "another connection has resumed this session")

    async def _read(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        sounds = Rate(self._limits.messages_per_s, self._limits.messages_per_s, loop.time())
        controls = Rate(self._limits.controls_per_s, 5 * self._limits.controls_per_s, loop.time())
        async for message in self._messages():
            try:
                if isinstance(message, bytes):
                    wait_s = sounds.wait_s(loop.time())
                    if wait_s > 0:
                        await asyncio.sleep(wait_s)
                    await session.hear(message)
                elif controls.wait_s(loop.time()) > 0:
                    raise ProtocolError(
                        "too-many-messages", f"more than {self._limits.controls_per_s:g} text messages a second came in"
                    )
                elif await self._control(session, control(message)):
                    return
            except ProtocolError as error:
                self._n_errors += 1
                if error.code == "too-many-messages" or self._n_errors > self._limits.errors:
                    raise
                await self._say("error", code=error.code, message=str(error), fatal=False)
            session.taken += 1

    async def _messages(self) -> AsyncIterator[str | bytes]:
        loop = asyncio.get_running_loop()
        self._active_at = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(self._active_at + self._limits.idle_s):
                    message = await self._socket.recv()
            except TimeoutError:
                if loop.time() < self._active_at + self._limits.idle_s:
                    continue  # something was sent meanwhile
                self._ended = True
                raise ProtocolError("idle", f"nothing came in for {self._limits.idle_s:g} s") from None
            yield message
            self._active_at = loop.time()

    async def _control(self, session: Session, message: dict[str, Any]) -> bool:
        """Do what a text message asks for; return whether it ends the session."""
        kind = message["type"]
        if kind == "finish":
            session.finish()
        elif kind == "interrupt":
            session.interrupt(whole(message, "played", 0, NO_POSITION, None), _name(message))
        elif kind == "reset":
            manner = Manner.of(message) if {"style", "seed"} & set(message) else None
            session.reset(None if manner is None else self._sessions.renewal(manner, session.rate))
        elif kind == "ping":
            await self._say("pong", **({} if _name(message) is None else {"id": _name(message)}))
        elif kind == "end":
            self._ended = True
            await self._socket.close(1000, "ended")
            return True
        else:
            raise ProtocolError("bad-message", f"unknown type {kind[:40]!r}: finish, interrupt, reset, ping or end")
        return False

    async def _send(self, session: Session) -> None:
        while True:
            try:
                message = await session.next_message()
                async with asyncio.timeout(self._limits.stall_s):
                    await self._socket.send(message)
                self._active_at = asyncio.get_running_loop().time()
            except TimeoutError:
                self._socket.transport.abort()  # it would not read a farewell either
                LOG.info("a client read nothing for %g s", self._limits.stall_s)
                return

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def _refuse(self, error: DiffPoseTalkError) -> None:
        """Say what is wrong, then close."""
        code = error.code if isinstance(error, ProtocolError) else "failed"
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(self._limits.start_s):
                await self._say("error", code=code, message=str(error), fatal=True)
                await self._socket.close(CLOSED.get(code, CLOSED["bad-message"]), code)


def same_token(shown: object, token: str | None) -> bool:
    """Whether a client has shown the token; in constant time. Without a token everybody has."""
    if token is None:
        return True
    return isinstance(shown, str) and hmac.compare_digest(shown.encode(errors="surrogatepass"), token.encode())


def _name(message: dict[str, Any]) -> str | int | None:
    """Return the ``id`` of a message, if it is short."""
    name = message.get("id")
    if name is None or (isinstance(name, int) and abs(name) <= NO_POSITION):
        return name
    if isinstance(name, str) and len(name) <= 64:
        return name
    raise ProtocolError("bad-message", "id must be a whole number, or a text of at most 64 characters")
