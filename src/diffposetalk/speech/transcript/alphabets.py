"""Phone labels of other programs: ARPAbet (CMU, TIMIT), IPA and X-SAMPA (WebMAUS)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.speech.transcript.labels import Label
from diffposetalk.speech.transcript.phone_maps import SILENCES, from_ipa, from_radio
from diffposetalk.speech.transcript.phones import Phone

_ARPABET = frozenset(
    """aa ae ah ao aw ax axr ay b ch d dh dx eh el em en er ey f g hh hv ih ix iy jh k l m n ng nx ow oy p r s sh t th uh
    uw ux v w y z zh""".split()  # noqa: SIM905
)
"""Names that `from_radio` knows."""
_TIMIT = {
    "bcl": "b", "dcl": "d", "gcl": "g", "pcl": "p", "tcl": "t", "kcl": "k", "q": "sil", "epi": "sil", "eng": "ng",
    "ax-h": "ax",
}  # fmt: skip
"""TIMIT's names for closures and other sounds."""
_XSAMPA = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ɑβçðɛɱɣɥɪɲɬʎɯŋɔʋɒʁʃθʊʌʍχʏʒ", strict=True))
_XSAMPA |= dict(zip("123456789{}@&?g", "ɨøɜɾɫɐɤɵœæʉəɶʔɡ", strict=True))
_XSAMPA |= {
    "r\\": "ɹ", "p\\": "ɸ", "s\\": "ɕ", "z\\": "ʑ", "j\\": "ʝ", "h\\": "ɦ", "v\\": "ʋ", "x\\": "ʃ", "X\\": "ħ",
    "?\\": "ʕ", "G\\": "ɢ", "N\\": "ɴ", "R\\": "ʀ", "K\\": "ɮ", "M\\": "ɰ", "l\\": "ɾ", "I\\": "ɪ", "U\\": "ʊ",
    "t`": "ʈ", "d`": "ɖ", "s`": "ʂ", "z`": "ʐ", "n`": "ɳ", "l`": "ɭ", "r`": "ɽ", "@`": "ɚ", "3`": "ɝ", "r\\`": "ɻ",
}  # fmt: skip
"""X-SAMPA (Wells 1995) -> IPA; other lower-case letters are the same in both."""
_XSAMPA_SYMBOL = re.compile(r"r\\`|[a-zA-Z?]\\|[tdsznlr@3]`|[a-zA-Z0-9{}@&?]")
UNTRANSCRIBED = re.compile(r"spn|<.*>|\[.*\]|\{.+\}|\(.*\)|unk|nsn|noise", re.IGNORECASE)
"""A label of something that is not transcribed: an unknown word, laughter, a noise."""
SHOWN = 8
"""Most labels that a message names."""
MOST_UNKNOWN = 0.34
"""Largest share of unknown labels in a tier of phones."""


def phones_of_labels(labels: Sequence[Label]) -> tuple[Phone, ...]:
    """Translate the phone labels of one recording to the inventory of `transcript.phones`.

    The alphabet is found from all labels together. What is not transcribed (`UNTRANSCRIBED`) is left out.

    Raises:
        InputError: too many labels are not phones of any alphabet.
    """
    labels = [label for label in labels if not UNTRANSCRIBED.fullmatch(label.text)]
    translate = _alphabet(labels)
    phones: list[Phone] = []
    unknown: dict[str, int] = {}
    for label in labels:
        readings = (read(label) for read in (translate, _ipa, _radio, _xsampa))
        translated = next((reading for reading in readings if reading is not None), None)
        if translated is None:
            unknown[label.text] = unknown.get(label.text, 0) + 1
            translated = from_radio("ax", label.start, label.end)
        phones += translated
    if unknown:
        named = ", ".join(list(unknown)[:SHOWN])
        if sum(unknown.values()) > MOST_UNKNOWN * len(labels):
            raise InputError(f"not phones in ARPAbet, IPA or X-SAMPA: {named}")
        warnings.warn(f"unknown phones are taken for a neutral vowel: {named}", DiffPoseTalkWarning, stacklevel=2)
    return tuple(phones)


def are_phones(labels: Sequence[Label]) -> bool:
    """Return whether labels without a name are phones rather than words: short, and nearly all in one alphabet."""
    labels = [label for label in labels if not UNTRANSCRIBED.fullmatch(label.text)]
    if len(labels) < 2 or sum(len(label.text) for label in labels) > 2.5 * len(labels):
        return False
    if sum(label.end - label.start for label in labels) > 0.2 * len(labels):
        return False
    translate = _alphabet(labels)
    return sum(translate(label) is not None for label in labels) >= 0.9 * len(labels)


def _alphabet(labels: Sequence[Label]) -> Callable[[Label], list[Phone] | None]:
    """Return the reader of the alphabet that the labels are written in; it returns None for an unknown label."""
    known = sum(_radio(label) is not None for label in labels)
    if known >= 0.9 * len(labels):
        return _radio
    return _xsampa if all(label.text.isascii() for label in labels) else _ipa


def _radio(label: Label) -> list[Phone] | None:
    name = _TIMIT.get(label.text.lower(), label.text)
    if name.lower().rstrip("012") not in _ARPABET and name not in SILENCES and name.lower() not in SILENCES:
        return None
    return from_radio(name, label.start, label.end)


def _ipa(label: Label) -> list[Phone] | None:
    phones = from_ipa(label.text, label.start, label.end)
    unknown = bool(phones) and phones[0].symbol == "sil" and label.text not in SILENCES
    return None if unknown else phones


def _xsampa(label: Label) -> list[Phone] | None:
    if label.text in SILENCES:
        return from_radio("sil", label.start, label.end)
    text = re.sub(r"_[^_]|[\"%:~=']|<[^>]*>", "", label.text)
    symbols = _XSAMPA_SYMBOL.findall(text)
    if not symbols or "".join(symbols) != text:
        return None
    ipa = "".join(_XSAMPA.get(symbol, symbol) for symbol in symbols)
    return _ipa(Label(ipa, label.start, label.end))
