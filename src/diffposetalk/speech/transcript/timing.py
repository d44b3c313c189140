"""When the phones of a transcript are said, by forced alignment with the sound."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, DiffPoseTalkWarning, InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.activity.voice import VoiceDetector, voice_spans
from diffposetalk.speech.transcript import alignment
from diffposetalk.speech.transcript.phones import SYMBOL_INDEX, Phone, check_phones, fill_silence, shift_phones
from diffposetalk.speech.transcript.reading import PHRASE_GAP_S, Phrase, Transcript
from diffposetalk.speech.transcript.words import plain, words_of

SAMPLE_RATE = 16000
"""Hz of the speech that is aligned."""
MARGIN_S = 0.25
"""Seconds before and after a phrase's own time in which it is searched for."""
LONGEST_TEXT_S = 180.0
"""Longest speech for text without times, seconds."""
LONGEST_GROUP_S = 20.0
"""Length up to which phrases without a pause between them are searched for together, seconds."""
LABEL_HZ = 50
"""Phone numbers per second."""
LONGEST_ONSET_S = 0.2
"""A stop after a pause that is aligned longer has swallowed the pause, seconds."""
ONSET_S = 0.09
"""Length that such a stop keeps, seconds."""
LONGEST_PHONE_S = 1.0
"""A longer phone covers sound that the words do not explain, seconds."""
WORST_FIT = -32.0
"""Words that fit worse (`Alignment.fit`) are not those of the sound."""
POOR_FIT = -26.0
"""Words that fit worse are perhaps those of another sound, or the sound is noisy."""
MOST_LETTERS_PER_S = 40.0
"""More letters a second than this nobody says; 14 are usual."""
UNTOLD_S = 0.5
"""Voice in a pause of the transcript that is longer is speech that the transcript lacks, seconds."""
WARNED_S = 1.0
"""Such speech of this length together gives a warning, seconds, ..."""
WARNED_SHARE = 0.1
"""... if it is this share of the whole."""
BEYOND_S = 0.5
"""Phones that go on longer than this after the speech give a warning, seconds."""
_PIECE = 60 * SAMPLE_RATE
"""Samples that the voice detector sees at a time."""
SHOWN = 8
"""Most words that a message names."""


@dataclass(frozen=True)
class TimedPhones:
    """The phones of a transcript in its speech."""

    phones: tuple[Phone, ...]
    """Tile the speech."""
    unknown: tuple[tuple[float, float], ...] = ()
    """Seconds from and to which the transcript does not tell what is said, so that the sound alone counts. In order."""


def timed_phones(transcript: Transcript, samples: np.ndarray) -> TimedPhones:
    """Find the phones of a transcript in its speech.

    Words must be English. Those that the dictionary does not know are guessed from their letters, with a warning.
    Transcripts with phones, such as the Montreal Forced Aligner writes, may be in any language and need no alignment.
    What is not found is left out with a warning, as long as something is found.

    Args:
        transcript: what is said.
        samples: ``(n,)`` float32 at 16 kHz.

    Raises:
        InputError: the phones do not fit the speech, or the words are not found in it.
        DiffPoseTalkError: PocketSphinx, which finds the times of words, is not installed.
    """
    duration = len(samples) / SAMPLE_RATE
    if transcript.phones:
        timed = _given(transcript, duration)
    else:
        timed = _aligned(transcript, samples)
    untold = _voice_in_pauses(timed, samples)
    missing_s = sum(end - start for start, end in untold)
    if missing_s > max(WARNED_S, WARNED_SHARE * duration):
        _warn(
            f"{transcript.name}: {missing_s:.1f} of {duration:.1f} s of speech are not in the transcript; the lips follow "
            "the sound alone there"
        )
    return TimedPhones(timed.phones, _joined((*timed.unknown, *untold)))


def _given(transcript: Transcript, duration: float) -> TimedPhones:
    """Return the phones of a transcript that has their times."""
    with parsing(transcript.name, "transcript"):
        if transcript.phones[0].start > duration:
            raise InputError(f"{transcript.name}: the transcript begins after the speech ends ({duration:.1f} s)")
        check_phones(transcript.phones)
    if (rest_s := transcript.phones[-1].end - duration) > BEYOND_S:
        _warn(
            f"{transcript.name}: the transcript goes on for {rest_s:.1f} s after the speech; is it of another recording?"
        )
    return TimedPhones(fill_silence(transcript.phones, duration), transcript.unknown)


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


def groups_of(phrases: Sequence[Phrase]) -> list[list[Phrase]]:
    """Group phrases in order of time that follow each other without a pause, or overlap, as captions do.

    Only the sound tells where one of them ends and the next begins. Phrases without words are left out.
    """
    groups: list[list[Phrase]] = []
    for phrase in phrases:
        if not any(letter.isalnum() for letter in plain(phrase.text)):
            continue
        last = groups[-1] if groups else []
        if last and phrase.start is not None and (joined := _whole([*last, phrase])).start is not None:
            pause_s = phrase.start - max(each.end or 0.0 for each in last)
            if pause_s < PHRASE_GAP_S and (joined.end or 0.0) - joined.start <= LONGEST_GROUP_S:
                last.append(phrase)
                continue
        groups.append([phrase])
    return groups


def _aligned(transcript: Transcript, samples: np.ndarray) -> TimedPhones:
    """Find the phrases of a transcript in the sound."""
    if not alignment.available():
        raise DiffPoseTalkError(
            "a transcript without phones needs PocketSphinx: pip install 'diffposetalk[transcript]'"
        )
    name, duration = transcript.name, len(samples) / SAMPLE_RATE
    aligner = alignment.Aligner()  # a fresh one, so that the same transcript always gives the same phones
    phones: list[Phone] = []
    known: list[tuple[float, float]] = []
    doubtful: list[tuple[float, float]] = []
    left_out: list[tuple[Phrase, str]] = []
    poor: list[Phrase] = []
    for group in groups_of(transcript.phrases):
        for phrase, result in _group_phones(aligner, group, samples):
            if isinstance(result, str):
                left_out.append((phrase, result))
                continue
            phones += result.phones
            doubtful += result.doubtful
            if result.fit < POOR_FIT:
                poor.append(phrase)
            start, end = phrase.start or 0.0, duration if phrase.end is None else phrase.end
            known.append((min(start, result.phones[0].start), max(end, result.phones[-1].end)))
    if not phones:
        phrase, reason = left_out[0] if left_out else (Phrase(""), "the transcript has no words")
        raise InputError(f"{name}: {reason}: {_shown(phrase)}" if left_out else f"{name}: {reason}")
    if left_out:
        phrase, reason = left_out[0]
        counted = "1 phrase is" if len(left_out) == 1 else f"{len(left_out)} phrases are"
        _warn(f"{name}: {counted} left out, the lips follow the sound alone there: {reason}: {_shown(phrase)}")
    if poor:
        counted = "words" if len(poor) == 1 else f"the words of {len(poor)} phrases"
        _warn(f"{name}: {counted} fit the sound poorly; is it noisy, or another recording? {_shown(poor[0])}")
    if aligner.guessed:
        more = len(aligner.guessed) - SHOWN
        guessed = ", ".join(aligner.guessed[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        _warn(f"{name}: the sounds of {guessed} are guessed from the letters")
    unknown = (*_gaps(_joined(known), duration), *doubtful)
    return TimedPhones(fill_silence(_in_order(phones), duration), _joined(unknown))


def _group_phones(
    aligner: alignment.Aligner, group: Sequence[Phrase], samples: np.ndarray
) -> list[tuple[Phrase, alignment.Alignment | str]]:
    """Find the phones of a group together; if that fails, of each phrase alone. A text says why one is not found."""
    result = _phrase_phones(aligner, _whole(group), samples)
    if isinstance(result, str) and len(group) > 1:
        return [(phrase, _phrase_phones(aligner, phrase, samples)) for phrase in group]
    return [(_whole(group), result)]


def _phrase_phones(aligner: alignment.Aligner, phrase: Phrase, samples: np.ndarray) -> alignment.Alignment | str:
    """Find the phones of a phrase, without pauses; return the reason where they are not found."""
    whole = len(samples) / SAMPLE_RATE
    if phrase.start is None and whole > LONGEST_TEXT_S:
        return (
            f"the speech lasts {whole:.0f} s, too long to find text without times in it (at most {LONGEST_TEXT_S:.0f} s); "
            "give captions (.srt, .vtt) or words with times"
        )
    start = 0.0 if phrase.start is None else max(0.0, phrase.start - MARGIN_S)
    end = whole if phrase.end is None else min(whole, phrase.end + MARGIN_S)
    if start >= whole - MARGIN_S and phrase.start is not None:
        return f"begins after the speech ends ({whole:.1f} s)"
    try:
        words = words_of(phrase.text, aligner.knows)
    except InputError as error:
        return str(error)
    if sum(map(len, words)) > MOST_LETTERS_PER_S * (end - start):
        return f"too many words for {end - start:.1f} s"
    for word in dict.fromkeys(words):
        if not aligner.knows(word):
            aligner.guess(word)
    aligned = aligner.align(samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], words)
    if aligned is None:
        return "the words are not found in the sound"
    if aligned.fit < WORST_FIT:
        return "the words do not fit the sound"
    doubtful = tuple((first + start, last + start) for first, last in aligned.doubtful)
    return replace(aligned, phones=shift_phones(without_swallowed_pauses(aligned.phones), start), doubtful=doubtful)


def _voice_in_pauses(timed: TimedPhones, samples: np.ndarray) -> list[tuple[float, float]]:
    """Return where somebody speaks while the transcript has a pause, or one phone for far too long."""
    pauses = [(phone.start, phone.end) for phone in timed.phones if phone.symbol == "sil" and phone.duration > UNTOLD_S]
    untold = [
        (phone.start, phone.end) for phone in timed.phones if phone.symbol != "sil" and phone.duration > LONGEST_PHONE_S
    ]
    if pauses:
        spoken = voice_spans(_voice(samples))
        both = ((max(start, first), min(end, last)) for start, end in pauses for first, last in spoken)
        untold += [(start, end) for start, end in both if end - start > UNTOLD_S]
    return sorted(untold)


def _voice(samples: np.ndarray) -> np.ndarray:
    """Return `voice_probabilities`, found piece by piece, so that hours of speech fit into memory."""
    detector = VoiceDetector()
    pieces = (samples[first : first + _PIECE] for first in range(0, len(samples), _PIECE))
    return np.concatenate([*map(detector.push, pieces), detector.finish()])


def _whole(group: Sequence[Phrase]) -> Phrase:
    """Join phrases to one."""
    starts = [phrase.start for phrase in group if phrase.start is not None]
    ends = [phrase.end for phrase in group if phrase.end is not None]
    text = " ".join(phrase.text for phrase in group)
    return Phrase(text, min(starts, default=None), max(ends, default=None))


def _joined(spans: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return spans in order, with those joined that overlap."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _gaps(spans: Sequence[tuple[float, float]], duration: float) -> tuple[tuple[float, float], ...]:
    """Return what lies between spans in order, from 0 to the duration."""
    edges = [(0.0, 0.0), *spans, (duration, duration)]
    return tuple((end, start) for (_, end), (start, _) in pairwise(edges) if start > end)


def _in_order(phones: Sequence[Phone]) -> list[Phone]:
    """Drop what begins before the phone before it has begun, where margins of phrases overlap."""
    ordered: list[Phone] = []
    for phone in phones:
        if not ordered or phone.start >= ordered[-1].start + 1e-3:
            ordered.append(phone)
    return ordered


def _warn(message: str) -> None:
    warnings.warn(message, DiffPoseTalkWarning, stacklevel=3)


def _shown(phrase: Phrase) -> str:
    text = " ".join(phrase.text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")
