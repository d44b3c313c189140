"""Decoding and encoding of sound files in memory; 16-bit samples are exact."""

from __future__ import annotations

import io

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.limits import check_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.media.sound import audio_stream, mixed, samples_of
from diffposetalk.media.source import ignore_bad_metadata

_SAMPLE_BYTES = 8
"""Memory that a decoded sample takes: a float32 in its block and one in the result."""


def decode_bytes(data: bytes, where: str) -> tuple[int, np.ndarray]:
    """Decode a whole sound file held in memory, without resampling.

    Args:
        data: content of the file; any format that FFmpeg's libraries can open.
        where: its name in errors.

    Returns:
        Sample rate in Hz and ``(n,)`` float32 samples, the mean of the channels; a 16-bit sample `i` gives `i / 32768`.

    Raises:
        InputError: there is no sound, it is damaged or truncated, its sample rate changes, or its samples take more
            memory than the limit of `files.limits` (a few kilobytes can hold hours of silence).
    """
    import av

    blocks: list[np.ndarray] = []
    rate, n_samples = 0, 0
    with (
        parsing(f"{where}: its sound cannot be decoded", "sound file"),
        av.open(io.BytesIO(data), **ignore_bad_metadata()) as container,
    ):
        stream = audio_stream(container, where)
        n_stated = round(float(stream.duration * stream.time_base * stream.rate)) if stream.duration else 0
        check_bytes(where, _SAMPLE_BYTES * n_stated, "sound file")
        for frame in container.decode(stream):
            n_samples += frame.samples
            check_bytes(where, _SAMPLE_BYTES * n_samples, "sound file")
            if rate not in (0, frame.sample_rate):
                raise InputError(f"{where}: its sound changes its sample rate")
            rate = frame.sample_rate
            blocks.append(mixed(samples_of(frame)))
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if len(samples) == 0:
        raise InputError(f"{where}: holds no sound")
    if len(samples) < n_stated:
        raise InputError(f"{where}: its sound is truncated ({len(samples)} of {n_stated} samples)")
    return rate, samples


def flac_bytes(samples: np.ndarray, sample_rate: int = 16000) -> bytes:
    """Return mono sound as the bytes of a 16-bit FLAC file.

    Samples that are whole multiples of 1/32768, as `decode_bytes` gives them, come back unchanged.

    Args:
        samples: ``(n,)`` float in [-1, 1], at least one.
        sample_rate: Hz.

    Raises:
        InputError: there are no samples.
    """
    import av

    if len(samples) == 0:
        raise InputError("no samples to encode")
    pcm = np.clip(np.round(np.asarray(samples, np.float64) * 32768), -32768, 32767).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=sample_rate)
        stream.layout = "mono"
        for start in range(0, len(pcm), 4096):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm[None, start : start + 4096]), "s16", "mono")
            frame.sample_rate, frame.pts = sample_rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()
