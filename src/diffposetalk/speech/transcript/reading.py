"""Transcripts from files: plain text, captions, words with times, and label files with words or phones.

.txt                 text alone
.srt, .vtt           captions, each with its time
.json                words with times, as Whisper writes them: segments -> words -> word, start, end
.TextGrid            Praat and the Montreal Forced Aligner: a tier of phones, or of words
.lab, .align         labels of HTK and of the GRID corpus
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.transcript import labels
from diffposetalk.speech.transcript.alphabets import UNTRANSCRIBED, are_phones, phones_of_labels
from diffposetalk.speech.transcript.captions import read_captions
from diffposetalk.speech.transcript.decoding import text_of
from diffposetalk.speech.transcript.labels import Label
from diffposetalk.speech.transcript.phones import Phone

PHRASE_GAP_S = 0.3
"""Pause that ends a phrase of words with times, seconds."""
LONGEST_PHRASE_S = 12.0
"""Length at which a phrase of words with times is cut, seconds."""
OVERLAP_S = 0.02
"""Largest overlap of two labels that is taken for rounding, seconds."""
_PHONE_TIER = re.compile(r"phone(?!tic)|^(mau|phn|segments?|ipa|x?-?sampa)$")
"""Names of tiers of phones: of the Montreal Forced Aligner, WebMAUS (`MAU`) and others."""
_WORD_TIER = re.compile(r"word|^ort|^(text|transcript|transcription|utterances?|sentences?)$")
"""Names of tiers of words or sentences."""


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
    unknown: tuple[tuple[float, float], ...] = ()
    """Seconds from and to which something is said that is not transcribed, beside phones."""

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
        raise InputError(
            f"{path}: not a transcript; give {', '.join(READERS)}, in Python also Transcript.of_text() with the words"
        )
    transcript = read(path)
    if not transcript.phones and not any(re.search(r"\w", phrase.text) for phrase in transcript.phrases):
        raise InputError(f"{path}: the transcript has no words")
    return transcript


def _text(path: Path) -> Transcript:
    return Transcript(str(path), (Phrase(text_of(path, "transcript")),))


def _captions(path: Path) -> Transcript:
    captions = read_captions(path)
    return Transcript(str(path), tuple(Phrase(each.text, each.start, each.end) for each in captions))


def _word_times(path: Path) -> Transcript:
    """Read words with times: a list of words, or Whisper's segments."""
    with parsing(path, "transcript"):
        content: Any = json.loads(text_of(path, "transcript"))
        if isinstance(content, dict):
            content = content.get("words") or content.get("segments")
        if not isinstance(content, list):
            raise InputError(f"{path}: neither words nor segments in it")
        words: list[Label] = []
        waiting = ""
        for entry in (word for part in content for word in (part.get("words") or [part])):
            text = str(entry.get("word") or entry.get("text") or "").strip()
            if entry.get("start") is None or entry.get("end") is None:  # a word that the recogniser could not place
                if words:
                    words[-1] = replace(words[-1], text=f"{words[-1].text} {text}")
                else:
                    waiting += text + " "
                continue
            start, end = float(entry["start"]), float(entry["end"])
            if not 0 <= start <= end < math.inf:
                raise InputError(f"{path}: the times of {text!r} ({start:g} to {end:g} s) are not in order")
            words.append(Label(waiting + text, start, end))
            waiting = ""
        if waiting:
            raise InputError(f"{path}: the words have no times (start, end)")
        return Transcript(str(path), _phrases(sorted(words, key=lambda word: word.start)))


def _textgrid(path: Path) -> Transcript:
    """Read a TextGrid: the tier of phones if there is one, else that of words, else the first."""
    tiers = {name: tier for name, tier in labels.read_textgrid(path).items() if tier}
    if not tiers:
        raise InputError(f"{path}: the transcript has no words")
    by_phones = {name: tier for name, tier in tiers.items() if _PHONE_TIER.search(name)}
    by_words = {name: tier for name, tier in tiers.items() if _WORD_TIER.search(name)}
    if not by_phones and not by_words:
        by_phones = {name: tier for name, tier in list(tiers.items())[:1] if are_phones(tier)}
    chosen = by_phones or by_words or dict(list(tiers.items())[:1])
    labelled = sorted((label for tier in chosen.values() for label in tier), key=lambda label: label.start)
    for one, following in pairwise(labelled):
        if following.start < one.end - OVERLAP_S:
            raise InputError(
                f"{path}: {following.text!r} begins at {following.start:.2f} s, before {one.text!r} has ended; give the "
                f"tier of one speaker alone (tiers: {', '.join(chosen)})"
            )
    return _by_phones(path, labelled) if by_phones else Transcript(str(path), _phrases(labelled))


def _by_phones(path: Path, labelled: Sequence[Label]) -> Transcript:
    with parsing(path, "transcript"):
        unknown = [label for label in labelled if UNTRANSCRIBED.fullmatch(label.text)]
        phones = phones_of_labels(labelled)
        return Transcript(str(path), phones=phones, unknown=tuple((label.start, label.end) for label in unknown))


def _lab(path: Path) -> Transcript:
    content = labels.read_lab(path)
    if isinstance(content, str):
        return Transcript(str(path), (Phrase(content),))
    return _by_phones(path, content) if are_phones(content) else Transcript(str(path), _phrases(content))


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


def _phrases(words: Sequence[Label]) -> tuple[Phrase, ...]:
    """Group words with times to phrases between pauses and between what is not transcribed."""
    groups: list[list[Label]] = []
    ended = True
    for word in words:
        if UNTRANSCRIBED.fullmatch(word.text):
            ended = True
            continue
        last = None if ended else groups[-1]
        if last and word.start - last[-1].end < PHRASE_GAP_S and word.end - last[0].start < LONGEST_PHRASE_S:
            last.append(word)
        else:
            groups.append([word])
        ended = False
    return tuple(Phrase(" ".join(word.text for word in group), group[0].start, group[-1].end) for group in groups)
