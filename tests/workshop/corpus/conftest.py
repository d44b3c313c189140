"""Made-up speech with known phones, so that no speech engine is needed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.phones import Phone

Said = tuple[Speech, tuple[Phone, ...]]


def _say(words: str, seconds: float = 0.1, hz: float = 120.0) -> Said:
    clock, phones = 0.0, []
    for word in words.split():
        symbol, _, length = word.partition(":")
        stress = int(symbol.endswith("'"))
        end = clock + float(length or seconds)
        phones.append(Phone(symbol.rstrip("'"), clock, end, stress))
        clock = end
    time = np.arange(round(clock * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 9))
    hiss = np.random.default_rng(0).normal(0, 0.05, len(time))
    samples = np.zeros(len(time))
    for phone in phones:
        span = slice(round(phone.start * SAMPLE_RATE), round(phone.end * SAMPLE_RATE))
        if phone.features.vowel:
            samples[span] = (0.25 if phone.stress else 0.12) * buzz[span]
        elif phone.symbol != "sil":
            samples[span] = 0.04 * buzz[span] if phone.features.voiced else hiss[span]
    return Speech(samples.astype(np.float32)), tuple(phones)


@pytest.fixture(scope="session")
def say() -> Callable[..., Said]:
    """A function from phones in words to sound and phones.

    ``say("sil:0.5 m aa':0.2", seconds=0.1)``: a colon gives a phone its length, an apostrophe its stress. Vowels buzz
    with the pitch ``hz``, stressed ones louder, voiceless consonants hiss.
    """
    return _say
