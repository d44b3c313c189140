"""Prosody: loudness, pitch, accents and phrases of sounds whose answer is known."""

from __future__ import annotations

import numpy as np

from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.phones import Phone, fill_silence
from diffposetalk.workshop.corpus.motion.prosody import (
    RATE_HZ,
    Prosody,
    analyse,
    fundamental_hz,
    loudness_peaks,
    short_time_energy_db,
)


def tone(hz: np.ndarray | float, seconds: float, level: float = 0.3) -> np.ndarray:
    """A buzz of ten harmonics; `hz` may glide."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, round(seconds * 16000)) / 16000)
    return level * sum(np.sin(k * phase) / k for k in range(1, 11)) / 2


def test_pitch_of_tones() -> None:
    """Pitch comes out within 3 % between 90 and 250 Hz; noise and silence have none."""
    for hz in (90.0, 140.0, 250.0):
        pitch = fundamental_hz(tone(hz, 1.0), 16000, 100)[10:90]
        assert np.abs(np.median(pitch) / hz - 1) < 0.03
        assert (pitch > 0).mean() > 0.95
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    assert (fundamental_hz(noise, 16000, 100) > 0).mean() < 0.1
    assert (fundamental_hz(np.zeros(16000), 16000, 100) == 0).all()


def test_energy_in_decibels() -> None:
    """A sine of amplitude 0.1 has -23 dB; ten times less amplitude is 20 dB less."""
    sine = 0.1 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    loud, soft = (short_time_energy_db(sound, 16000)[20:80].mean() for sound in (sine, sine / 10))
    assert abs(loud + 23) < 0.5
    assert abs(loud - soft - 20) < 0.1


def test_accents_and_phrases() -> None:
    """The loud long vowel is the accent; a pause parts two phrases, of which the second rises."""
    low, high = tone(110, 0.1, 0.08), tone(150, 0.25, 0.4)
    rise = tone(np.geomspace(100, 220, 12800), 0.8, 0.2)
    samples = np.concatenate([low, high, low, np.zeros(6400), rise]).astype(np.float32)
    phones = fill_silence(
        [Phone("ax", 0, 0.1), Phone("aa", 0.1, 0.35, 1), Phone("ax", 0.35, 0.45), Phone("iy", 0.85, 1.65, 1)], 1.65
    )
    prosody = analyse(Speech(samples), phones)
    assert len(prosody.loudness) == round(1.65 * RATE_HZ) + 1
    assert any(abs(accent.time - 0.225) < 1e-6 for accent in prosody.accents)
    assert not any(accent.time in (0.05, 0.4) for accent in prosody.accents)
    assert [phrase.rising for phrase in prosody.phrases] == [False, True]
    assert np.allclose([prosody.phrases[0].end, prosody.phrases[1].start], [0.45, 0.85])


def test_silence_has_no_events() -> None:
    """Digital silence has loudness below the floor of any voice and neither accents nor phrases."""
    prosody = analyse(Speech(np.zeros(16000, np.float32)), fill_silence([], 1.0))
    assert prosody.accents == prosody.phrases == ()


def test_loud_syllables_are_found() -> None:
    """Bumps of loudness are found at their peaks; quiet ones, and a shoulder beside a louder one, are not."""
    time = np.arange(2 * RATE_HZ + 1) / RATE_HZ
    bumps = {0.4: 1.0, 0.9: 0.3, 1.3: 0.8, 1.42: 0.7}
    loudness = np.max([height * np.exp(-0.5 * ((time - at) / 0.06) ** 2) for at, height in bumps.items()], axis=0)
    peaks = loudness_peaks(Prosody(2.0, loudness, (), ()))
    assert [round(at, 1) for at, _ in peaks] == [0.4, 1.3]
    assert 1 > peaks[0][1] > peaks[1][1] > 0
    assert loudness_peaks(Prosody(2.0, np.zeros(201), (), ())) == []
