"""Loudness, pitch, accents, phrases and pauses of speech with known phone times: the input of face and head motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.phones import Phone

RATE_HZ = 100
"""Values of a curve in a second."""
PAUSE_S = 0.2
"""A silence at least this long ends a phrase."""
SYLLABLE_LOUDNESS = 0.5
"""Loudness above which a peak counts as a syllable that somebody may underline with the head."""
_F0_RANGE_HZ = (65.0, 420.0)
"""Lowest and highest pitch that is looked for."""


@dataclass(frozen=True)
class Accent:
    """A prominent syllable."""

    time: float
    """Seconds: middle of its vowel."""
    strength: float
    """0 to 1."""


@dataclass(frozen=True)
class Phrase:
    """Speech between two pauses."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    rising: bool
    """Whether the pitch rises at the end, as in many questions."""


@dataclass(frozen=True)
class Prosody:
    """Loudness, accents and phrases of speech. Curves have ``RATE_HZ`` values per second."""

    duration: float
    """Seconds."""
    loudness: np.ndarray
    """``(N,)`` 0 = silence (40 dB under the clip's loud parts), 1 = as loud as its loudest 5 %; at most 1.2."""
    accents: tuple[Accent, ...]
    """Prominent syllables in order."""
    phrases: tuple[Phrase, ...]
    """Phrases in order."""


def analyse(speech: Speech, phones: Sequence[Phone]) -> Prosody:
    """Measure the prosody of speech whose phones are known.

    Args:
        speech: the sound.
        phones: covering it without gaps (`phones.fill_silence`).

    Returns:
        Curves at ``RATE_HZ`` and events.
    """
    duration = len(speech.samples) / speech.sample_rate
    energy_db = short_time_energy_db(speech.samples, speech.sample_rate)
    n = len(energy_db)
    is_speech = np.zeros(n, bool)
    for phone in phones:
        if phone.symbol != "sil":
            is_speech[int(phone.start * RATE_HZ) : int(phone.end * RATE_HZ) + 1] = True
    reference = np.percentile(energy_db[is_speech], 95) if is_speech.any() else 0.0
    loudness = np.clip((energy_db - reference) / 40 + 1, 0, 1.2)
    f0 = fundamental_hz(speech.samples, speech.sample_rate, n)
    return Prosody(duration, loudness, _accents(phones, loudness, f0), _phrases(phones, f0))


def loudness_peaks(prosody: Prosody) -> list[tuple[float, float]]:
    """Find the loud syllables: peaks of the loudness, smoothed over about 0.1 s.

    Returns:
        Time in seconds and height above the threshold `SYLLABLE_LOUDNESS` as a share of what is possible, 0 to 1, of
        each peak in order; the highest within 0.15 s on either side.
    """
    width = 0.04 * RATE_HZ
    kernel = np.exp(-0.5 * (np.arange(-15, 16) / width) ** 2)
    smooth = np.convolve(np.pad(prosody.loudness, 15, mode="edge"), kernel / kernel.sum(), "valid")
    reach = round(0.15 * RATE_HZ)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(smooth, reach, constant_values=-1), 2 * reach + 1).max(-1)
    rising = smooth > np.concatenate([[np.inf], smooth[:-1]])
    peaks = np.flatnonzero((smooth >= around) & rising & (smooth > SYLLABLE_LOUDNESS))
    heights = np.clip((smooth[peaks] - SYLLABLE_LOUDNESS) / (1 - SYLLABLE_LOUDNESS), 0, 1)
    return [(peak / RATE_HZ, float(height)) for peak, height in zip(peaks, heights)]


def short_time_energy_db(samples: np.ndarray, sample_rate: int, window_s: float = 0.025) -> np.ndarray:
    """Return the power in dB (full scale 0, floor -90) in Hann windows centred on every hundredth of a second."""
    hop = sample_rate // RATE_HZ
    n = len(samples) // hop + 1
    width = int(window_s * sample_rate) // 2 * 2
    window = np.hanning(width)
    padded = np.pad(np.asarray(samples, np.float32) ** 2, (width // 2, width + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop][:n]
    return 10 * np.log10(frames @ (window / window.sum()).astype(np.float32) + 1e-9)


def fundamental_hz(samples: np.ndarray, sample_rate: int, n: int) -> np.ndarray:
    """Estimate pitch by the normalised autocorrelation of 64 ms frames, after averaging down to about 4 kHz.

    Lags are whole samples, so that pitch is a few per cent coarse, and voices above about 300 Hz may come out an octave
    low; accents compare pitch only within one voice.

    Args:
        samples: ``(S,)`` sound.
        sample_rate: Hz.
        n: number of values at ``RATE_HZ``.

    Returns:
        ``(n,)`` Hz, 0 where the best autocorrelation is below 0.5 or the frame is silent.
    """
    factor = max(1, sample_rate // 4000)
    rate = sample_rate / factor
    usable = len(samples) // factor * factor
    low = np.asarray(samples[:usable], np.float32).reshape(-1, factor).mean(1)
    width = 256
    centres = np.round(np.arange(n) * rate / RATE_HZ).astype(int)
    padded = np.pad(low, (width // 2, width + int(rate / RATE_HZ) + 2))
    centres = np.minimum(centres, len(padded) - width)
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[centres] * np.hanning(width).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames, 2 * width)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :width]
    shape = np.hanning(width)
    bias = np.fft.irfft(np.abs(np.fft.rfft(shape, 2 * width)) ** 2)[:width]
    normal = correlation / np.maximum(correlation[:, :1], 1e-9) / (bias / bias[0])
    first, last = int(rate / _F0_RANGE_HZ[1]), int(rate / _F0_RANGE_HZ[0])
    span = normal[:, first : last + 1] * (1 - 0.15 * np.arange(last - first + 1) / (last - first))
    best = span.argmax(1)
    voiced = (span[np.arange(n), best] > 0.5) & (correlation[:, 0] > 1e-4)
    return np.where(voiced, rate / (best + first), 0.0)


def _accents(phones: Sequence[Phone], loudness: np.ndarray, f0: np.ndarray) -> tuple[Accent, ...]:
    vowels = [phone for phone in phones if phone.features.vowel]
    if not vowels:
        return ()
    voiced = f0[f0 > 0]
    median = np.median(voiced) if len(voiced) else 1.0
    scores = np.zeros(len(vowels))
    for i, phone in enumerate(vowels):
        span = slice(int(phone.start * RATE_HZ), max(int(phone.end * RATE_HZ), int(phone.start * RATE_HZ) + 1))
        pitch = f0[span]
        pitch = pitch[pitch > 0]
        semitones = 12 * np.log2(np.percentile(pitch, 80) / median) if len(pitch) else 0.0
        scores[i] = (
            {0: 0.0, 1: 0.5, 2: 0.2}.get(phone.stress, 0.5)
            + 1.2 * (loudness[span].max(initial=0) - 0.75)
            + 0.06 * np.clip(semitones, -6, 8)
            + 2.0 * min(phone.duration - 0.09, 0.12)
        )
    accents = []
    for i, phone in enumerate(vowels):
        middle = 0.5 * (phone.start + phone.end)
        rivals = [
            scores[j] for j, other in enumerate(vowels) if j != i and abs(other.start + other.end - 2 * middle) < 0.7
        ]
        if scores[i] > 0.35 and scores[i] > max(rivals, default=-1):
            accents.append(Accent(middle, float(np.clip(scores[i], 0, 1))))
    return tuple(accents)


def _phrases(phones: Sequence[Phone], f0: np.ndarray) -> tuple[Phrase, ...]:
    spans: list[list[float]] = []
    for phone in phones:
        if phone.symbol == "sil":
            continue
        if spans and phone.start - spans[-1][1] < PAUSE_S:
            spans[-1][1] = phone.end
        else:
            spans.append([phone.start, phone.end])
    phrases = []
    for start, end in spans:
        pitch = f0[int(max(start, end - 0.5) * RATE_HZ) : int(end * RATE_HZ)]
        pitch = pitch[pitch > 0]
        rising = len(pitch) >= 10 and 12 * np.log2(np.median(pitch[-5:]) / np.median(pitch[: len(pitch) // 2])) > 2
        phrases.append(Phrase(start, end, bool(rising)))
    return tuple(phrases)
