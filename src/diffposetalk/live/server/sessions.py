"""All sessions of a server: who may start one, who may resume one, and when one is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.protocol import PROTOCOL, ProtocolError
from diffposetalk.live.server.incoming import SoundDecoder
from diffposetalk.live.server.limits import Limits
from diffposetalk.live.server.session import Session, Wishes
from diffposetalk.live.server.voices import Manner, Voices
from diffposetalk.live.synced import SyncedStream

if TYPE_CHECKING:
    from diffposetalk.live.server.connection import Connection


class Sessions:
    """The sessions by name, the connection that each has, and the threads that they share."""

    def __init__(self, voices: Voices, limits: Limits, token: str | None, workers: int) -> None:
        """Begin without sessions.

        Args:
            voices: makes their streams.
            limits: see `Limits`.
            token: what clients must show; None if nothing.
            workers: threads that make motion.
        """
        self.voices = voices
        self.limits = limits
        self.token = token
        self.n_started = 0
        """Sessions that were started so far."""
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="motion", initializer=voices.begin_thread)
        self._sessions: dict[str, Session] = {}
        self._connections: dict[str, Connection] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._starting = 0

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def n_connected(self) -> int:
        """Sessions with a connection."""
        return len(self._connections)

    def get(self, name: str) -> Session | None:
        """Return a session by its name."""
        return self._sessions.get(name)

    async def started(self, decode: SoundDecoder, manner: Manner, wishes: Wishes, connection: Connection) -> Session:
        """Return a new session.

        Raises:
            ProtocolError: there is no room for it, or no such style.
        """
        self._make_room()
        self._starting += 1
        try:
            loop = asyncio.get_running_loop()
            synced = await loop.run_in_executor(self.pool, self.renewal(manner, decode.rate))
        finally:
            self._starting -= 1
        session = Session(synced, decode, wishes, self.limits, self.pool)
        self.n_started += 1
        self._sessions[session.id] = session
        self._connections[session.id] = connection
        return session

    def renewal(self, manner: Manner, rate: int) -> Callable[[], SyncedStream]:
        """Return what makes a new stream, to be called in a thread."""
        return lambda: SyncedStream(self.voices.stream(manner), rate)

    async def resumed(self, name: object, connection: Connection) -> Session:
        """Return a session that still lives; a connection that it has is ended.

        Raises:
            ProtocolError: there is none of this name.
        """
        session = self.get(name) if isinstance(name, str) else None
        if session is None:
            raise ProtocolError(
                "unknown-session",
                f"no such session; sessions can be resumed for {self.limits.resume_s:g} s: start anew",
            )
        self._forget_expiry(session)
        before = self._connections.get(session.id)
        self._connections[session.id] = connection
        if before is not None:
            await before.take_over()
        return session

    def left(self, session: Session, connection: Connection, ended: bool) -> None:
        """Note that a connection is over. Its session lives on for a while, unless it has ended or failed."""
        if self._connections.get(session.id) is not connection:
            return
        del self._connections[session.id]
        if ended or session.error is not None:
            self._close(session)
        else:
            loop = asyncio.get_running_loop()
            self._expiries[session.id] = loop.call_later(self.limits.resume_s, self._close, session)

    def described(self, session: Session) -> dict[str, Any]:
        """Return what a client should know when its session starts."""
        limits = ("message_bytes", "ahead_s", "unsent_s", "idle_s", "resume_s")
        return {
            "protocol": PROTOCOL, "fps": session.fps, "model": self.voices.name, "styles": list(self.voices.styles),
            "channels": list(CHANNELS), "head": ["head_x", "head_y", "head_z"],
            "limits": {name: getattr(self.limits, name) for name in limits},
        }  # fmt: skip

    async def close(self) -> None:
        """End all sessions and the threads."""
        for session in list(self._sessions.values()):
            self._close(session)
        await asyncio.to_thread(self.pool.shutdown, wait=True, cancel_futures=True)

    def _make_room(self) -> None:
        """End the session that has been without a connection for longest, if there are as many as there may be.

        Raises:
            ProtocolError: all have one.
        """
        while len(self._sessions) + self._starting >= self.limits.sessions:
            longest = next(iter(self._expiries), None)
            if longest is None:
                raise ProtocolError("full", f"all {self.limits.sessions} sessions are taken; try again later")
            self._close(self._sessions[longest])

    def _close(self, session: Session) -> None:
        self._forget_expiry(session)
        self._sessions.pop(session.id, None)
        session.close()

    def _forget_expiry(self, session: Session) -> None:
        with contextlib.suppress(KeyError):
            self._expiries.pop(session.id).cancel()
