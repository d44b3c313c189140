"""Phones of known words in the bundled sample of speech."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript import alignment
from diffposetalk.speech.transcript.alphabets import phones_of_labels
from diffposetalk.speech.transcript.labels import Label
from diffposetalk.speech.transcript.phones import Phone, check_phones
from diffposetalk.speech.transcript.reading import Phrase, Transcript
from diffposetalk.speech.transcript.timing import groups_of, phone_labels, timed_phones, without_swallowed_pauses

pocketsphinx = pytest.importorskip("pocketsphinx", reason="PocketSphinx is not installed")


@pytest.fixture(scope="module")
def said() -> tuple[np.ndarray, str]:
    flite = pytest.importorskip("diffposetalk.workshop.corpus.engines.flite")
    from diffposetalk.workshop.corpus.engines.base import Line

    engine = flite.Flite()
    voices = engine.voices()
    if not voices:
        pytest.skip("flite is not installed: no speech with known times")
    text = "My big brother makes apple pie."
    output = engine.speak(voices[0], [Line(text, 1.0, 1.0)])[0]
    return Speech(output.samples, output.sample_rate).resampled(16000).samples, text


def closures(phones: tuple[Phone, ...]) -> list[str]:
    return [phone.symbol for phone in phones if phone.features.bilabial]


def test_words_are_found(said: tuple[np.ndarray, str]) -> None:
    samples, text = said
    phones = timed_phones(Transcript.of_text(text), samples).phones
    check_phones(phones, len(samples) / 16000)
    assert closures(phones) == ["m", "b", "b", "m", "p", "p"]
    captioned = Transcript("captions", (Phrase(text, 0.0, len(samples) / 16000),))
    later = np.concatenate([np.zeros(16000, np.float32), samples])
    moved = timed_phones(Transcript("captions", (Phrase(text, 1.0, len(later) / 16000),)), later).phones
    first, first_moved = (
        next(p for p in each if p.symbol != "sil") for each in (timed_phones(captioned, samples).phones, moved)
    )
    assert first_moved.start - first.start == pytest.approx(1.0, abs=0.08)


def test_unknown_words_are_guessed_with_a_warning(said: tuple[np.ndarray, str]) -> None:
    samples, text = said
    with pytest.warns(DiffPoseTalkWarning, match="bruther"):
        phones = timed_phones(Transcript.of_text(text.replace("brother", "bruther")), samples).phones
    assert closures(phones) == ["m", "b", "b", "m", "p", "p"]


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        (Phrase("Привет"), "only English words"),
        (Phrase("I have 3 apples"), "numbers as words"),
        (Phrase("hello", 100.0, 101.0), "after the speech ends"),
        (Phrase("hello " * 10), "too many words for 1.0 s"),
        (Phrase("a" * 10_000_000), "too many words for 1.0 s"),
        (Phrase("... [music]"), "no words"),
    ],
)
def test_what_cannot_be_found_is_one_line(phrase: Phrase, message: str) -> None:
    with pytest.raises(InputError, match=message):
        timed_phones(Transcript("talk.txt", (phrase,)), np.zeros(16000, np.float32))


def test_other_words_are_refused(said: tuple[np.ndarray, str]) -> None:
    samples, _ = said
    with pytest.raises(InputError, match=r"talk\.txt: the words (do not fit|are not found in) the sound"):
        timed_phones(Transcript("talk.txt", (Phrase("She sells sea shells on the shore."),)), samples)


def test_speech_that_the_text_lacks_is_left_to_the_sound(said: tuple[np.ndarray, str]) -> None:
    samples, text = said
    twice = np.concatenate([samples, np.zeros(8000, np.float32), samples])
    half = len(samples) / 16000
    with pytest.warns(DiffPoseTalkWarning, match="of speech are not in the transcript"):
        timed = timed_phones(Transcript.of_text(text), twice)
    assert sum(end - start for start, end in timed.unknown) == pytest.approx(half, abs=0.5)


def test_noise_is_warned_of(said: tuple[np.ndarray, str]) -> None:
    samples, text = said
    noise = np.random.default_rng(0).normal(0, 1, len(samples)).astype(np.float32)
    quiet, loud = (samples + noise * samples.std() * level for level in (0.01, 0.4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        timed_phones(Transcript.of_text(text), quiet)
    with pytest.warns(DiffPoseTalkWarning, match="fit the sound poorly"):
        timed_phones(Transcript.of_text(text), loud)


def test_phones_that_score_badly_together_are_doubtful() -> None:
    scores = [-10] * 15 + [-60] * 15 + [-10] * 15
    entries = [SimpleNamespace(start=20 + 10 * k, duration=10, score=10 * score) for k, score in enumerate(scores)]
    ((start, end),) = alignment._doubtful(entries)
    assert (start, end) == (pytest.approx(1.5, abs=0.3), pytest.approx(3.0, abs=0.3))
    assert alignment._doubtful(entries[:15]) == ()


def test_what_is_not_found_is_left_out_with_a_warning(said: tuple[np.ndarray, str]) -> None:
    samples, text = said
    duration = len(samples) / 16000
    later = np.concatenate([samples, np.zeros(16000, np.float32), samples])
    phrases = (
        Phrase(text, 0.0, duration),
        Phrase("Printing 1961 books", duration + 1.0, 2 * duration),
        Phrase("By me", 100.0, 101.0),
    )
    with pytest.warns(DiffPoseTalkWarning) as warned:
        timed = timed_phones(Transcript("talk.srt", phrases), later)
    messages = [str(each.message) for each in warned]
    assert any("2 phrases are left out" in each and "numbers as words" in each for each in messages)
    assert any("of speech are not in the transcript" in each for each in messages)
    assert closures(timed.phones) == ["m", "b", "b", "m", "p", "p"]
    assert timed.unknown[-1] == (pytest.approx(duration, abs=0.3), pytest.approx(len(later) / 16000))


def test_the_same_transcript_always_gives_the_same_phones(said: tuple[np.ndarray, str]) -> None:
    samples, text = said
    first = timed_phones(Transcript.of_text(text), samples)
    timed_phones(Transcript.of_text(text), samples * 0.2)
    assert timed_phones(Transcript.of_text(text), samples) == first


def test_phrases_without_a_pause_are_searched_for_together() -> None:
    phrases = [Phrase("a", 0.0, 2.0), Phrase("", 2.0, 3.0), Phrase("b", 1.5, 4.0), Phrase("c", 5.0, 6.0)]
    phrases += [Phrase("d", 6.1, 30.0), Phrase("e", 30.0, 31.0)]
    assert [[each.text for each in group] for group in groups_of(phrases)] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert [len(group) for group in groups_of([Phrase("a"), Phrase("b")])] == [1, 1]


def test_phones_after_the_speech_are_warned_of() -> None:
    phones = (Phone("m", 0.1, 0.2), Phone("aa", 1.5, 2.0))
    with pytest.warns(DiffPoseTalkWarning, match=r"goes on for 1\.0 s after the speech"):
        timed_phones(Transcript("a.TextGrid", phones=phones), np.zeros(16000, np.float32))
    with pytest.raises(InputError, match=r"a\.TextGrid: phone 1"):
        timed_phones(Transcript("a.TextGrid", phones=phones[::-1]), np.zeros(32000, np.float32))


def test_phones_need_no_alignment() -> None:
    phones = phones_of_labels([Label("HH", 0.5, 0.6), Label("AY1", 0.6, 0.9), Label("ʃ", 0.9, 1.0)])
    timed = timed_phones(Transcript("a", phones=phones), np.zeros(32000, np.float32)).phones
    assert [phone.symbol for phone in timed] == ["sil", "hh", "ay", "sh", "sil"]
    with pytest.raises(InputError, match="begins after the speech"):
        timed_phones(Transcript("a", phones=phones), np.zeros(1600, np.float32))


def test_labels_at_fifty_a_second() -> None:
    numbers = phone_labels([Phone("sil", 0.0, 0.1), Phone("aa", 0.1, 0.2)], 10)
    assert (numbers[:5] == 0).all() and (numbers[5:] > 0).all() and len(set(numbers[5:])) == 1


def test_a_stop_gives_back_the_pause_before_it() -> None:
    phones = [Phone("sil", 0.0, 0.03), Phone("b", 0.03, 0.74), Phone("ih", 0.74, 0.81), Phone("t", 0.81, 1.11)]
    shortened = without_swallowed_pauses(phones)
    assert [(phone.symbol, round(phone.start, 2)) for phone in shortened] == [("b", 0.65), ("ih", 0.74), ("t", 0.81)]


def test_sample_path_is_speech(sample_path: Path) -> None:
    with pytest.raises(InputError, match="begins after the speech ends"):
        timed_phones(Transcript("a", (Phrase("hello", 1e6, 1e6 + 1),)), Speech.load(sample_path).samples)
