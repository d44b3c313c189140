"""Speech stays as it is; music, animals and noise become silence, at the same places whatever the blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.activity import SpeechMeter, SpeechOnly
from diffposetalk.speech.activity.silenced import AFTER, AUDIBLE_DB, BEFORE, SHORTEST, non_speech_steps

SECONDS = 4
TIMES = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE


def chords() -> np.ndarray:
    roots = 220 * 2 ** (np.array([0, 5, 7, 3]) / 12)
    bars = [
        sum(
            np.sin(2 * np.pi * root * ratio * h * TIMES[:SAMPLE_RATE]) / h
            for ratio in (1, 1.26, 1.5)
            for h in (1, 2, 3)
        )
        for root in roots
    ]
    return np.concatenate(bars)


def clucks() -> np.ndarray:
    """Short harsh calls with a falling pitch of about 900 Hz, as hens make."""
    rng, sound = np.random.default_rng(0), np.zeros(len(TIMES))
    for start in np.cumsum(rng.uniform(0.2, 0.5, 8)):
        t = np.arange(int(0.12 * SAMPLE_RATE)) / SAMPLE_RATE
        pitch = 2 * np.pi * np.cumsum(900 - 2500 * t) / SAMPLE_RATE
        call = np.sign(np.sin(pitch)) * np.sin(np.pi * t / t[-1]) * (1 + 0.3 * rng.standard_normal(len(t)))
        first = int(start * SAMPLE_RATE)
        sound[first : first + len(t)] += call[: len(sound) - first]
    return sound


OTHERS = {
    "chords": chords(),
    "clucks": clucks(),
    "white noise": np.random.default_rng(0).standard_normal(len(TIMES)),
    "hum": sum(np.sin(2 * np.pi * 50 * k * TIMES) / k for k in range(1, 6)),
}


@pytest.fixture(scope="module")
def sample(sample_path) -> Speech:
    return Speech.load(sample_path)


def read(speech: Speech, block_s: float = 1.0) -> tuple[np.ndarray, SpeechOnly]:
    stream = SpeechOnly(speech)
    return np.concatenate(list(stream.blocks(block_s))), stream


def loud(samples: np.ndarray) -> Speech:
    return Speech((0.3 * samples / np.abs(samples).max()).astype(np.float32))


def test_speech_is_left_as_it_is(sample) -> None:
    words = sample.slice(0.2, 4.0)
    samples, stream = read(words)
    assert np.array_equal(samples, words.samples)
    assert stream.non_speech_s == 0 and stream.seconds == pytest.approx(words.duration)
    assert stream.sample_rate == SAMPLE_RATE and stream.duration == words.duration


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_speech_is_silenced(kind: str) -> None:
    speech = loud(OTHERS[kind])
    samples, stream = read(speech)
    assert len(samples) == len(speech)
    assert np.square(samples).sum() < 0.05 * np.square(speech.samples).sum()
    assert stream.non_speech_s > 0.2 * SECONDS  # of the audible steps


def test_music_before_and_after_words(sample) -> None:
    words, music = sample.slice(0.26, 2.2).samples, loud(chords()).samples
    mixed = Speech(np.concatenate([music, words, music]))
    samples, _ = read(mixed)
    first, last = len(music), len(music) + len(words)
    assert np.array_equal(samples[first:last], words)
    assert not samples[: first - SAMPLE_RATE // 2].any() and not samples[last + SAMPLE_RATE :].any()
    steps = np.abs(np.diff(samples)).max()
    assert steps <= 1.2 * np.abs(np.diff(mixed.samples)).max()  # no clicks


def test_blocks_of_any_size_give_the_same(sample) -> None:
    mixed = Speech(np.concatenate([loud(chords()).samples, sample.samples[:50_001]]))
    wanted, _ = read(mixed)
    for block_s in (0.013, 0.37, 60.0):
        samples, stream = read(mixed, block_s)
        assert np.array_equal(samples, wanted)
        sizes = [len(block) for block in stream.blocks(block_s)]
        assert all(a == b for a, b in itertools.pairwise(sizes[:-1]))


def test_steps_around_a_voice_are_kept() -> None:
    probabilities, levels = np.zeros(100), np.full(100, -20.0)
    probabilities[40:44] = 0.9
    probabilities[80 : 80 + SHORTEST - 1] = 0.9  # too short
    silent = non_speech_steps(probabilities, levels)
    assert np.flatnonzero(~silent).tolist() == list(range(40 - BEFORE, 44 + AFTER))
    levels[:10] = AUDIBLE_DB - 1
    assert not non_speech_steps(probabilities, levels)[:10].any()


def test_the_meter_counts_and_changes_nothing(sample) -> None:
    mixed = Speech(np.concatenate([loud(chords()).samples, sample.samples[:50_001]]))
    _, only = read(mixed)
    meter = SpeechMeter(mixed)
    samples = np.concatenate(list(meter.blocks()))
    assert np.array_equal(samples, mixed.samples)
    assert meter.non_speech_s == only.non_speech_s > 0.2 * SECONDS and meter.seconds == pytest.approx(mixed.duration)


def test_another_rate_is_refused(sample) -> None:
    with pytest.raises(UsageError, match="16000"):
        SpeechOnly(sample.resampled(8000))
