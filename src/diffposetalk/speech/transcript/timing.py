"""When the phones of a transcript are said, by forced alignment with the sound."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Sequence

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, DiffPoseTalkWarning, InputError
from diffposetalk.speech.transcript import alignment
from diffposetalk.speech.transcript.phones import SYMBOL_INDEX, Phone, check_phones, fill_silence, shift_phones
from diffposetalk.speech.transcript.reading import Phrase, Transcript

SAMPLE_RATE = 16000
"""Hz of the speech that is aligned."""
MARGIN_S = 0.25
"""Seconds before and after a phrase's own time in which it is searched for."""
LONGEST_TEXT_S = 180.0
"""Longest speech for text without times, seconds."""
LABEL_HZ = 50
"""Phone numbers per second."""
LONGEST_ONSET_S = 0.2
"""A stop after a pause that is aligned longer has swallowed the pause, seconds."""
ONSET_S = 0.09
"""Length that such a stop keeps, seconds."""


def timed_phones(transcript: Transcript, samples: np.ndarray) -> tuple[Phone, ...]:
    """Find the phones of a transcript in its speech.

    Words must be English. Those that the dictionary does not know are guessed from their letters, with a warning.
    Transcripts with phones, such as the Montreal Forced Aligner writes, may be in any language and need no alignment.

    Args:
        transcript: what is said.
        samples: ``(n,)`` float32 at 16 kHz.

    Returns:
        Phones that tile the speech.

    Raises:
        InputError: the phones do not fit the speech, or the words are not found in it.
        DiffPoseTalkError: PocketSphinx, which finds the times of words, is not installed.
    """
    duration = len(samples) / SAMPLE_RATE
    if transcript.phones:
        if transcript.phones[0].start > duration:
            raise InputError(f"{transcript.name}: the transcript begins after the speech ends ({duration:.1f} s)")
        check_phones(transcript.phones)
        return fill_silence(transcript.phones, duration)
    if not alignment.available():
        raise DiffPoseTalkError(
            "a transcript without phones needs PocketSphinx: pip install 'diffposetalk[transcript]'"
        )
    phones: list[Phone] = []
    for phrase in transcript.phrases:
        phones += _phrase_phones(transcript.name, phrase, samples)
    return fill_silence(_in_order(phones), duration)


def phone_labels(phones: Sequence[Phone], n_steps: int) -> np.ndarray:
    """Return the number of the phone at the middle of each 20 ms step: ``(n_steps,)`` int64."""
    times = (np.arange(n_steps) + 0.5) / LABEL_HZ
    ends = np.array([phone.end for phone in phones])
    index = np.minimum(np.searchsorted(ends, times, side="right"), len(phones) - 1)
    return np.array([SYMBOL_INDEX[phone.symbol] for phone in phones], np.int64)[index]


def without_swallowed_pauses(phones: Sequence[Phone]) -> list[Phone]:
    """Shorten stops that follow a pause and are aligned with a part of it, as PocketSphinx does before p, b, t, d, k, g.

    Pauses are left out.
    """
    shortened: list[Phone] = []
    for phone in phones:
        after_pause = not shortened or shortened[-1].symbol == "sil"
        if phone.features.stop and after_pause and phone.duration > LONGEST_ONSET_S:
            phone = Phone(phone.symbol, phone.end - ONSET_S, phone.end, phone.stress)
        shortened.append(phone)
    return [phone for phone in shortened if phone.symbol != "sil"]


def _phrase_phones(name: str, phrase: Phrase, samples: np.ndarray) -> list[Phone]:
    """Find the phones of a phrase; without words there are none."""
    text = "".join(c for c in unicodedata.normalize("NFKD", phrase.text) if not unicodedata.combining(c))
    text = text.replace("\u2019", "'")
    if not re.search(r"[a-zA-Z]", text):
        if re.search(r"[^\W\d_]", text):
            raise InputError(
                f"{name}: only English words can be found in the sound, not {phrase.text.strip()[:40]!r}; give a TextGrid "
                "with phones, such as the Montreal Forced Aligner writes"
            )
        return []
    whole = len(samples) / SAMPLE_RATE
    if phrase.start is None and whole > LONGEST_TEXT_S:
        raise InputError(
            f"{name}: the speech lasts {whole:.0f} s, too long to find text without times in it (at most "
            f"{LONGEST_TEXT_S:.0f} s); give captions (.srt, .vtt) or words with times"
        )
    start = 0.0 if phrase.start is None else max(0.0, phrase.start - MARGIN_S)
    end = whole if phrase.end is None else min(whole, phrase.end + MARGIN_S)
    if start >= end:
        raise InputError(f"{name}: {_shown(phrase)} begins after the speech ends ({whole:.1f} s)")
    if re.search(r"\d", text):
        raise InputError(f"{name}: write numbers as words: {_shown(phrase)}")
    guessed = alignment.guess_unknown(text)
    if guessed:
        warnings.warn(
            f"{name}: the sounds of {', '.join(guessed)} are guessed from the letters",
            DiffPoseTalkWarning,
            stacklevel=2,
        )
    piece = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    phones = alignment.align(piece, text)
    if phones is None:
        raise InputError(f"{name}: the words are not found in the sound: {_shown(phrase)}")
    return list(shift_phones(without_swallowed_pauses(phones), start))


def _in_order(phones: Sequence[Phone]) -> list[Phone]:
    """Drop what begins before the phone before it has begun, where margins of phrases overlap."""
    ordered: list[Phone] = []
    for phone in phones:
        if not ordered or phone.start >= ordered[-1].start + 1e-3:
            ordered.append(phone)
    return ordered


def _shown(phrase: Phrase) -> str:
    text = " ".join(phrase.text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")
