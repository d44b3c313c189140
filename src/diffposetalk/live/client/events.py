"""What comes from a server beside chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffposetalk.errors import DiffPoseTalkError


class LiveError(DiffPoseTalkError):
    """The server refused something, or the connection is lost. `code` is its name in docs/live-protocol.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Event:
    """A message that is not a chunk: `finished`, `interrupted`, `reset`, `error` (one that ends nothing) or `pong`."""

    kind: str
    fields: dict[str, Any]
