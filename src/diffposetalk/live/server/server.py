"""The server: accepts connections, answers `/health`, serves the example page, and stops in good order."""

from __future__ import annotations

import http
import json
import logging
import os
import socket
import ssl
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.live.protocol import PATH, PROTOCOL, is_loopback
from diffposetalk.live.server.connection import Connection, same_token
from diffposetalk.live.server.limits import Limits
from diffposetalk.live.server.sessions import Sessions
from diffposetalk.live.server.voices import Voices

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

LOG = logging.getLogger(__name__)
PORT = 8765
"""Default port."""
PAGES = {"/": ("page.html", "text/html; charset=utf-8"), "/live.mjs": ("live.mjs", "text/javascript; charset=utf-8")}
"""Path -> file beside the clients and its kind."""
UNREAD_BYTES = 65_536
"""What may wait in a connection beyond the queues of its session, bytes: as much in our memory and as much in the kernel,
which would otherwise take megabytes and so hide for a minute that a client reads slowly."""
POLICY = "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'"


class LiveServer:
    """Speaks the protocol of docs/live-protocol.md on one port.

    ``async with LiveServer(voices): ...`` serves until the block ends.
    """

    def __init__(
        self,
        voices: Voices,
        host: str = "127.0.0.1",
        port: int = PORT,
        *,
        token: str | None = None,
        limits: Limits | None = None,
        workers: int | None = None,
        origins: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare the server; it listens from `start` on.

        Args:
            voices: makes the streams.
            host: address to listen at.
            port: port to listen at; 0 for any free one.
            token: what clients must show. Needed unless ``host`` is this machine alone.
            limits: what clients may ask for.
            workers: threads that make motion. Default: one for each processor.
            origins: addresses of web pages that may connect, such as ``https://example.org``, beside our own.
            tls: certificate and key, for `wss:`.

        Raises:
            UsageError: the address can be reached from other machines, and there is no token.
        """
        self.check(host, token)
        self.host = host
        self.port = port
        self.limits = limits or Limits()
        self._voices = voices
        self._token = token
        self._workers = workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or 1
        self._origins = {origin.rstrip("/") for origin in origins}
        self._tls = tls
        self.n_connections = 0
        """Open connections, with those that have not started a session yet."""
        self._server: Server | None = None
        self._sessions: Sessions | None = None

    @staticmethod
    def check(host: str, token: str | None) -> None:
        """Check an address and a token.

        Raises:
            UsageError: the address can be reached from other machines, and there is no token; or the token is empty.
        """
        if token is None and not is_loopback(host):
            raise UsageError(
                f"{host or 'the address'} can be reached from other machines: choose a token that clients must show "
                "(--token), or listen at 127.0.0.1"
            )
        if token is not None and not token.strip():
            raise UsageError("the token is empty")

    @property
    def url(self) -> str:
        """Address of the WebSocket."""
        return f"{'wss' if self._tls else 'ws'}://{self._address}{PATH}"

    @property
    def page_url(self) -> str:
        """Address of the example page."""
        return f"{'https' if self._tls else 'http'}://{self._address}/"

    @property
    def n_started(self) -> int:
        """Sessions that were started so far."""
        return 0 if self._sessions is None else self._sessions.n_started

    @property
    def _address(self) -> str:
        host = {"0.0.0.0": "localhost", "::": "localhost", "": "localhost"}.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def sessions(self) -> Sessions:
        """The sessions; only while the server listens."""
        assert self._sessions is not None, "the server does not listen yet"
        return self._sessions

    async def start(self) -> None:
        """Listen.

        Raises:
            DiffPoseTalkError: the address is taken or unknown.
        """
        from websockets.asyncio.server import ServerConnection, serve

        class Counted(ServerConnection):
            """A connection that is counted from the first byte on; far too many are cut off without an answer."""

            def connection_made(self, transport: Any) -> None:
                counts.n_connections += 1
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
                super().connection_made(transport)
                if counts.n_connections > 2 * counts.limits.connections:
                    transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                counts.n_connections -= 1
                super().connection_lost(exc)

        counts = self
        self._sessions = Sessions(self._voices, self.limits, self._token, self._workers)
        quiet = logging.getLogger("diffposetalk.live.server.websockets")
        quiet.setLevel(logging.CRITICAL)
        try:
            self._server = await serve(
                self._serve,
                self.host,
                self.port,
                process_request=self._answer,
                max_size=self.limits.message_bytes,
                max_queue=4,
                write_limit=UNREAD_BYTES,
                compression=None,
                open_timeout=self.limits.start_s,
                close_timeout=2,
                server_header=None,
                create_connection=Counted,
                logger=quiet,
                ssl=self._tls,
            )
        except OSError as error:
            await self._sessions.close()
            raise DiffPoseTalkError(
                f"cannot listen at {self.host}, port {self.port}: {error.strerror or error}"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End all connections ("going away") and sessions."""
        if self._server is not None:
            self._server.close()  # with code 1001, "going away"
            await self._server.wait_closed()
            self._server = None
        if self._sessions is not None:
            await self._sessions.close()

    async def __aenter__(self) -> LiveServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, connection: ServerConnection) -> None:
        header = connection.request.headers.get("Authorization", "") if connection.request else ""
        shown = header.removeprefix("Bearer ") if header.startswith("Bearer ") else None
        await Connection(connection, self.sessions, same_token(shown, self._token)).serve()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a plain request; None lets a WebSocket through."""
        path = urlsplit(request.path).path
        if not self._known_host(request.headers.get_all("Host")):
            return self._plain(connection, 421, "this server is not known by that name\n")
        if path == "/health":
            return self._plain(connection, 200, json.dumps(self.health()) + "\n", "application/json")
        if path in PAGES:
            file, kind = PAGES[path]
            return self._plain(
                connection, 200, (files("diffposetalk.live") / "clients" / file).read_text("utf-8"), kind
            )
        if path != PATH:
            return self._plain(connection, 404, f"nothing here; the WebSocket is at {PATH}\n")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return self._plain(connection, 426, f"{PATH} is a WebSocket\n")
        if not self._known_origin(request.headers.get_all("Origin"), request.headers.get("Host", "")):
            return self._plain(
                connection, 403, "pages of that address may not connect here; allow them with --origin\n"
            )
        if self.n_connections > self.limits.connections:
            response = self._plain(connection, 503, "too many connections; try again later\n")
            response.headers["Retry-After"] = "5"
            return response
        header = request.headers.get("Authorization", "")
        if header and not same_token(header.removeprefix("Bearer "), self._token):
            return self._plain(connection, 401, "the token is wrong\n")
        return None

    def health(self) -> dict[str, Any]:
        """Return what `/health` says: whether it is well, and how much room there is."""
        n = len(self.sessions)
        return {
            "status": "ok", "protocol": PROTOCOL, "model": self._voices.name,
            "sessions": self.sessions.n_connected, "resumable": n - self.sessions.n_connected,
            "free": max(0, self.limits.sessions - self.sessions.n_connected),
        }  # fmt: skip

    def _known_host(self, hosts: list[str]) -> bool:
        """Whether a request means this server; a page of a foreign name that leads here (DNS rebinding) does not."""
        if self._token is not None or len(hosts) != 1:
            return len(hosts) == 1
        name = urlsplit(f"//{hosts[0]}").hostname or ""
        return name == self.host.lower() or is_loopback(name)

    def _known_origin(self, origins: list[str], host: str) -> bool:
        """Whether the page that connects is ours or an allowed one; programs are no pages and state no origin."""
        return all(
            urlsplit(origin).netloc.lower() == host.lower() or origin.rstrip("/") in self._origins for origin in origins
        )

    @staticmethod
    def _plain(
        connection: ServerConnection, status: int, text: str, kind: str = "text/plain; charset=utf-8"
    ) -> Response:
        response = connection.respond(http.HTTPStatus(status), text)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = kind
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response
