"""Make clean speech sound like many microphones, rooms and lines; length and timing stay exactly as they were.

All functions take and return ``(n,)`` float32 at 16 kHz in [-1, 1] and use no chance but the generator's. What helps a
speech encoder trained on synthetic voices to hear real ones was found by experiment: equalisation and band limits,
reverberation, noise and babble at 3 to 35 dB, level and clipping (resampling is the voices' own transform).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.workshop.train.shares import Shares

SAMPLE_RATE = 16000
"""Hz; of all speech here."""
_QUIET = 1e-5


@dataclass(frozen=True)
class AugmentOptions(Shares):
    """How often each disturbance happens and how far it goes."""

    SHARES: ClassVar = ("equaliser", "band_limit", "reverb", "noise", "codec", "clipping")
    equaliser: float = 0.8
    """Probability of a random smooth equaliser."""
    equaliser_db: float = 8.0
    """Largest boost or cut of the equaliser, decibels."""
    band_limit: float = 0.35
    """Probability of losing lows (below 60 to 350 Hz) or highs (above 3.0 to 7.5 kHz)."""
    reverb: float = 0.4
    """Probability of a synthetic room."""
    noise: float = 0.8
    """Probability of coloured noise or, where other speech is given, babble."""
    snr_db: tuple[float, float] = (3.0, 35.0)
    """Range of the signal-to-noise ratio, decibels, against the loud parts of the speech."""
    codec: float = 0.15
    """Probability of coarse quantisation as in telephony."""
    clipping: float = 0.12
    """Probability of an overdriven input."""
    level_db: tuple[float, float] = (-22.0, 6.0)
    """Range of the final level change, decibels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("snr_db", "level_db"):
            low, high = getattr(self, name)
            if not low <= high:
                raise UsageError(f"augment.{name} must go from low to high, not from {low} to {high}")


def augment(
    samples: np.ndarray,
    rng: np.random.Generator,
    options: AugmentOptions | None = None,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Disturb speech at random.

    Args:
        samples: ``(n,)`` float32 at 16 kHz.
        rng: the only source of chance.
        options: how often and how much; None for the defaults.
        others: stretches of other speech for babble; without any, noise is coloured noise only.

    Returns:
        ``(n,)`` float32 in [-1, 1]; silence stays near silence except for the noise.
    """
    options = options or AugmentOptions()
    sound = np.asarray(samples, dtype=np.float32)
    if not len(sound):
        return sound
    if rng.random() < options.reverb:
        sound = reverberate(
            sound, float(np.exp(rng.uniform(np.log(0.12), np.log(0.7)))), float(rng.uniform(3.0, 18.0)), rng
        )
    if rng.random() < options.noise:
        snr_db = float(rng.uniform(*options.snr_db))
        if len(others) and rng.random() < 0.35:
            noise = babble(len(sound), others, rng)
        else:
            noise = coloured_noise(len(sound), float(rng.uniform(0.0, 2.2)), rng)
        sound = add_noise(sound, noise, snr_db)
    gains_db = np.zeros(9)
    if rng.random() < options.equaliser:
        gains_db = rng.uniform(-1, 1, 9) * options.equaliser_db * rng.random()
    low = high = None
    if rng.random() < options.band_limit:
        low = float(rng.uniform(60, 350)) if rng.random() < 0.6 else None
        high = float(rng.uniform(3000, 7500)) if rng.random() < 0.6 else None
    sound = equalise(sound, gains_db, low, high)
    if rng.random() < options.clipping:
        sound = overdrive(sound, float(rng.uniform(2.0, 12.0)))
    if rng.random() < options.codec:
        sound = companded(sound, int(rng.integers(6, 9)))
    gain = 10 ** (float(rng.uniform(*options.level_db)) / 20)
    return np.clip(sound * gain, -1.0, 1.0).astype(np.float32)


def equalise(
    samples: np.ndarray, gains_db: np.ndarray, low_hz: float | None = None, high_hz: float | None = None
) -> np.ndarray:
    """Filter with zero phase: no delay, no ringing longer than the padding.

    Args:
        samples: ``(n,)``.
        gains_db: gains at equally spaced points on a logarithmic scale from 60 Hz to 8 kHz, joined by lines.
        low_hz: where the lows begin to fall off (24 dB per octave); None keeps them.
        high_hz: where the highs begin to fall off (48 dB per octave); None keeps them.
    """
    size = _fast_length(len(samples) + 4096)
    frequencies = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0)
    points = np.linspace(np.log2(60.0), np.log2(8000.0), len(gains_db))
    response_db = np.interp(np.log2(frequencies), points, gains_db)
    if low_hz is not None:
        response_db -= 24.0 * np.maximum(0.0, np.log2(low_hz / frequencies))
    if high_hz is not None:
        response_db -= 48.0 * np.maximum(0.0, np.log2(frequencies / high_hz))
    spectrum = np.fft.rfft(samples, size) * 10 ** (np.maximum(response_db, -80.0) / 20)
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)


def reverberate(samples: np.ndarray, decay_s: float, direct_db: float, rng: np.random.Generator) -> np.ndarray:
    """Add a room: exponentially decaying noise behind an undelayed direct sound.

    Args:
        samples: ``(n,)``.
        decay_s: time in which the tail falls by 60 dB, seconds.
        direct_db: level of the direct sound over the whole tail, decibels.
        rng: shapes the tail.
    """
    length = max(64, int(min(decay_s, 1.0) * SAMPLE_RATE))
    tail = rng.standard_normal(length) * 10 ** (-3.0 * np.arange(length) / (decay_s * SAMPLE_RATE))
    tail[: int(rng.uniform(0.001, 0.008) * SAMPLE_RATE)] = 0.0
    smooth = rng.uniform(0.0, 0.7)
    tail[1:] += smooth * tail[:-1]
    tail *= 10 ** (-direct_db / 20) / max(float(np.sqrt(np.square(tail).sum())), 1e-9)
    size = _fast_length(len(samples) + length)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]
    return (samples + wet).astype(np.float32)


def coloured_noise(length: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Return ``(length,)`` noise of unit power, falling as frequency to the minus `slope` (0 white, 1 pink, 2 brown)."""
    size = _fast_length(length)
    frequencies = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 30.0)
    spectrum = np.fft.rfft(rng.standard_normal(size)) * frequencies ** (-slope / 2)
    noise = np.fft.irfft(spectrum, size)[:length]
    return (noise / max(float(noise.std()), 1e-9)).astype(np.float32)


def babble(length: int, others: Sequence[np.ndarray], rng: np.random.Generator, talkers: int = 4) -> np.ndarray:
    """Return ``(length,)`` of unit power: some talkers at once, cut at random places of other speech and looped.

    Raises:
        UsageError: there is no other speech.
    """
    if not len(others):
        raise UsageError("babble needs other speech to mix")
    mixed = np.zeros(length, dtype=np.float64)
    for _ in range(talkers):
        other = np.asarray(others[int(rng.integers(len(others)))], dtype=np.float64)
        if len(other):
            mixed += np.take(other, np.arange(length) + int(rng.integers(len(other))), mode="wrap")
    return (mixed / max(float(mixed.std()), 1e-9)).astype(np.float32)


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise of unit power at a ratio to the loud parts of the speech (frames within 20 dB of the loudest).

    Silent speech gets noise at -60 dB of full scale.
    """
    level = loud_level(samples)
    gain = 1e-3 if level < _QUIET else level * 10 ** (-snr_db / 20)
    return (samples + gain * noise).astype(np.float32)


def overdrive(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Clip peaks `gain_db` decibels below the loudest sample, as an input set too high does."""
    peak = float(np.abs(samples).max(initial=0.0))
    limit = peak * 10 ** (-gain_db / 20)
    return np.clip(samples, -limit, limit).astype(np.float32)


def companded(samples: np.ndarray, bits: int) -> np.ndarray:
    """Quantise on the mu-law scale with so many bits (8 is a telephone line)."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < _QUIET:
        return np.asarray(samples, dtype=np.float32)
    companded_samples = np.sign(samples) * np.log1p(255 * np.abs(samples) / peak) / np.log(256)
    steps = 2 ** (bits - 1) - 1
    rounded = np.round(companded_samples * steps) / steps
    return (np.sign(rounded) * peak * np.expm1(np.abs(rounded) * np.log(256)) / 255).astype(np.float32)


def loud_level(samples: np.ndarray) -> float:
    """Return the root mean square of the 20 ms frames within 20 dB of the loudest; 0 for no sound."""
    frames = np.asarray(samples[: len(samples) // 320 * 320], dtype=np.float64).reshape(-1, 320)
    power = np.square(frames).mean(axis=1) if len(frames) else np.zeros(1)
    return float(np.sqrt(power[power >= 0.01 * power.max()].mean()))


def _fast_length(length: int) -> int:
    """Return the next length of the form 2^k, 3 * 2^k or 5 * 2^k, for a fast Fourier transform."""
    power = 1 << max(int(length - 1).bit_length(), 1)
    return min(size for size in (power, power // 4 * 3, power // 8 * 5) if size >= length)
