"""Text of transcripts and label files, whatever its encoding."""

from __future__ import annotations

import codecs
import warnings
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and their encodings; UTF-32 before UTF-16, whose mark it begins with."""


def text_of(path: Path, what: str) -> str:
    """Read a text file with lines that end in a line feed.

    UTF-8, UTF-16 and UTF-32 are recognised; other bytes are taken for Windows-1252, with a warning.

    Args:
        path: the file.
        what: expected kind of file, for messages: "transcript".

    Raises:
        InputError: the file is missing, too large or not text.
    """
    data = read_bytes(path, what)
    with parsing(path, what):
        text = _decoded(path, data)
    if any(letter < " " and letter not in "\t\n\r\f\v" for letter in text):
        raise InputError(f"{path}: this {what} is not text; save it as plain text (UTF-8)")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(path: Path, data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding)
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # Latin letters: every second byte is 0
        if len(data) >= 4 and len(data) % 2 == 0 and data[start::2].count(0) > len(data) // 4:
            return data.decode(encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\ufffd" in text:
        raise InputError(f"{path}: the encoding of this text is unknown; save it as UTF-8")
    if data.count(0) == 0:
        warnings.warn(f"{path}: not UTF-8; read as Windows-1252", DiffPoseTalkWarning, stacklevel=2)
    return text
