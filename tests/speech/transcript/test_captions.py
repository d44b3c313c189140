"""Captions as programs and people write them, and text in every encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.speech.transcript.captions import read_captions
from diffposetalk.speech.transcript.labels import Label
from diffposetalk.speech.transcript.reading import Phrase, read_transcript


def captions(folder: Path, text: str | bytes, name: str = "a.srt") -> tuple[Label, ...]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_captions(path)


def test_what_is_not_said_is_left_out(tmp_path: Path) -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\n<i>- Hello</i> (laughs)\n\n2\n00:00:03,000 --> 00:00:04,000\n[MUSIC]\n\n"
        "3\n00:00:05,000 --> 00:00:06,000\n>> MR. BOND: {\\an8}Bond\\NJames\n\n4\n00:00:07,000 --> 00:00:08,000\n\n"
    )
    assert captions(tmp_path, text) == (Label("Hello", 1.0, 2.0), Label("Bond James", 5.0, 6.0))


def test_rolling_captions_give_each_line_once(tmp_path: Path) -> None:
    text = (
        "WEBVTT\nKind: captions\n\n00:00.000 --> 00:02.000 align:start\n \none<00:01.000><c> two</c>\n\n"
        "00:02.000 --> 00:02.010\none two\n \n\n00:02.010 --> 00:04.000\none two\nthree\n\n"
        "00:04.000 --> 00:04.010\nthree\n \n\n00:04.010 --> 00:06.000\nthree\nfour\n"
    )
    assert [each.text for each in captions(tmp_path, text, "a.vtt")] == ["one two", "three", "four"]


def test_repeated_words_stay(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:02,000 --> 00:00:03,000\nNo.\n"
    assert [each.text for each in captions(tmp_path, text)] == ["No.", "No."]


def test_order_and_missing_space(tmp_path: Path) -> None:
    text = "2\n00:00:03 --> 00:00:04\nlater\n1\n00:00:01:500 --> 00:00:02.5\nfirst\n"
    assert captions(tmp_path, text) == (Label("first", 1.5, 2.5), Label("later", 3.0, 4.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[Script Info]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hello\n", r"convert them to \.srt"),
        ("1\n00:00:05,000 --> 00:00:01,000\nHello\n", "ends before it starts"),
        ("1\n" + "9" * 5000 + ":00:01,000 --> 00:00:02,000\nHello\n", r"a\.srt"),
    ],
)
def test_damaged_captions_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        captions(tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("She said \u201chello\u201d.\r\nBye.".encode(encoding))
    assert read_transcript(path).phrases == (Phrase("She said \u201chello\u201d.\nBye."),)


def test_windows_1252_is_read_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\u201cCaf\u00e9\u201d".encode("cp1252"))
    with pytest.warns(DiffPoseTalkWarning, match="Windows-1252"):
        assert read_transcript(path).phrases == (Phrase("\u201cCaf\u00e9\u201d"),)


@pytest.mark.parametrize("data", [bytes(range(256)), b"%PDF-1.4\n\x00\x01\x02\x03 hello", b"PK\x03\x04hello\x00\x9d"])
def test_what_is_no_text_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.txt: (this transcript is not text|the encoding)"):
        read_transcript(tmp_path / "a.txt")
