"""The voices of all engines, and the transforms that make many speakers of one voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.phones import Phone, fill_silence, shift_phones
from diffposetalk.workshop.corpus.engines.base import Engine, EngineOutput, Line, Voice
from diffposetalk.workshop.corpus.engines.espeak import Espeak
from diffposetalk.workshop.corpus.engines.festival import Festival
from diffposetalk.workshop.corpus.engines.flite import Flite
from diffposetalk.workshop.corpus.engines.rhvoice import RHVoice

_ENGINES: dict[str, Engine] = {"flite": Flite(), "rhvoice": RHVoice(), "festival": Festival(), "espeak": Espeak()}
"""Engine by name."""

_GROUP_SHARES = {"flite": 0.32, "rhvoice": 0.20, "festival": 0.16, "festival-other": 0.16, "espeak": 0.16}
"""Share of speakers for each group of voices; models trained on voices from recordings do far better on real speech."""

_EDGE_S = 0.06
"""Seconds of silence before the first and after the last sound of an utterance."""

_LOUDNESS_RMS = 0.07
"""Root mean square of the loud parts after normalising."""


@dataclass(frozen=True, slots=True)
class VoiceTransform:
    """How one engine voice becomes another speaker."""

    resample: float = 1.0
    """Pitch, formants and speed are multiplied by this (0.86 to 1.16 sounds like a person)."""
    formant: float = 1.0
    """Formants alone are multiplied by this as well (0.92 to 1.09): a longer or shorter vocal tract."""
    tilt_db: float = 0.0
    """Spectral tilt in decibels per octave above 500 Hz: breathy below 0, bright above."""

    @staticmethod
    def sample(rng: np.random.Generator, natural: bool = True) -> VoiceTransform:
        """Draw a transform; smaller for formant synthesis, whose engines have many variants of their own."""
        width = 1.0 if natural else 0.6
        return VoiceTransform(
            resample=float(np.exp(rng.uniform(-0.15, 0.15) * width)),
            formant=float(np.exp(rng.uniform(-0.085, 0.085) * width)),
            tilt_db=float(rng.uniform(-1.5, 1.5)),
        )


@dataclass(frozen=True, slots=True)
class Utterance:
    """A spoken sentence with exact phone times."""

    speech: Speech
    """16 kHz mono, trimmed to a little silence at both ends, loudness normalised."""
    phones: tuple[Phone, ...]
    """Tile the whole speech; silence is `sil`."""
    text: str
    """Its words."""
    language: str
    """Two-letter code."""
    voice: str
    """Name of the voice."""


@cache
def list_voices() -> tuple[Voice, ...]:
    """Return every voice installed on this machine, in a fixed order."""
    return tuple(voice for engine in _ENGINES.values() for voice in engine.voices())


def find_voice(name: str) -> Voice:
    """Return the installed voice of that name.

    Raises:
        UsageError: no such voice here; the message lists some that are.
    """
    voices = {voice.name: voice for voice in list_voices()}
    if name not in voices:
        some = ", ".join(list(voices)[:12]) or "none at all: pip install espeakng-loader, or apt install flite festival"
        raise UsageError(f"voice {name!r} is not installed; here are: {some}")
    return voices[name]


def pick_voice(index: int, voices: Sequence[Voice], offset: float = 0.0) -> Voice:
    """Choose the voice of speaker `index` so that even few speakers spread over engines as the shares ask.

    A low-discrepancy sequence (golden ratio for the group, square root of two within it) instead of dice.

    Args:
        index: number of the speaker.
        voices: those to choose from.
        offset: shifts the sequence, for example by a seed.

    Raises:
        DiffPoseTalkError: there is no voice.
    """
    groups: dict[str, list[Voice]] = {}
    for voice in voices:
        groups.setdefault(_group(voice), []).append(voice)
    if not groups:
        raise DiffPoseTalkError(
            "no speech engine is installed: pip install espeakng-loader, or apt install flite festival"
        )
    names = sorted(groups)
    group = groups[names[_at([_GROUP_SHARES[name] for name in names], offset + 0.6180339887 * index)]]
    return group[_at([voice.share for voice in group], offset * 3.0 + 0.4142135624 * index)]


def speak(
    text: str, voice: Voice | str, rate: float = 1.0, pitch: float = 1.0, transform: VoiceTransform | None = None
) -> Utterance:
    """Speak one sentence.

    Args:
        text: plain text in the voice's language.
        voice: a voice of `list_voices()` or its name.
        rate: speed relative to the voice's own, after the transform (engines that cannot, ignore it).
        pitch: fundamental frequency relative to the voice's own, before the transform.
        transform: makes another speaker of the voice.

    Raises:
        UsageError: the voice is not installed.
        DiffPoseTalkError: the engine could not speak the text.
    """
    voice = find_voice(voice) if isinstance(voice, str) else voice
    utterance = speak_lines([Line(text, rate, pitch)], voice, transform)[0]
    if utterance is None:
        raise DiffPoseTalkError(f"voice {voice.name} could not speak {text!r}")
    return utterance


def speak_lines(lines: Sequence[Line], voice: Voice, transform: VoiceTransform | None = None) -> list[Utterance | None]:
    """Speak several sentences in one call, which is much faster for engines that run as programs.

    Returns:
        One utterance a line; None where the engine failed (for example a word the aligner does not know).
    """
    transform = transform or VoiceTransform()
    resampled_lines = [Line(line.text, line.rate / transform.resample, line.pitch) for line in lines]
    outputs = _ENGINES[voice.engine].speak(voice, resampled_lines)
    return [None if raw is None else _finish(raw, line, voice, transform) for raw, line in zip(outputs, lines)]


def _finish(raw: EngineOutput, line: Line, voice: Voice, transform: VoiceTransform) -> Utterance | None:
    """Transform, trim and normalise an engine's output; None if it holds no sound."""
    import soxr

    samples = soxr.resample(raw.samples, raw.sample_rate * transform.resample, SAMPLE_RATE).astype(np.float32)
    phones = shift_phones(raw.phones, scale=1.0 / transform.resample)
    sounding = [p for p in phones if p.symbol != "sil"]
    if not sounding:
        return None
    if sounding[0].start < _EDGE_S:
        samples, phones = _with_lead(samples, phones)
        sounding = [p for p in phones if p.symbol != "sil"]
    first = int(max(0.0, sounding[0].start - _EDGE_S) * SAMPLE_RATE)
    last = min(len(samples), int((sounding[-1].end + _EDGE_S) * SAMPLE_RATE))
    samples = _colour(samples[first:last], transform)
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.square(frames).mean(axis=1) if len(frames) else np.zeros(0)
    if not len(power) or power.max() < 1e-8:
        return None
    loud = np.sqrt(power[power > 0.05 * power.max()].mean())
    samples = samples * min(_LOUDNESS_RMS / loud, 0.98 / np.abs(samples).max())
    fade = np.linspace(0.0, 1.0, 80, dtype=np.float32)
    samples[:80] *= fade
    samples[-80:] *= fade[::-1]
    duration = len(samples) / SAMPLE_RATE
    return Utterance(
        Speech(samples.astype(np.float32), SAMPLE_RATE),
        fill_silence(shift_phones(phones, offset=-first / SAMPLE_RATE), duration),
        line.text,
        voice.language,
        voice.name,
    )


def _with_lead(samples: np.ndarray, phones: Sequence[Phone]) -> tuple[np.ndarray, tuple[Phone, ...]]:
    """Put silence before speech that begins at once; a stop there gets the closure that the engine left out."""
    lead = 2 * _EDGE_S
    moved = list(shift_phones(phones, offset=lead))
    if moved[0].features.stop or moved[0].features.bilabial:
        start = min(moved[0].start, moved[0].end - _EDGE_S)
        moved[0] = Phone(moved[0].symbol, start, moved[0].end, moved[0].stress)
    return np.concatenate([np.zeros(int(lead * SAMPLE_RATE), np.float32), samples]), tuple(moved)


def _colour(samples: np.ndarray, transform: VoiceTransform) -> np.ndarray:
    """Move the formants and tilt the spectrum frame by frame; pitch, phase and timing stay.

    The spectral envelope is the cepstrum below 1.6 ms (cepstral smoothing); each frame is multiplied by the ratio of
    the moved envelope to its own, limited to 18 dB.
    """
    if transform.formant == 1.0 and transform.tilt_db == 0.0:
        return samples
    size, hop, lifter = 512, 128, 26
    padded = np.pad(samples, (size, size + hop))
    window = np.hanning(size + 1)[:-1]
    starts = np.arange(0, len(padded) - size + 1, hop)
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * window, axis=1)
    cepstra = np.fft.irfft(np.log(np.abs(spectra) + 1e-6), axis=1)
    cepstra[:, lifter : -lifter + 1] = 0.0
    envelope = np.fft.rfft(cepstra, axis=1).real
    bins = np.arange(size // 2 + 1)
    source = np.clip(bins / transform.formant, 0, size // 2)
    below = np.minimum(source.astype(int), size // 2 - 1)
    moved = envelope[:, below] + (source - below) * (envelope[:, below + 1] - envelope[:, below])
    octaves = np.log2(np.maximum(bins * SAMPLE_RATE / size, 500.0) / 500.0)
    gain = np.clip(moved - envelope, -2.07, 2.07) + transform.tilt_db * octaves * np.log(10) / 20
    frames = np.fft.irfft(spectra * np.exp(gain), axis=1) * window
    output, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for start, frame in zip(starts, frames):
        output[start : start + size] += frame
        weight[start : start + size] += window**2
    return (output / np.maximum(weight, 1e-3))[size : size + len(samples)].astype(np.float32)


def _group(voice: Voice) -> str:
    return "festival-other" if voice.engine == "festival" and voice.language != "en" else voice.engine


def _at(shares: Sequence[float], position: float) -> int:
    """Return the index whose share holds `position` modulo 1 on the unit interval."""
    edges = np.cumsum(shares) / np.sum(shares)
    return min(int(np.searchsorted(edges, position % 1.0, side="right")), len(shares) - 1)
