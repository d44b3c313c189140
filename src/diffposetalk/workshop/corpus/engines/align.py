"""Phone times for English speech of engines that give none: forced alignment by PocketSphinx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from diffposetalk.workshop.corpus.language.phone_maps import from_radio
from diffposetalk.workshop.corpus.language.phones import Phone, fill_silence

FRAME_S = 0.01
"""Seconds of a frame of PocketSphinx."""
_MARGIN_S = 0.2
"""Seconds of faint noise added at both ends before the alignment."""
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
    words = re.findall(r"[a-z']+", text.lower())
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
