"""Sounds and pictures."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np

from .files import written


def sounds() -> list[bytes]:
    """A tenth of a second of noise in several containers."""
    import av

    samples = np.random.default_rng(4).uniform(-0.2, 0.2, 4800).astype("f4")
    pcm = (samples * 32767).astype("<i2").tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    wav = b"RIFF" + struct.pack("<I", 36 + len(pcm)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(pcm)) + pcm
    made = [wav]
    for container, codec in (
        ("flac", "flac"),
        ("ipod", "aac"),
        ("ogg", "libopus"),
        ("mp3", "mp3"),
        ("webm", "libopus"),
    ):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=container) as file:
            stream = file.add_stream(codec, rate=48000, layout="mono")
            frame_format = "s16" if codec in ("flac", "libopus") else "fltp"
            values = samples[None] if frame_format == "fltp" else (samples[None] * 32767).astype("i2")
            frame = av.AudioFrame.from_ndarray(values, frame_format, "mono")
            frame.rate, frame.pts = 48000, 0
            for packet in (*stream.encode(frame), *stream.encode(None)):
                file.mux(packet)
        made.append(buffer.getvalue())
    return made


def videos() -> list[bytes]:
    """A few pictures."""
    from diffposetalk.media import VideoWriter

    def write(path: Path) -> None:
        with VideoWriter(path) as video:
            for grey in range(5):
                video.write(np.full((64, 64, 3), 40 * grey, np.uint8))

    return [written(write, "a.mp4")]
