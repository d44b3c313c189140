"""One recording of a person, as its corpus describes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffposetalk.speech.transcript.labels import Label


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of one speaker."""

    name: str
    """Unique in its corpus, such as ``librispeech/1688-142285-0000``."""
    path: Path
    """Sound or video file."""
    speaker: str
    """Unique name of the speaker, such as ``ls_1688``."""
    language: str
    """Language code, such as ``en``; empty where unknown."""
    text: str | None
    """What is said; None where unknown."""
    source: str
    """Name of the corpus, for the manifest."""
    licence: str
    """Terms, such as ``CC0-1.0``; empty where unknown."""
    words: tuple[Label, ...] = ()
    """Words with times, where the corpus gives them."""
    phones: tuple[Label, ...] = ()
    """Phones with times, where the corpus gives them: ARPAbet or IPA."""
