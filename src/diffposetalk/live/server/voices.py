"""What the server speaks with: one model for all sessions, and the styles that clients may choose."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from diffposetalk.arkit import INDEX
from diffposetalk.errors import UsageError
from diffposetalk.live.protocol import ProtocolError, whole
from diffposetalk.live.synced import MotionStream

if TYPE_CHECKING:
    from diffposetalk.generate.stream import Stream
    from diffposetalk.generate.talker import Talker
    from diffposetalk.style import Style

LARGEST_SEED = 2**53
"""Largest seed that a client may ask for: the largest whole number that every JSON parser keeps."""


@dataclass(frozen=True)
class Manner:
    """How a session speaks, as its client asked for."""

    style: str | None = None
    """Name of a style; None for the default."""
    seed: int = 0
    """The same seed, sound and style give the same motion."""

    @staticmethod
    def of(message: dict[str, Any]) -> Manner:
        """Return the manner that a message asks for.

        Raises:
            ProtocolError: a field is out of range. A style is a name here, never a file.
        """
        style = message.get("style")
        if style is not None and not isinstance(style, str):
            raise ProtocolError("bad-message", "style must be the name of a style")
        return Manner(style, whole(message, "seed", 0, LARGEST_SEED, 0) or 0)


class Voices(Protocol):
    """Makes the streams of the sessions. Called from several threads at once."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles."""

    def stream(self, manner: Manner) -> MotionStream:
        """Return a new stream.

        Raises:
            ProtocolError: there is no such style.
        """

    def begin_thread(self) -> None:
        """Prepare a thread of the pool."""


class TalkerVoices:
    """Streams of a `Talker`. All streams of one style share their networks."""

    def __init__(
        self, talker: Talker, own: Mapping[str, Style] | None = None, *, lookahead_ms: float = 240, hop_ms: float = 80
    ) -> None:
        """Prepare the default style.

        Args:
            talker: the model.
            own: styles of the server by name, beside the presets of the model.
            lookahead_ms: sound that is waited for after a frame, milliseconds (see `Talker.stream`).
            hop_ms: motion that is made at once, milliseconds.

        Raises:
            UsageError: the model cannot stream or has no ARKit channels, or a length is out of range.
        """
        if INDEX.keys().isdisjoint(talker.space.channels):
            raise UsageError(
                f"the model {talker.model.config.name!r} moves the head {talker.space.head!r} and has none of ARKit's "
                "channels; the live server needs a model that has them, such as lite"
            )
        self.talker = talker
        self._own = dict(own or {})
        self._lookahead_ms, self._hop_ms = lookahead_ms, hop_ms
        self._first: dict[str | None, Stream] = {}
        self._lock = threading.Lock()
        self.stream(Manner())

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.talker.model.config.name

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles."""
        return (*self._own, *(preset for preset in self.talker.presets if preset not in self._own))

    def stream(self, manner: Manner) -> MotionStream:
        """Return a new stream; see `Voices`."""
        name = manner.style
        if name is not None and name not in self.styles:
            choices = ", ".join(self.styles) or "this model takes none"
            raise ProtocolError("bad-message", f"there is no style {name[:40]!r}: choose from {choices}")
        with self._lock:
            if name not in self._first:
                style = None if name is None else self._own.get(name, name)
                self._first[name] = self.talker.stream(style, lookahead_ms=self._lookahead_ms, hop_ms=self._hop_ms)
        return self._first[name].another(manner.seed)

    def begin_thread(self) -> None:
        """Use one thread for each operation of torch, where it is used; the sessions share the processors."""
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(1)
