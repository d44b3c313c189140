"""Captions: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

import html
import re
from pathlib import Path

from diffposetalk.errors import InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.transcript.decoding import text_of
from diffposetalk.speech.transcript.labels import Label

SHORTEST_S = 0.05
"""A shorter caption is only a step of rolling captions, seconds."""
_TIME = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:[.,:](\d{1,3}))?")
"""A time of a caption: hours and fraction may be missing."""
_SPEAKER = re.compile(r"^\s*(?:>>+|[-\u2013\u2014])?\s*(?:[A-Z][A-Z .'-]*:)?")
"""What stands before the words of a caption: a dash, or the name of who speaks, in capitals."""


def read_captions(path: Path) -> tuple[Label, ...]:
    """Read captions in order of their time.

    What is not said is left out: formatting, sounds in brackets or parentheses, names of speakers in capitals. Rolling
    captions, which repeat the line before, give each line once.

    Raises:
        InputError: the file is damaged or holds no captions.
    """
    with parsing(path, "captions"):
        return _captions(path, text_of(path, "transcript"))


def _captions(path: Path, text: str) -> tuple[Label, ...]:
    if re.search(r"^\[Script Info\]|^Dialogue:", text, re.MULTILINE):
        raise InputError(f"{path}: captions in the format of SubStation Alpha (.ass); convert them to .srt")
    cues = sorted(_cues(path, text), key=lambda cue: cue[:2])
    if not cues:
        raise InputError(f"{path}: no captions (no line with -->)")
    captions, before, end_before = [], [""], 0.0
    for start, end, lines in cues:
        if end - start < SHORTEST_S:
            continue
        rolling = start <= end_before + SHORTEST_S
        new = _without_repeated(lines, before) if rolling else lines
        if words := " ".join(_said(line) for line in new).strip():
            captions.append(Label(words, start, end))
        if lines:
            before = lines
        end_before = end
    return tuple(captions)


def _cues(path: Path, text: str) -> list[tuple[float, float, list[str]]]:
    """Return start, end and lines of every cue; formatting is removed."""
    cues: list[tuple[float, float, list[str]]] = []
    lines = text.split("\n")
    inside = False
    for number, line in enumerate(lines):
        first, arrow, rest = line.partition("-->")
        if arrow:
            start, end = _seconds(path, first), _seconds(path, rest)
            if end < start:
                raise InputError(f"{path}: the caption {line.strip()!r} ends before it starts")
            cues.append((start, end, []))
            inside = True
        elif not line.strip():
            inside = inside and not cues[-1][2]  # an empty line ends the words, not the space before them
        elif inside:
            following = lines[number + 1] if number + 1 < len(lines) else ""
            if not (line.strip().isdigit() and "-->" in following):  # the number of a caption without space before
                shown = re.sub(r"<[^>]*>|\{[^}]*\}", "", line).replace("\\N", " ")
                cues[-1][2].append(html.unescape(shown).strip())
    return [(start, end, [line for line in words if line]) for start, end, words in cues]


def _without_repeated(lines: list[str], before: list[str]) -> list[str]:
    """Leave out the first lines where they repeat the last lines of the caption before, but for a caption of one line."""
    for count in range(min(len(lines) - 1, len(before)), 0, -1):
        if lines[:count] == before[-count:]:
            return lines[count:]
    return lines


def _said(line: str) -> str:
    """Return what is said in a line."""
    return _SPEAKER.sub("", re.sub(r"\([^)]*\)|\[[^\]]*\]|[\u266a\u266b#]", " ", line))


def _seconds(path: Path, text: str) -> float:
    match = _TIME.search(text)
    if match is None:
        raise InputError(f"{path}: {text.strip()[:40]!r} is not a time of a caption (00:00:01,500)")
    hours, minutes, seconds, fraction = match.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
