"""From each engine's own phone names to the inventory of `phones`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from diffposetalk.speech.transcript.phones import FEATURES, Phone

SILENCES = frozenset({"pau", "sil", "#", "_", "h#", "ssil", "brth", "_:", "", "SIL", "B_10", "sp", "##", "?_"})
"""Names that engines give to a pause."""


def spread_over(symbols: tuple[str, ...], start: float, end: float, stress: int = 0) -> list[Phone]:
    """Share `[start, end]` seconds equally among symbols (affricates and diphthongs that we write as two phones).

    Stress goes to vowels only.
    """
    if not symbols or end <= start:
        return []
    step = (end - start) / len(symbols)
    return [
        Phone(symbol, start + step * i, start + step * (i + 1), stress if FEATURES[symbol].vowel else 0)
        for i, symbol in enumerate(symbols)
    ]


def from_radio(label: str, start: float, end: float, stress: int = 0) -> list[Phone]:
    """Read a CMU radio phone (flite, festival's American voices, PocketSphinx); unstressed `ah` becomes `ax`."""
    name = label.lower().rstrip("012")
    if label in SILENCES or name in SILENCES or name.startswith(("+", "<")):
        return spread_over(("sil",), start, end)
    if name == "ah" and label[-1:] == "0":
        name = "ax"
    name = {
        "axr": "er",
        "el": "l",
        "em": "m",
        "en": "n",
        "dx": "d",
        "nx": "n",
        "ux": "uw",
        "hv": "hh",
        "ix": "ih",
        "zh": "zh",
    }.get(name, name)
    if label[-1:].isdigit():
        stress = int(label[-1])
    return spread_over((name,) if name in FEATURES else ("ax",), start, end, stress)


def from_table(table: Mapping[str, str], label: str, start: float, end: float, stress: int = 0) -> list[Phone]:
    """Read a phone by a table of `label -> space-separated symbols`; unknown labels fall back to their first letter."""
    if label in SILENCES:
        return spread_over(("sil",), start, end)
    symbols = table.get(label) or table.get(label.lower()) or table.get(label[:1].lower()) or "ax"
    return spread_over(tuple(symbols.split()), start, end, stress)


# fmt: off (tables)
_LATIN = {
    "a": "aa",
    "b": "b",
    "c": "k",
    "d": "d",
    "e": "e",
    "f": "f",
    "g": "g",
    "h": "hh",
    "i": "iy",
    "j": "y",
    "k": "k",
    "l": "l",
    "m": "m",
    "n": "n",
    "o": "o",
    "p": "p",
    "q": "k",
    "r": "rr",
    "s": "s",
    "t": "t",
    "u": "uw",
    "v": "v",
    "w": "w",
    "x": "k s",
    "y": "ue",
    "z": "z",
}

ITALIAN = _LATIN | {
    "a1": "aa",
    "e1": "e",
    "E": "eh",
    "E1": "eh",
    "i1": "iy",
    "o1": "o",
    "O": "ao",
    "O1": "ao",
    "u1": "uw",
    "ts": "t s",
    "dz": "d z",
    "tS": "ch",
    "dZ": "jh",
    "S": "sh",
    "Z": "zh",
    "J": "ny",
    "L": "l y",
    "ng": "ng",
    "nf": "m",
    "j": "y",
    "w": "w",
}
"""Festival's Italian voices; a digit marks the stressed vowel."""

FINNISH = _LATIN | {
    "@": "ae",
    "7": "oe",
    "&": "ax",
    "N": "ng",
    "S": "sh",
    "Z": "zh",
    "T": "th",
    "D": "dh",
    "L": "l y",
    "r": "rr",
}
"""Festival's Finnish voices; a colon marks length."""

CZECH = _LATIN | {
    "c": "t s",
    "ch": "x",
    "c~": "ch",
    "d~": "d y",
    "t~": "t y",
    "n~": "ny",
    "r~": "rr zh",
    "s~": "sh",
    "z~": "zh",
    "dz": "d z",
    "dz~": "jh",
    "n*": "ng",
    "r~*": "rr sh",
    "h": "hh",
    "j": "y",
    "y": "iy",
    "i": "ih",
    "i:": "iy",
    "u": "uh",
    "u:": "uw",
    "e": "eh",
    "e:": "eh",
    "o": "o",
    "o:": "o",
    "ou": "ow",
    "au": "aw",
    "eu": "eh uw",
    "x": "k s",
}
"""Festival's Czech voices; `~` marks a softened or hushing sound."""

CATALAN = _LATIN | {
    "ax": "ax",
    "E": "eh",
    "O": "ao",
    "S": "sh",
    "Z": "zh",
    "tS": "ch",
    "dZ": "jh",
    "ts": "t s",
    "dz": "d z",
    "J": "ny",
    "L": "l y",
    "N": "ng",
    "rr": "rr",
    "B": "v",
    "D": "dh",
    "G": "x",
    "j": "y",
    "w": "w",
    "uw": "uw",
    "b": "b",
    "i1": "iy",
    "a1": "aa",
    "e1": "e",
    "o1": "o",
    "u1": "uw",
    "E1": "eh",
    "O1": "ao",
    "ax1": "ax",
    "tt": "t",
    "dd": "d",
    "gg": "g",
    "bb": "b",
    "nn": "n",
    "ll": "l",
    "x": "sh",
    "h": "hh",
}
"""Festival's Catalan voice."""

_RAISED = "\u031d"

_IPA_LONG = {
    "aɪ": "ay",
    "aʊ": "aw",
    "eɪ": "ey",
    "oʊ": "ow",
    "əʊ": "ow",
    "ɔɪ": "oy",
    "ɔʏ": "oy",
    "ɔø": "oy",
    "tʃ": "ch",
    "dʒ": "jh",
    "tɕ": "ch",
    "dʑ": "jh",
    "ʈʂ": "ch",
    "ts": "t s",
    "dz": "d z",
    "pf": "p f",
    "ɪə": "ih ax",
    "eə": "eh ax",
    "ʊə": "uh ax",
    "aɪə": "ay ax",
    "aʊə": "aw ax",
    "aɪɚ": "ay er",
    "aʊɚ": "aw er",
    "ɑɹ": "aa r",
    "ɔɹ": "ao r",
    "oɹ": "ao r",
    "ɛɹ": "eh r",
    "ɪɹ": "ih r",
    "ʊɹ": "uh r",
    "iə": "iy ax",
    "əl": "ax l",
    "ai": "ay",
    "au": "aw",
    "ei": "ey",
    "ou": "ow",
    "oi": "oy",
    "r" + _RAISED: "rr zh",
    "əɪ": "ey",
    "ʌɪ": "ay",
}

_IPA = {
    "a": "aa",
    "ɐ": "ax",
    "ɑ": "aa",
    "ɒ": "ao",
    "æ": "ae",
    "ʌ": "ah",
    "ə": "ax",
    "ɘ": "ax",
    "ɜ": "er",
    "ɝ": "er",
    "ɚ": "er",
    "ɞ": "er",
    "ᵻ": "ih",
    "ɨ": "ih",
    "ɪ": "ih",
    "i": "iy",
    "e": "e",
    "ɛ": "eh",
    "ɔ": "ao",
    "o": "o",
    "ɵ": "o",
    "ʊ": "uh",
    "u": "uw",
    "ʉ": "uw",
    "ɯ": "uh",
    "ɤ": "ah",
    "y": "ue",
    "ʏ": "ue",
    "ø": "oe",
    "œ": "oe",
    "ɶ": "oe",
    "b": "b",
    "p": "p",
    "m": "m",
    "ɱ": "m",
    "f": "f",
    "v": "v",
    "ʋ": "v",
    "β": "v",
    "ɸ": "f",
    "w": "w",
    "ʍ": "w",
    "ɥ": "w",
    "t": "t",
    "d": "d",
    "ʈ": "t",
    "ɖ": "d",
    "ɾ": "d",
    "n": "n",
    "ɳ": "n",
    "l": "l",
    "ɫ": "l",
    "ɭ": "l",
    "ɬ": "sh",
    "ɮ": "zh",
    "r": "rr",
    "ɹ": "r",
    "ɻ": "r",
    "ɽ": "rr",
    "ʀ": "x",
    "ʁ": "x",
    "s": "s",
    "z": "z",
    "ʃ": "sh",
    "ʒ": "zh",
    "ʂ": "sh",
    "ʐ": "zh",
    "ɕ": "sh",
    "ʑ": "zh",
    "θ": "th",
    "ð": "dh",
    "c": "t y",
    "ɟ": "d y",
    "ʝ": "y",
    "j": "y",
    "ʎ": "l y",
    "ɲ": "ny",
    "k": "k",
    "ɡ": "g",
    "g": "g",
    "ŋ": "ng",
    "x": "x",
    "ɣ": "x",
    "χ": "x",
    "ɰ": "y",
    "q": "k",
    "ʲ": "y",
    "ɢ": "g",
    "ɴ": "ng",
    "h": "hh",
    "ɦ": "hh",
    "ħ": "hh",
    "ʕ": "q",
    "ʔ": "q",
}
# fmt: on


def from_ipa(label: str, start: float, end: float, stress: int = 0) -> list[Phone]:
    """Read an IPA phone as espeak-ng prints it: diphthongs and affricates first, then letter by letter.

    Stress marks, length and diacritics are dropped; a label without any known letter is silence, and so is a change of
    language, which espeak-ng announces as `(en)`.
    """
    if label.startswith("("):
        label = ""
    base = unicodedata.normalize("NFD", label.replace("\u00e7", "\u0255"))  # c cedilla looks like its neighbour
    letters = "".join(c for c in base if unicodedata.category(c) not in ("Mn", "Lm", "Po") or c == _RAISED)
    letters = letters or label[:1]
    if letters in _IPA_LONG:
        return spread_over(tuple(_IPA_LONG[letters].split()), start, end, stress)
    symbols: list[str] = []
    position = 0
    while position < len(letters):
        pair = letters[position : position + 2]
        if len(pair) == 2 and pair in _IPA_LONG:
            symbols += _IPA_LONG[pair].split()
            position += 2
            continue
        symbols += _IPA.get(letters[position], "").split()
        position += 1
    if not symbols:
        return spread_over(("sil",), start, end)
    return spread_over(tuple(symbols), start, end, stress)
