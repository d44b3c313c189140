"""Sending datagrams to one address."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable

from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.table import Address


class Datagrams:
    """Sends every face as datagrams to one host and port, and does not wait."""

    def __init__(self, address: Address, encode: Callable[[Face], Iterable[bytes]]) -> None:
        """Look up the host.

        Args:
            address: host and port.
            encode: returns the datagrams of a face.

        Raises:
            OSError: the host is unknown.
        """
        family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        self._encode = encode
        self._socket = socket.socket(family, kind, protocol)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(where)
        except OSError:
            self._socket.close()
            raise

    def send(self, face: Face) -> None:
        """Send a face. If the system's buffer is full, datagrams are dropped, as a network would.

        Raises:
            OSError: the host cannot be reached, or nobody listens there (as far as the system knows).
        """
        for datagram in self._encode(face):
            with contextlib.suppress(BlockingIOError):
                self._socket.send(datagram)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
