"""Sending datagrams to one address."""

from __future__ import annotations

import contextlib
import socket


class Datagrams:
    """A socket that sends to one host and port, and does not wait."""

    def __init__(self, host: str, port: int) -> None:
        """Look up the host.

        Raises:
            OSError: the host is unknown.
        """
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind, protocol)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> None:
        """Send one datagram. If the system's buffer is full, it is dropped, as a network would.

        Raises:
            OSError: the host cannot be reached, or nobody listens there (as far as the system knows).
        """
        with contextlib.suppress(BlockingIOError):
            self._socket.send(data)

    def received(self) -> bytes | None:
        """Return a datagram that came back, or None."""
        try:
            return self._socket.recv(4096)
        except OSError:
            return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
