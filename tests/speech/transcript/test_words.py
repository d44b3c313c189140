"""Words of texts as people write them."""

from __future__ import annotations

import pytest

from diffposetalk.errors import InputError
from diffposetalk.speech.transcript.words import words_of

KNOWN = {
    "dogs", "rock'n'roll", "'til", "u.s.", "dr.", "e.g.", "well", "known", "hello", "i'm", "no", "versus", "cafe", "and",
    "the", "end", "next", "professor", "a", "b", "g", "p", "t",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, HELLO\u2014hello\u2026", ["hello"] * 3),
        ("\u201cHello\u201d \u2018hello\u2019 'hello' I\u2019m", ["hello", "hello", "hello", "i'm"]),
        ("'til rock\u2019n\u2019roll dogs'", ["'til", "rock'n'roll", "dogs"]),
        ("The U.S. and e.g. Dr. no.", ["the", "u.s.", "and", "e.g.", "dr.", "no"]),
        ("well-known twenty\u2010one", ["well", "known", "twenty", "one"]),
        ("Caf\u00e9 na\u00efve \u00c6ro", ["cafe", "naive", "aero"]),
        ("Prof. A vs. B", ["professor", "a", "versus", "b"]),
        ("the end.Next", ["the", "end", "next"]),
        ("GPT and the", ["g", "p", "t", "and", "the"]),
        ("GPT AND THE", ["gpt", "and", "the"]),
        ("a & b [music] <unk> snake_case", ["a", "and", "b", "snake", "case"]),
        ("... -- \u266a '' ", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text, KNOWN.__contains__) == words


@pytest.mark.parametrize(
    ("text", "message"), [("in 1961", "numbers as words"), ("hello \u043c\u0438\u0440", "only English words")]
)
def test_what_cannot_be_looked_up(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        words_of(text, KNOWN.__contains__)
