"""What the server speaks with: one model for all sessions, and the styles that clients may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from diffposetalk.live.protocol import ProtocolError, whole
from diffposetalk.live.synced import MotionStream

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class TalkerVoices:
    """Streams of a `Talker`."""

    talker: Talker
    own: Mapping[str, Style] = field(default_factory=dict)
    """Styles of the server, by name, beside the presets of the model."""
    lookahead_ms: int = 240
    """Look-ahead of the streams, milliseconds."""
    hop_ms: int = 80
    """How much motion is made at once, milliseconds."""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.talker.model.config.name

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles."""
        return (*self.own, *(preset for preset in self.talker.presets if preset not in self.own))

    def stream(self, manner: Manner) -> MotionStream:
        """Return a new stream; see `Voices`."""
        if manner.style is not None and manner.style not in self.styles:
            raise ProtocolError("bad-message", f"no style {manner.style[:40]!r}: choose from {', '.join(self.styles)}")
        style: Style | str | None = manner.style if manner.style is None else self.own.get(manner.style, manner.style)
        return self.talker.stream(  # type: ignore[attr-defined,no-any-return]
            style, lookahead_ms=self.lookahead_ms, hop_ms=self.hop_ms, seed=manner.seed
        )
