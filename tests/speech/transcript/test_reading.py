"""Transcripts of every kind, written as their programs write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffposetalk.errors import InputError
from diffposetalk.speech.transcript.reading import READERS, Phrase, read_transcript

SRT = "1\n00:00:00,200 --> 00:00:01,500\n<i>Ask not</i>\nwhat\n\n2\n00:00:02,000 --> 00:00:03,000\nyour country\n"
VTT = "WEBVTT\n\n00:00.200 --> 00:01.500 align:start\nAsk &amp; not\n\nNOTE nothing\n\n01:00:02.000 --> 01:00:03.000\nyour\n"
GRID = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n2\n'
WORDS = '"IntervalTier"\n"words"\n0\n2\n2\n0.1\n0.4\n"bad"\n1.0\n1.4\n"map"\n'
PHONES = '"IntervalTier"\n"phones"\n0\n2\n3\n0.1\n0.2\n"B"\n0.2\n0.3\n"AE1"\n0.3\n0.4\n"D"\n'


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_text_and_captions(tmp_path: Path) -> None:
    assert read_transcript(written(tmp_path, "a.txt", "\ufeffAsk not")).phrases == (Phrase("Ask not"),)
    assert read_transcript(written(tmp_path, "a.srt", SRT)).phrases == (
        Phrase("Ask not what", 0.2, 1.5),
        Phrase("your country", 2.0, 3.0),
    )
    assert read_transcript(written(tmp_path, "a.vtt", VTT.replace("\n", "\r\n"))).phrases == (
        Phrase("Ask & not", 0.2, 1.5),
        Phrase("your", 3602.0, 3603.0),
    )


def test_words_with_times_become_phrases(tmp_path: Path) -> None:
    words = [{"word": " ask", "start": 0.1, "end": 0.3}, {"word": " not", "start": 0.35, "end": 0.6}]
    later = [{"word": " what", "start": 1.5, "end": 1.8}]
    whisper = {"text": "ask not what", "segments": [{"words": words}, {"words": later}]}
    expected = (Phrase("ask not", 0.1, 0.6), Phrase("what", 1.5, 1.8))
    assert read_transcript(written(tmp_path, "a.json", json.dumps(whisper))).phrases == expected
    assert read_transcript(written(tmp_path, "b.json", json.dumps(words + later))).phrases == expected
    assert read_transcript(written(tmp_path, "c.TextGrid", GRID + WORDS + PHONES)).phones
    only_words = GRID.replace("<exists>\n2", "<exists>\n1") + WORDS
    assert read_transcript(written(tmp_path, "d.TextGrid", only_words)).phrases == (
        Phrase("bad", 0.1, 0.4),
        Phrase("map", 1.0, 1.4),
    )
    assert read_transcript(written(tmp_path, "e.align", "2500 10000 bin\n10000 15000 blue\n")).phrases == (
        Phrase("bin blue", 0.1, 0.6),
    )
    assert read_transcript(written(tmp_path, "f.lab", "bin blue")).phrases == (Phrase("bin blue"),)


def test_phones_of_a_textgrid_are_translated(tmp_path: Path) -> None:
    phones = read_transcript(written(tmp_path, "c.TextGrid", GRID + WORDS + PHONES)).phones
    assert [(phone.symbol, phone.start) for phone in phones] == [("b", 0.1), ("ae", 0.2), ("d", 0.3)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.docx", "x", "not a transcript"),
        ("a.txt", " \n", "has no words"),
        ("a.srt", "hello", "no captions"),
        ("a.srt", "1\nsoon --> later\nhello\n", "not a time"),
        ("a.json", '{"a": 1}', "neither words nor segments"),
        ("a.json", '[{"word": "a"}]', "a.json"),
        ("a.TextGrid", "hello", "not a TextGrid"),
    ],
)
def test_what_is_no_transcript_is_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_transcript(written(tmp_path, name, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for suffix in READERS:
        with pytest.raises(InputError, match="a\\" + suffix):
            read_transcript(tmp_path / f"a{suffix}")
