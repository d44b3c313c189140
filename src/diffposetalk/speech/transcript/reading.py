"""Transcripts from files: plain text, captions, words with times, and label files with words or phones.

.txt                 text alone
.srt, .vtt           captions, each with its time
.json                words with times, as Whisper writes them: segments -> words -> word, start, end
.TextGrid            Praat and the Montreal Forced Aligner: a tier of phones, or of words
.lab, .align         labels of HTK and of the GRID corpus
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.transcript import labels
from diffposetalk.speech.transcript.labels import Word
from diffposetalk.speech.transcript.phone_maps import from_ipa, from_radio
from diffposetalk.speech.transcript.phones import Phone

PHRASE_GAP_S = 0.3
"""Pause that ends a phrase of words with times, seconds."""
LONGEST_PHRASE_S = 12.0
"""Length at which a phrase of words with times is cut, seconds."""
_TIME = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")
"""A time of a caption: hours may be missing."""


@dataclass(frozen=True)
class Phrase:
    """Words with the time in which they are said."""

    text: str
    start: float | None = None
    """Seconds; None if unknown."""
    end: float | None = None
    """Seconds; None if unknown."""


@dataclass(frozen=True)
class Transcript:
    """What is said: phrases whose words are to be found in the sound, or phones with times."""

    name: str
    """File, or another name for messages."""
    phrases: tuple[Phrase, ...] = ()
    """In order of time."""
    phones: tuple[Phone, ...] = ()
    """In order of time; where they are given, phrases are not used."""

    @staticmethod
    def of_text(text: str) -> Transcript:
        """Return the transcript of plain text."""
        return Transcript("transcript", (Phrase(text),))


def read_transcript(path: str | Path) -> Transcript:
    """Read a transcript.

    Raises:
        InputError: the file is missing, damaged, empty or of an unknown kind.
    """
    path = Path(path)
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path}: not a transcript; give {', '.join(READERS)}")
    transcript = read(path)
    if not transcript.phones and not any(re.search(r"\w", phrase.text) for phrase in transcript.phrases):
        raise InputError(f"{path}: the transcript has no words")
    return transcript


def phones_of_labels(labels_read: Sequence[Word]) -> tuple[Phone, ...]:
    """Translate phone labels, ARPAbet (``AH0``) or IPA, to the inventory of `transcript.phones`."""
    phones: list[Phone] = []
    for label in labels_read:
        arpabet = label.text.isascii() and label.text.rstrip("012").isalpha()
        phones += (from_radio if arpabet else from_ipa)(label.text, label.start, label.end)
    return tuple(phones)


def _text(path: Path) -> Transcript:
    return Transcript(str(path), (Phrase(_decoded(path)),))


def _captions(path: Path) -> Transcript:
    """Read SubRip and WebVTT: blocks of lines after a line ``from --> to``."""
    phrases = []
    for block in re.split(r"\n\s*\n", _decoded(path)):
        lines = block.strip().splitlines()
        for number, line in enumerate(lines):
            start, arrow, end = line.partition("-->")
            if arrow:
                words = " ".join(re.sub(r"<[^>]*>|\{[^}]*\}", "", each) for each in lines[number + 1 :])
                phrases.append(Phrase(html.unescape(words), _seconds(path, start), _seconds(path, end)))
                break
    if not phrases:
        raise InputError(f"{path}: no captions (no line with -->)")
    return Transcript(str(path), tuple(phrases))


def _word_times(path: Path) -> Transcript:
    """Read words with times: a list of words, or Whisper's segments."""
    with parsing(path, "transcript"):
        content: Any = json.loads(_decoded(path))
        if isinstance(content, dict):
            content = content.get("words") or content.get("segments")
        if not isinstance(content, list):
            raise InputError(f"{path}: neither words nor segments in it")
        entries = [word for entry in content for word in (entry.get("words") or [entry])]
        words = [
            Word(str(entry.get("word") or entry.get("text") or "").strip(), float(entry["start"]), float(entry["end"]))
            for entry in entries
        ]
        return Transcript(str(path), _phrases(words))


def _textgrid(path: Path) -> Transcript:
    """Read a TextGrid: the tier of phones if there is one, else that of words, else the first."""
    tiers = labels.read_textgrid(path)
    for name, tier in tiers.items():
        if "phone" in name and tier:
            return Transcript(str(path), phones=phones_of_labels(tier))
    named = [tier for name, tier in tiers.items() if "word" in name and tier] or [
        tier for tier in tiers.values() if tier
    ]
    if not named:
        raise InputError(f"{path}: the transcript has no words")
    return Transcript(str(path), _phrases(named[0]))


def _lab(path: Path) -> Transcript:
    content = labels.read_lab(path)
    return Transcript(str(path), (Phrase(content),) if isinstance(content, str) else _phrases(content))


def _grid(path: Path) -> Transcript:
    return Transcript(str(path), _phrases(labels.read_grid(path)))


READERS: dict[str, Callable[[Path], Transcript]] = {
    ".txt": _text,
    ".srt": _captions,
    ".vtt": _captions,
    ".json": _word_times,
    ".textgrid": _textgrid,
    ".lab": _lab,
    ".align": _grid,
}
"""Suffix -> reader."""


def _phrases(words: Sequence[Word]) -> tuple[Phrase, ...]:
    """Group words with times to phrases between pauses."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1] if groups else None
        if last and word.start - last[-1].end < PHRASE_GAP_S and word.end - last[0].start < LONGEST_PHRASE_S:
            last.append(word)
        else:
            groups.append([word])
    return tuple(Phrase(" ".join(word.text for word in group), group[0].start, group[-1].end) for group in groups)


def _seconds(path: Path, text: str) -> float:
    match = _TIME.search(text)
    if match is None:
        raise InputError(f"{path}: {text.strip()!r} is not a time of a caption (00:00:01,500)")
    hours, minutes, seconds, fraction = match.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


def _decoded(path: Path) -> str:
    data = read_bytes(path, "transcript")
    with parsing(path, "transcript"):
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")
