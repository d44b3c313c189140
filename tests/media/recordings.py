"""Recordings that the tests of sound and video write: beeps, with any codec, layout and fault."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

BEEP_S = 0.02
"""Length of a beep, seconds."""


def beep(rate: int) -> np.ndarray:
    """Return one beep of 1 kHz, `(n,)` float32."""
    n = int(rate * BEEP_S)
    return (0.7 * np.sin(2 * np.pi * 1000 * np.arange(n) / rate) * np.hanning(n)).astype(np.float32)


def beeps(times: tuple[float, ...], seconds: float, rate: int, n_channels: int = 1) -> np.ndarray:
    """Return `(channels, n)` float32: silence with a beep at each of the times."""
    samples = np.zeros((n_channels, round(seconds * rate)), np.float32)
    for time_s in times:
        first = round(time_s * rate)
        samples[:, first : first + len(beep(rate))] = beep(rate)
    return samples


def beep_times(samples: np.ndarray, rate: int) -> list[float]:
    """Return where beeps lie in `(n,)` sound, seconds."""
    pattern = beep(rate)
    match = np.correlate(samples, pattern, "valid") / float((pattern**2).sum())
    times = []
    while match.size and match.max() > 0.5:
        peak = int(np.argmax(match))
        times.append(peak / rate)
        match[max(0, peak - len(pattern)) : peak + len(pattern)] = 0
    return sorted(times)


def write_recording(
    path: Path,
    samples: np.ndarray,
    rate: int,
    codec: str,
    layout: str = "mono",
    late_s: float = 0.0,
    picture_from_s: float | None = None,
    keep: Callable[[int, float], bool] = lambda index, time_s: True,
    shift_s: Callable[[int], float] = lambda index: 0.0,
) -> Path:
    """Write sound with any codec, and if asked for a picture of 25 frames a second beside it.

    Args:
        path: its ending names the container.
        samples: `(channels, n)` float32.
        rate: Hz.
        codec: name of the encoder.
        layout: of the channels.
        late_s: where the sound begins on the time line.
        picture_from_s: where the picture begins, lasting as long as the sound; None without one.
        keep: whether the packet of an index and time is written.
        shift_s: how much the packet of an index is stamped late.
    """
    import av

    with av.open(f"file:{path}", "w") as container:
        picture = container.add_stream("mpeg4", rate=25, width=32, height=32) if picture_from_s is not None else None
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        index = 0

        def mux(packets: list[Any]) -> None:
            nonlocal index
            for packet in packets:
                if keep(index, float(packet.pts * packet.time_base)):
                    packet.pts = packet.dts = packet.pts + round(shift_s(index) / packet.time_base)
                    container.mux(packet)
                index += 1

        if picture is not None:
            for k in range(round(25 * samples.shape[1] / rate)):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), k % 256, np.uint8), format="rgb24")
                frame.pts, frame.time_base = k + round(25 * (picture_from_s or 0.0)), Fraction(1, 25)
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        for first in range(0, samples.shape[1], 960):
            piece = np.ascontiguousarray(samples[:, first : first + 960])
            sound = av.AudioFrame.from_ndarray(piece, "fltp", layout)
            sound.sample_rate, sound.pts = rate, first + round(late_s * rate)
            sound.time_base = Fraction(1, rate)
            mux(stream.encode(sound))
        mux(stream.encode(None))
    return path


def wav_bytes(
    pcm: np.ndarray, rate: int = 16000, data_size: int | None = None, tag: int = 1, n_channels: int = 1
) -> bytes:
    """Return a wav file of 16-bit samples whose header says what is asked for.

    Args:
        pcm: `(n,)` int16.
        rate: Hz that the header states.
        data_size: bytes that the header states; None for the true number.
        tag: of the format; 1 is PCM.
        n_channels: that the header states.
    """
    data = pcm.astype("<i2").tobytes()
    size = len(data) if data_size is None else data_size
    per_second = rate * 2 * n_channels % 2**32
    head = struct.pack("<4sI4s", b"RIFF", min(36 + size, 2**32 - 1), b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, n_channels, rate, per_second, 2 * n_channels, 16)
    return head + form + struct.pack("<4sI", b"data", size) + data


def rf64_bytes(pcm: np.ndarray, rate: int = 16000) -> bytes:
    """Return an RF64 file (EBU Tech 3306) of mono 16-bit samples."""
    data = pcm.astype("<i2").tobytes()
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 4 + 36 + 24 + 8 + len(data), len(data), len(pcm), 0)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + form + b"data\xff\xff\xff\xff" + data
