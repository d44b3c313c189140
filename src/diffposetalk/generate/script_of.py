"""A transcript beside the speech: what its phones add to the features of the speech encoder."""

from __future__ import annotations

import os
from typing import TypeAlias

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.generate.speech_of import SpeechStream
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.networks import SpeechNetwork
from diffposetalk.speech import SAMPLE_RATE
from diffposetalk.speech.transcript import Transcript, read_transcript, timed_phones
from diffposetalk.speech.transcript.timing import phone_labels

TranscriptSource: TypeAlias = str | os.PathLike[str] | Transcript
"""A file (see `transcript.reading`) or a `Transcript`; ``Transcript.of_text("...")`` is that of plain text."""


def script_of(source: TranscriptSource, speech: SpeechStream, encoder: SpeechNetwork) -> np.ndarray:
    """Return what a transcript adds to the features of its speech: ``(F, dim)``.

    Args:
        source: the transcript.
        speech: its speech, which is read whole.
        encoder: the speech encoder.

    Raises:
        UsageError: the encoder takes no transcript, or the source is none.
        InputError: the transcript cannot be read, or is not said in the speech.
    """
    if not getattr(encoder, "takes_phones", False):
        raise UsageError("this model takes no transcript; leave it out, or use the bundled model")
    if isinstance(source, Transcript):
        transcript = source
    elif isinstance(source, (str, os.PathLike)):
        transcript = read_transcript(os.fspath(source))
    else:
        raise UsageError(f"a transcript must be a file or a Transcript, not {type(source).__name__}")
    samples = np.concatenate(list(speech.blocks()))
    timed = timed_phones(transcript, samples)
    n_frames = -(-len(samples) // FRAME_SAMPLES)
    added: np.ndarray = encoder.added_by_phones(phone_labels(timed.phones, 2 * n_frames))  # type: ignore[attr-defined]
    middles = (np.arange(n_frames) + 0.5) * (FRAME_SAMPLES / SAMPLE_RATE)
    for start, end in timed.unknown:
        added[(middles >= start) & (middles < end)] = 0  # the sound alone counts there
    return added
