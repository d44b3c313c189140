"""Speech from a file, an array, a `Speech` or a `SpeechFile`, at the sample rate of the model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from diffposetalk.errors import DiffPoseTalkWarning, InputError, UsageError
from diffposetalk.speech import Speech, SpeechFile
from diffposetalk.speech.activity import SpeechMeter, SpeechOnly

MOST_CHANNELS = 32
"""Largest number of channels. The shorter side of a two-dimensional array holds the channels."""
WARNED_S = 1.0
"""Seconds without speech above which a warning is given."""
WARNED_SHARE = 0.2
"""Share of the recording without speech above which a warning is given."""


class SpeechStream(Protocol):
    """Speech that is read block by block, such as `Speech` and `SpeechFile`."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
        """Yield ``(n,)`` float32 samples, block after block."""


SpeechSource: TypeAlias = str | os.PathLike[str] | np.ndarray | SpeechStream
"""A sound or video file, samples ``(n,)`` or ``(n, channels)``, or a `SpeechStream`."""


def speech_of(source: SpeechSource, rate: int, sample_rate: int | None = None) -> SpeechStream:
    """Return speech at the sample rate that a model expects.

    Args:
        source: a sound or video file (read block by block, so any length fits in memory); an array of samples
            ``(n,)``, ``(n, channels)`` or ``(channels, n)``, floats in [-1, 1] or integers at full scale; a `Speech`; a
            `SpeechFile`; or any other `SpeechStream`.
        rate: sample rate that the model expects, Hz.
        sample_rate: sample rate of an array, Hz.

    Raises:
        UsageError: an array comes without ``sample_rate``, or another source comes with it.
        InputError: the array is not sound, or a stream has another rate than ``rate``.
    """
    if hasattr(source, "__array__"):
        if sample_rate is None:
            raise UsageError(
                "an array of samples needs its rate: pass sample_rate=44100, or whatever it was recorded at"
            )
        return Speech.from_array(mono(np.asarray(source)), sample_rate).resampled(rate)
    known = isinstance(source, (str, os.PathLike)) or (hasattr(source, "blocks") and hasattr(source, "sample_rate"))
    if not known:
        raise UsageError(
            f"speech must be a file, an array with sample_rate, Speech or SpeechFile, not {type(source).__name__}"
        )
    if sample_rate is not None:
        raise UsageError("sample_rate goes with an array of samples; files and Speech say their own")
    if isinstance(source, (str, os.PathLike)):
        return SpeechFile(Path(source), rate)
    if isinstance(source, Speech):
        return source.resampled(rate)
    if isinstance(source, SpeechFile):
        return source if source.sample_rate == rate else replace(source, sample_rate=rate)
    if source.sample_rate != rate:
        raise InputError(f"expected speech at {rate} Hz, got {source.sample_rate} Hz; resample it first")
    return source


def warn_of_non_speech(speech: SpeechMeter) -> None:
    """Warn once if much of a sound is not speech, and say what the mouth does there."""
    non_speech_s = min(speech.non_speech_s, speech.seconds)  # steps of the detector are whole, the last sound is not
    if non_speech_s <= max(WARNED_S, WARNED_SHARE * speech.seconds):
        return
    name = getattr(speech, "path", "speech")
    seconds = f"{non_speech_s:.1f} of {speech.seconds:.1f} s"
    consequence = (
        "so the mouth rests there; if it is a whisper or a song, choose --non-speech move (non_speech='move')"
        if isinstance(speech, SpeechOnly)
        else "and the mouth moves there, too; if it is music or noise, choose --non-speech rest (non_speech='rest')"
    )
    warnings.warn(f"{name}: {seconds} do not sound like speech, {consequence}", DiffPoseTalkWarning, stacklevel=2)


def mono(samples: np.ndarray, channel_axis: int | None = None) -> np.ndarray:
    """Mix channels down to ``(n,)``; integers of several channels become floats in [-1, 1].

    Args:
        samples: ``(n,)``, ``(n, channels)`` or ``(channels, n)``.
        channel_axis: which axis holds the channels; None: the shorter one.
    """
    if samples.size == 0:
        return samples.ravel()
    if samples.ndim != 2 or min(samples.shape) > MOST_CHANNELS:
        return samples  # one channel, or not sound: `Speech` refuses it
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / float(-np.iinfo(samples.dtype).min)
    return samples.mean(axis=int(np.argmin(samples.shape)) if channel_axis is None else channel_axis)
