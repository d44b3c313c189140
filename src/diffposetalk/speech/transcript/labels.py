"""Times of words and phones from label files: HTK ``.lab``, Praat ``.TextGrid``, GRID ``.align``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.errors import InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.transcript.decoding import text_of

GRID_TICKS = 25000
"""Units a second of GRID's word times."""
HTK_TICKS = 10_000_000
"""Units a second of HTK's label times (100 ns)."""
PAUSES = frozenset({"", "sil", "sp", "pau", "<eps>", "<sil>", "<p:>", "<p>", "#", "_", "-"})
"""Labels that mean silence."""


@dataclass(frozen=True, slots=True)
class Label:
    """A word, a phone or a caption with its time."""

    text: str
    start: float
    """Seconds from the beginning of the recording."""
    end: float
    """Seconds; above `start`."""


def read_grid(path: Path) -> tuple[Label, ...]:
    """Read a GRID ``.align`` file: ``start end word`` lines, 25,000 units a second.

    Raises:
        InputError: a line is not of this form.
    """
    with parsing(path, "GRID alignment"):
        rows = [line.split() for line in _lines(path)]
        words = (Label(word, int(start) / GRID_TICKS, int(end) / GRID_TICKS) for start, end, word in rows)
        return _in_order(path, [word for word in words if word.text not in PAUSES])


def read_lab(path: Path) -> tuple[Label, ...] | str:
    """Read a ``.lab`` file: HTK's ``start end label`` lines, or plain text, which is returned as it is.

    Times are seconds where they have a decimal point, else units of 100 ns.

    Raises:
        InputError: the times are out of order.
    """
    with parsing(path, "label file"):
        lines = _lines(path)
        rows = [line.split(maxsplit=2) for line in lines]
        if not rows or not all(len(row) == 3 and _number(row[0]) and _number(row[1]) for row in rows):
            return " ".join(line.strip() for line in lines)
        seconds = any("." in time for row in rows for time in row[:2])
        unit = 1 if seconds else HTK_TICKS
        words = (Label(label, float(start) / unit, float(end) / unit) for start, end, label in rows)
        return _in_order(path, [word for word in words if word.text.lower() not in PAUSES])


def read_textgrid(path: Path) -> dict[str, tuple[Label, ...]]:
    """Read the interval tiers of a Praat TextGrid, long or short form, by lower-case name.

    Raises:
        InputError: the file is no TextGrid.
    """
    with parsing(path, "TextGrid"):
        text = text_of(path, "TextGrid")
        if "ooTextFile" not in text[:200] or "TextGrid" not in text[:400]:
            raise InputError(f"{path}: not a TextGrid")
        # the values in order: quoted strings, numbers and <exists> flags; the long form's names are left out
        values = re.findall(r'"((?:[^"]|"")*)"|(?<![\w.\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.\]])', text)
        stream = iter([number if number else label.replace('""', '"') for label, number in values][2:])
        start, _end, n_tiers = float(next(stream)), float(next(stream)), int(next(stream))
        tiers: dict[str, tuple[Label, ...]] = {}
        for _ in range(n_tiers):
            kind, name = next(stream), next(stream).lower()
            _first, _last, count = float(next(stream)), float(next(stream)), int(next(stream))
            words = []
            for _ in range(count):
                begin = float(next(stream))
                end = float(next(stream)) if kind == "IntervalTier" else begin
                label = next(stream).strip()
                if kind == "IntervalTier" and label.lower() not in PAUSES:
                    words.append(Label(label, begin - start, end - start))
            if kind == "IntervalTier":
                tiers[name] = _in_order(path, words)
        return tiers


def _in_order(path: Path, words: list[Label]) -> tuple[Label, ...]:
    last = 0.0
    for word in words:
        if not (word.start >= last - 1e-3 and word.end > word.start):
            raise InputError(f"{path}: the times of {word.text!r} ({word.start:g} to {word.end:g} s) are out of order")
        last = word.end
    return tuple(words)


def _lines(path: Path) -> list[str]:
    return [line for line in text_of(path, "label file").splitlines() if line.strip()]


def _number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
