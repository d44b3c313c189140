"""A connection that is kept in a thread of its own and always sends the newest face.

A slow program gets fewer frames, never old ones; a program that is not there is tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from diffposetalk.errors import DiffPoseTalkError, one_line
from diffposetalk.live.receivers.faces import Face

RETRY_S = 2.0
"""Seconds until a connection is tried again."""
CLOSE_S = 2.0
"""Seconds that `close` waits for the thread."""


class Connection(Protocol):
    """An open connection."""

    def send(self, face: Face) -> None:
        """Send one face; it may wait.

        Raises:
            OSError: the connection is lost.
            DiffPoseTalkError: the program refuses.
        """

    def close(self) -> None:
        """Close it."""


class Latest:
    """Sends the newest face over a connection that is opened, and opened again, in a thread."""

    def __init__(self, name: str, connect: Callable[[], Connection], notify: Callable[[str], object]) -> None:
        """Start the thread.

        Args:
            name: what the user calls the program, for messages.
            connect: opens the connection. It raises OSError to be tried again, DiffPoseTalkError if that is of no use.
            notify: takes one line for the user.
        """
        self._name, self._connect, self._notify = name, connect, notify
        self._face: Face | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"to {name}", daemon=True)
        self._thread.start()

    def send(self, face: Face) -> None:
        """Send this face next; a face that still waits is dropped."""
        with self._changed:
            self._face = face
            self._changed.notify()

    def close(self) -> None:
        """Send what waits, and close the connection."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        complained = False
        while not self._closing:
            try:
                connection = self._connect()
            except DiffPoseTalkError as error:
                self._notify(f"{self._name}: {error}; it gets no frames")
                return
            except Exception as error:  # whatever the library raises for a handshake that fails
                if not complained:
                    self._notify(f"{self._name}: no connection ({reason(error)}); trying again every {RETRY_S:g} s")
                complained = True
                self._sleep()
                continue
            if complained:
                self._notify(f"{self._name}: connected")
            try:
                self._send_all(connection)
                return
            except DiffPoseTalkError as error:
                self._notify(f"{self._name}: {error}; it gets no frames")
                return
            except Exception as error:
                self._notify(
                    f"{self._name}: the connection is lost ({reason(error)}); trying again every {RETRY_S:g} s"
                )
                complained = True
                self._sleep()
            finally:
                connection.close()

    def _send_all(self, connection: Connection) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._face is not None or self._closing)
                face, self._face = self._face, None
            if face is None:
                return
            connection.send(face)

    def _sleep(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, RETRY_S)


def reason(error: Exception) -> str:
    """Return why something failed, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return one_line(text)[:200] or type(error).__name__
