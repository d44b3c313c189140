"""Times of the phones of known English words in their sound: forced alignment by PocketSphinx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from diffposetalk.speech.transcript.phone_maps import from_radio
from diffposetalk.speech.transcript.phones import Phone, fill_silence

FRAME_S = 0.01
"""Seconds of a frame of PocketSphinx."""
_MARGIN_S = 0.2
"""Seconds of faint noise added at both ends before the alignment."""
WORST_SECOND = -45.0
"""Mean score of the frames of speech in a second, below which the words do not explain the sound there."""
_LETTERS = {
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K",
    "l": "L", "m": "M", "n": "N", "o": "AO", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V",
    "w": "W", "x": "K S", "y": "IY", "z": "Z", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "ng": "NG", "ck": "K",
    "qu": "K W", "ee": "IY", "oo": "UW", "ou": "AW", "ow": "OW", "ai": "EY", "ay": "EY",
}  # fmt: skip
"""Letters -> CMU phones, for words outside the dictionary."""
_SHORTEST_FULL_VOWEL_S = 0.065
"""Shortest vowel in seconds that is not taken for a reduced one."""


@dataclass(frozen=True)
class Alignment:
    """Words found in sound."""

    phones: tuple[Phone, ...]
    """Tile the sound; a short `ah` is taken for schwa."""
    fit: float
    """Mean acoustic score of the frames of speech: about -8 to -22, in noise down to -30; other words -29 to -60."""
    doubtful: tuple[tuple[float, float], ...] = ()
    """Seconds from and to which the words explain the sound badly (`WORST_SECOND`)."""


class Aligner:
    """PocketSphinx with its dictionary of American English; what it has aligned before changes the next results a little."""

    def __init__(self) -> None:
        """Load the acoustic model and the dictionary, in about 0.1 s.

        Raises:
            ImportError: PocketSphinx is not installed.
        """
        self._decoders = [_decoder(bestpath=True)]
        self._taught: dict[str, str] = {}
        self.guessed: list[str] = []
        """Words whose sounds were guessed from their letters."""

    def knows(self, word: str) -> bool:
        """Return whether the dictionary has a word, after teaching it plurals and possessives of words it has."""
        first = self._decoders[0]
        if first.lookup_word(word) is not None:
            return True
        base = next((word[: -len(end)] for end in ("'s", "s'", "s") if word.endswith(end)), "")
        sounds = first.lookup_word(base) if len(base) > 1 else None
        if sounds is None:
            return False
        last = sounds.split()[-1]
        ending = "S" if last in ("P", "T", "K", "F", "TH") else "Z"
        if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
            ending = "IH Z"
        self._teach(word, f"{sounds} {ending}")
        return True

    def guess(self, word: str) -> None:
        """Teach the dictionary a word with sounds guessed from its letters."""
        self._teach(word, " ".join(_spelled(word)))
        self.guessed.append(word)

    def align(self, samples: np.ndarray, words: Sequence[str]) -> Alignment | None:
        """Find the times of the phones of known words.

        Args:
            samples: ``(n,)`` float32 at 16 kHz.
            words: each is known.

        Returns:
            None where no alignment is found.
        """
        margin = np.random.default_rng(0).normal(0.0, 1e-4, int(_MARGIN_S * 16000))
        padded = np.concatenate([margin, samples, margin])
        pcm = (np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes()
        for number in range(2):  # the second decoder finds some alignments that the first does not
            decoder = self._decoders[number] if number < len(self._decoders) else self._second()
            entries = aligned_phones(decoder, pcm, words)
            if entries is None:
                continue
            phones: list[Phone] = []
            for entry in entries:
                start = entry.start * FRAME_S - _MARGIN_S
                reduced = entry.name == "AH" and entry.duration * FRAME_S < _SHORTEST_FULL_VOWEL_S
                phones += from_radio("AX" if reduced else entry.name, start, start + entry.duration * FRAME_S)
            if sum(p.symbol != "sil" for p in phones) < len(words):
                continue
            spoken = [entry for entry in entries if entry.name != "SIL" and not entry.name.startswith("+")]
            fit = sum(entry.score for entry in spoken) / sum(entry.duration for entry in spoken)
            return Alignment(fill_silence(phones, len(samples) / 16000), fit, _doubtful(spoken))
        return None

    def _teach(self, word: str, sounds: str) -> None:
        self._taught[word] = sounds
        for decoder in self._decoders:
            decoder.add_word(word, sounds, True)

    def _second(self) -> Any:
        """Load the second decoder, which searches in another way."""
        decoder = _decoder(bestpath=False)
        for word, sounds in self._taught.items():
            decoder.add_word(word, sounds, True)
        self._decoders.append(decoder)
        return decoder


@cache
def _shared() -> Aligner:
    """Return an aligner that is kept."""
    return Aligner()


def available() -> bool:
    """Return whether speech can be aligned."""
    return find_spec("pocketsphinx") is not None


def align(samples: np.ndarray, text: str) -> tuple[Phone, ...] | None:
    """Find the times of the phones of a known English sentence.

    Args:
        samples: ``(n,)`` float32 at 16 kHz.
        text: the words; each must be in the recogniser's dictionary.

    Returns:
        Phones that tile the sound, or None where a word is unknown or no alignment is found.
    """
    words = re.findall(r"[a-z']*[a-z][a-z']*", text.lower())
    if not words or not available():
        return None
    aligner = _shared()
    if not all(map(aligner.knows, words)):
        return None
    alignment = aligner.align(samples, words)
    return None if alignment is None else alignment.phones


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


def _doubtful(entries: Sequence[Any]) -> tuple[tuple[float, float], ...]:
    """Return where phones score badly together with their neighbours within half a second: seconds from and to."""
    scores = np.full((2, max(entry.start + entry.duration for entry in entries)), 0.0)
    for entry in entries:
        scores[:, entry.start : entry.start + entry.duration] = [[entry.score / entry.duration], [1.0]]
    half = round(0.5 / FRAME_S)
    sums = np.cumsum(np.pad(scores, ((0, 0), (half + 1, half))), axis=1)
    total, n_frames = sums[:, 2 * half + 1 :] - sums[:, : -2 * half - 1]
    bad = (total < WORST_SECOND * n_frames) & (scores[1] > 0)
    edges = np.flatnonzero(np.diff(np.pad(bad.astype(np.int8), 1)))
    return tuple((a * FRAME_S - _MARGIN_S, b * FRAME_S - _MARGIN_S) for a, b in edges.reshape(-1, 2).tolist())


def _spelled(word: str) -> list[str]:
    """Return CMU phones for the letters of a word, as an English reader would try them."""
    word = re.sub(r"(?<=[aeiouy][^aeiouy])e$", "", word)
    phones: list[str] = []
    for letters in re.findall(r"ch|sh|th|ph|ng|ck|qu|ee|oo|ou|ow|ai|ay|[a-z]", word):
        phones += _LETTERS[letters].split()
    return phones


def _decoder(bestpath: bool) -> Any:
    import pocketsphinx

    return pocketsphinx.Decoder(lm=None, bestpath=bestpath, loglevel="FATAL")


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
