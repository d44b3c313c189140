"""Made-up performances of made-up sentences: curves that behave like those of people, and ways to break them.

A speaker has an opening, a smile and a liveliness of the head. Lips open on vowels by loudness and close on p, b, m; a second
performance of the same sentence agrees in that and differs in the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from diffposetalk.metrics import Curves
from diffposetalk.metrics.agreement import MOUTH_CHANNELS
from diffposetalk.speech import Speech

FPS, RATE = 25.0, 16000
N_FRAMES = 200
BREATH = 0.0003
"""Lip gap of the closed mouth, metres."""


@dataclass(frozen=True)
class Person:
    """A way to speak."""

    opening: float
    width: float
    head: float
    brow: float


PEOPLE = {
    "calm": Person(0.008, 0.050, 0.03, 0.001),
    "lively": Person(0.013, 0.056, 0.09, 0.004),
    "stiff": Person(0.010, 0.047, 0.012, 0.002),
}


@dataclass(frozen=True)
class Sentence:
    """What is said, when, and how loud."""

    phones: tuple[tuple[str, float, float], ...]
    loudness: tuple[float, ...]
    """Of each phone."""


def sentence(seed: int) -> Sentence:
    """Draw syllables of a consonant and a vowel; every third consonant or so is p, b or m."""
    rng = np.random.default_rng(seed)
    phones, loudness, time, level = [("sil", 0.0, 0.3)], [0.0], 0.3, rng.uniform(0.5, 1.0)
    while time < N_FRAMES / FPS - 0.7:
        consonant = str(rng.choice(["p", "b", "m", "s", "t", "k", "l", "n"]))
        for symbol, seconds in ((consonant, rng.uniform(0.07, 0.13)), ("aa", rng.uniform(0.1, 0.25))):
            phones.append((symbol, time, time + seconds))
            loudness.append(level * rng.uniform(0.6, 1.0))
            time += seconds
    return Sentence((*phones, ("sil", time, N_FRAMES / FPS)), (*loudness, 0.0))


def slow_noise(rng: np.random.Generator, width: int, columns: int) -> np.ndarray:
    """Return ``(N_FRAMES, columns)`` noise of spread 1 that changes over about ``width`` frames."""
    kernel = np.hanning(2 * width + 1)
    noise = rng.normal(size=(N_FRAMES + 2 * width, columns))
    smooth = np.stack([np.convolve(column, kernel, "valid") for column in noise.T], 1)
    return smooth / np.sqrt((kernel**2).sum())


def performance(person: Person, said: Sentence, seed: int) -> Curves:
    """Return curves of a person who says a sentence, once more for each seed."""
    rng = np.random.default_rng(seed)
    times = np.arange(N_FRAMES) / FPS
    target = np.zeros(N_FRAMES)
    for (symbol, start, end), level in zip(said.phones, said.loudness):
        inside = (times >= start) & (times < end)
        target[inside] = {"aa": 1.0, "sil": 0.0}.get(symbol, 0.0 if symbol in "pbm" else 0.35) * level
    shape = np.convolve(np.pad(target, 1, "edge"), [0.2, 0.6, 0.2], "valid")
    effort = 1 + 0.1 * slow_noise(rng, 10, 1)[:, 0]
    gap = np.maximum(person.opening * shape * effort + BREATH * (1 + 0.2 * rng.normal(size=N_FRAMES)), 0)
    lids = np.zeros(N_FRAMES)
    for blink in rng.integers(5, N_FRAMES - 5, 2):
        lids[blink - 2 : blink + 3] = [0.3, 0.8, 1.0, 0.7, 0.3]
    syllables = np.array([start for symbol, start, _ in said.phones if symbol == "aa"])
    nods = sum(np.exp(-(((times - beat) / 0.12) ** 2)) for beat in syllables[::3])
    head = person.head * (slow_noise(rng, 14, 3) + np.outer(nods, [1.2, 0, 0]))
    width = person.width + 0.0006 * slow_noise(rng, 8, 1)[:, 0] - 0.15 * gap
    channels = np.zeros((N_FRAMES, len(MOUTH_CHANNELS)))
    channels[:, MOUTH_CHANNELS.index("jawOpen")] = gap / 0.02
    channels[:, MOUTH_CHANNELS.index("mouthSmileLeft")] = 0.3 + 10 * (width - 0.05)
    return Curves(
        FPS,
        gap=gap,
        width=width,
        jaw=gap / 0.04,
        lids=np.stack([lids, lids], 1),
        brow=0.02 + person.brow * slow_noise(rng, 12, 2),
        head=head,
        channels=channels,
        channel_names=MOUTH_CHANNELS,
    )


def sound(said: Sentence, seed: int) -> Speech:
    """Return noise as loud as the phones are; consonants are soft."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(round(N_FRAMES / FPS * RATE), np.float32)
    for (symbol, start, end), level in zip(said.phones, said.loudness):
        samples[round(start * RATE) : round(end * RATE)] = level * (1.0 if symbol == "aa" else 0.15)
    return Speech((0.2 * samples * rng.uniform(-1, 1, len(samples))).astype(np.float32), RATE)


def later(curves: Curves, frames: int = 5) -> Curves:
    """Return the same motion so many frames later; it begins with its first frame."""
    place = np.maximum(np.arange(len(curves)) - frames, 0)
    return each(curves, lambda values: values[place])


def frozen(curves: Curves) -> Curves:
    """Return the mean face without motion."""
    return each(curves, lambda values: np.broadcast_to(values.mean(0), values.shape).copy())


def doubled(curves: Curves) -> Curves:
    """Return twice the motion around the first frame; lips do not pass through each other."""
    wider = each(curves, lambda values: values[:1] + 2 * (values - values[:1]))
    return replace(wider, gap=np.maximum(wider.curve("gap"), 0))


def never_shut(curves: Curves) -> Curves:
    """Return lips that are always 3 mm farther apart."""
    return replace(curves, gap=curves.curve("gap") + 0.003)


def each(curves: Curves, change: Callable[[np.ndarray], np.ndarray]) -> Curves:
    """Change every curve."""
    return replace(curves, **{name: change(curves.curve(name)) for name in curves.names})
