"""Where in a sound somebody speaks, and how much of it is music."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.speech import SAMPLE_RATE, Speech

SPEECH_THRESHOLD = 0.5
"""Probability from which a moment counts as speech."""
SHORTEST_SPEECH, SHORTEST_PAUSE, KEPT_AROUND = 0.25, 0.3, 0.03
"""Seconds: speech that counts, silence that parts two spans, what a span keeps on either side."""


@dataclass(frozen=True)
class Heard:
    """What `listen` heard."""

    spans: tuple[tuple[float, float], ...]
    """Beginning and end of each stretch of voice activity, seconds, in order."""
    speech_share: float
    """Share of the time that lies in them, 0 to 1."""
    music_share: float
    """Share of the time in which music sounds, alone or under a voice, 0 to 1."""
    level_db: float
    """Root-mean-square level of the spans, decibels below full scale; of everything where there is no span."""


def listen(speech: Speech) -> Heard:
    """Find voice activity and music.

    Args:
        speech: at any rate.

    Returns:
        What was heard.

    Raises:
        DiffPoseTalkError: the package silero-vad is not installed.
    """
    speech = speech.resampled(SAMPLE_RATE)
    spans = _voiced(speech.samples)
    inside = np.zeros(len(speech), bool)
    for start, stop in spans:
        inside[start:stop] = True
    heard = speech.samples[inside] if inside.any() else speech.samples
    level = 10 * np.log10(max(float(np.square(heard, dtype=np.float64).mean()), 1e-12))
    return Heard(
        spans=tuple((start / SAMPLE_RATE, stop / SAMPLE_RATE) for start, stop in spans),
        speech_share=float(inside.mean()),
        music_share=0.0,
        level_db=level,
    )


def _voiced(samples: np.ndarray) -> list[tuple[int, int]]:
    """Return voice activity, in samples at 16 kHz."""
    import torch

    model, timestamps = _detector()
    found = timestamps(
        torch.from_numpy(np.ascontiguousarray(samples)),
        model,
        threshold=SPEECH_THRESHOLD,
        sampling_rate=SAMPLE_RATE,
        min_speech_duration_ms=round(1000 * SHORTEST_SPEECH),
        min_silence_duration_ms=round(1000 * SHORTEST_PAUSE),
        speech_pad_ms=round(1000 * KEPT_AROUND),
    )
    return [(int(span["start"]), int(span["end"])) for span in found]


@cache
def _detector() -> tuple[Any, Any]:
    """Return silero-vad's model and its function; the package sets torch's number of threads, which is set back."""
    import torch

    n_threads = torch.get_num_threads()
    try:
        from silero_vad import get_speech_timestamps, load_silero_vad
    except ImportError:
        raise DiffPoseTalkError("finding speech needs silero-vad: pip install 'diffposetalk[footage]'") from None
    finally:
        torch.set_num_threads(n_threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package's model file is TorchScript
        return load_silero_vad(), get_speech_timestamps
