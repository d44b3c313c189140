"""The words of an English text, as they are looked up in a pronouncing dictionary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from diffposetalk.errors import InputError

_LETTERS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032\u00b4`\uff07", "'"),
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "ß": "ss",
        "đ": "d",
        "Đ": "D",
        "ð": "th",
        "Ð": "Th",
        "þ": "th",
        "Þ": "Th",
        "ı": "i",
        "&": " and ",
        "@": " at ",
        "%": " percent ",
        "+": " plus ",
        "=": " equals ",
    }
)
"""Apostrophes, letters that Unicode does not decompose, and symbols that are read as words."""
_SHORT = {
    "vs": "versus", "vs.": "versus", "prof.": "professor", "dept.": "department", "approx.": "approximately",
    "capt.": "captain", "lt.": "lieutenant", "col.": "colonel", "gen.": "general", "sen.": "senator",
    "gov.": "governor", "rev.": "reverend", "vol.": "volume", "ave.": "avenue",
}  # fmt: skip
"""Abbreviations that the dictionary lacks or has as another word."""
_TOKEN = re.compile(r"[^\W\d_]['\w]*(?:\.[^\W\d_]['\w]*)+\.?|[\w']*\w[\w']*\.?")
"""Letters with full stops between them (`U.S.`), or a word with the full stop after it."""
LONGEST_ACRONYM = 5
"""Most letters of an unknown word in capitals that is read letter by letter."""


def plain(text: str) -> str:
    """Return text without accents, with straight apostrophes, and without what is not said: ``[music]``, ``<unk>``."""
    text = re.sub(r"\[[^\]]*\]|<[^>]*>", " ", text.translate(_LETTERS))
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).translate(_LETTERS)


def words_of(text: str, knows: Callable[[str], bool]) -> list[str]:
    """Return the words of an English text in lower case.

    Words come in the form that the dictionary has, where it has one: `Dr.`, `'til` and `U.S.` as they are, quoted words
    without quotes, unknown capitals (`GPT`) letter by letter.

    Args:
        text: the text.
        knows: whether the dictionary has a word.

    Raises:
        InputError: the text has digits, or letters that are not Latin.
    """
    text = plain(text)
    if re.search(r"\d", text):
        raise InputError("write numbers as words")
    if re.search(r"[^\W_a-zA-Z]", text):
        raise InputError(
            "only English words can be found in the sound; give a TextGrid with phones, such as the Montreal Forced "
            "Aligner writes"
        )
    shouted = not re.search(r"[a-z]", text)
    words: list[str] = []
    for token in _TOKEN.findall(text.replace("_", " ")):
        words += _forms(token, knows, shouted)
    return words


def _forms(token: str, knows: Callable[[str], bool], shouted: bool) -> list[str]:
    """Return the words for one token."""
    lower, bare = token.lower(), token.lower().rstrip(".")
    for form in (lower, bare):
        if form in _SHORT:
            return [_SHORT[form]]
    if "." in bare:
        if knows(bare + "."):
            return [bare + "."]
        return [word for part in token.split(".") if part for word in _forms(part, knows, shouted)]
    for form in (bare, bare.strip("'"), bare.lstrip("'"), bare.rstrip("'"), bare + "."):
        if form and knows(form):
            return [form]
    word = bare.strip("'")
    capitals = token.rstrip(".").strip("'")
    if capitals.isupper() and not shouted and 1 < len(capitals) <= LONGEST_ACRONYM and "'" not in capitals:
        return list(word)
    return [word] if word else []
