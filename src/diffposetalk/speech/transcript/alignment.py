"""Times of the phones of known English words in their sound: forced alignment by PocketSphinx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from diffposetalk.speech.transcript.phone_maps import from_radio
from diffposetalk.speech.transcript.phones import Phone, fill_silence

FRAME_S = 0.01
"""Seconds of a frame of PocketSphinx."""
_MARGIN_S = 0.2
"""Seconds of faint noise added at both ends before the alignment."""
_LETTERS = {
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K",
    "l": "L", "m": "M", "n": "N", "o": "AO", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V",
    "w": "W", "x": "K S", "y": "IY", "z": "Z", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "ng": "NG", "ck": "K",
    "qu": "K W", "ee": "IY", "oo": "UW", "ou": "AW", "ow": "OW", "ai": "EY", "ay": "EY",
}  # fmt: skip
"""Letters -> CMU phones, for words outside the dictionary."""
_SHORTEST_FULL_VOWEL_S = 0.065
"""Shortest vowel in seconds that is not taken for a reduced one."""


@cache
def _decoder() -> Any | None:
    """Return a PocketSphinx decoder without a grammar, or None if the package is missing."""
    try:
        import pocketsphinx
    except ImportError:
        return None
    return pocketsphinx.Decoder(lm=None, loglevel="FATAL")


def available() -> bool:
    """Return whether speech can be aligned."""
    return _decoder() is not None


def align(samples: np.ndarray, text: str) -> tuple[Phone, ...] | None:
    """Find the times of the phones of a known English sentence.

    Args:
        samples: `(n,)` float32 at 16 kHz.
        text: the words; each must be in the recogniser's dictionary.

    Returns:
        Phones that tile the sound (a short `ah` is taken for schwa), or None where a word is unknown or no
        alignment is found.
    """
    decoder = _decoder()
    if decoder is None:
        return None
    words = _words(text)
    if not words or not all(_known(decoder, word) for word in words):
        return None
    margin = np.random.default_rng(0).normal(0.0, 1e-4, int(_MARGIN_S * 16000))
    padded = np.concatenate([margin, samples, margin])
    pcm = (np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes()
    entries = aligned_phones(decoder, pcm, words)
    if entries is None:
        return None
    phones: list[Phone] = []
    for entry in entries:
        start = entry.start * FRAME_S - _MARGIN_S
        reduced = entry.name == "AH" and entry.duration * FRAME_S < _SHORTEST_FULL_VOWEL_S
        phones += from_radio("AX" if reduced else entry.name, start, start + entry.duration * FRAME_S)
    if sum(p.symbol != "sil" for p in phones) < len(words):
        return None
    return fill_silence(phones, len(samples) / 16000)


def aligned_phones(decoder: Any, pcm: bytes, words: Sequence[str]) -> list[Any] | None:
    """Align known words, then their phones.

    Args:
        decoder: of PocketSphinx.
        pcm: sound, 16 bits at 16 kHz.
        words: each in the decoder's dictionary.

    Returns:
        PocketSphinx's entries of the phones in order (``name``, ``start`` and ``duration`` in frames of 10 ms); None
        where no alignment was found.
    """
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, pcm)
        if decoder.hyp() is None:
            return None
        decoder.set_alignment()
        _decode(decoder, pcm)
        alignment = decoder.get_alignment()
    except RuntimeError:
        return None
    return None if alignment is None else [phone for word in alignment for phone in word]


def guess_unknown(text: str) -> list[str]:
    """Teach the dictionary the words of a text that it does not know, with sounds guessed from their letters.

    Returns:
        Those words.
    """
    decoder = _decoder()
    assert decoder is not None
    guessed = []
    for word in dict.fromkeys(_words(text)):
        if not _known(decoder, word):
            decoder.add_word(word, " ".join(_spelled(word)), True)
            guessed.append(word)
    return guessed


def _words(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return re.findall(r"[a-z']*[a-z][a-z']*", text.lower())


def _spelled(word: str) -> list[str]:
    """Return CMU phones for the letters of a word, as an English reader would try them."""
    phones: list[str] = []
    for letters in re.findall(r"ch|sh|th|ph|ng|ck|qu|ee|oo|ou|ow|ai|ay|[a-z]", word):
        phones += _LETTERS[letters].split()
    return phones


def _known(decoder: Any, word: str) -> bool:
    """Return whether the dictionary has a word, after teaching it the possessive of a word it has."""
    if decoder.lookup_word(word) is not None:
        return True
    base = decoder.lookup_word(word[:-2]) if word.endswith("'s") else None
    if base is None:
        return False
    last = base.split()[-1]
    ending = "S" if last in ("P", "T", "K", "F", "TH") else "Z"
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        ending = "IH Z"
    decoder.add_word(word, f"{base} {ending}", True)
    return True


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
