"""What a speech engine offers: voices, and sentences turned into samples with phone times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from diffposetalk.speech.transcript.phones import Phone


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of one engine, installed on this machine."""

    engine: str
    """Engine name: flite, festival, espeak, rhvoice or pico."""
    name: str
    """Name unique over all engines, `engine:voice` or `engine:language:variant`."""
    language: str
    """Two-letter language code, with an accent where it matters (en, en-gb, it, fi...)."""
    share: float
    """Relative weight when a speaker's voice is drawn."""
    natural: bool
    """True for voices built from recorded speech, False for formant synthesis."""
    licence: str
    """Terms of the engine and voice, in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence to speak and how."""

    text: str
    """Plain text in the voice's language."""
    rate: float = 1.0
    """Speed relative to the voice's own."""
    pitch: float = 1.0
    """Fundamental frequency relative to the voice's own; engines without control ignore it."""


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """Output of an engine: untrimmed samples and phones already moved by the engine's time shift."""

    samples: np.ndarray
    """``(n,)`` float32 in [-1, 1]."""
    sample_rate: int
    """Hz."""
    phones: tuple[Phone, ...]
    """In the order of time; gaps are silence."""
    notes: dict[str, str] = field(default_factory=dict)
    """Extra facts for reports."""


class Engine(Protocol):
    """A speech engine: a module-like object with a name, voices and synthesis."""

    name: str

    def voices(self) -> list[Voice]:
        """Return the voices installed here; empty if the engine is missing."""
        ...

    def speak(self, voice: Voice, lines: Sequence[Line]) -> list[EngineOutput | None]:
        """Speak every line; None if the engine failed on it."""
        ...


def samples_from_int16(pcm: np.ndarray) -> np.ndarray:
    """Return int16 samples as float32 in [-1, 1]."""
    return pcm.astype(np.float32) / 32768.0
