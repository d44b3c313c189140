"""Sound track of a video that is written: the stream of a recording is copied, or sound is encoded.

Sound has the same place for readers that use edit lists and for readers that ignore them: the delay that an encoder puts
before the first sample is left out, not hidden by an edit list (see `EncodedSound`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from diffposetalk.media.sound import audio_stream, regular_blocks, sound_blocks
from diffposetalk.media.source import opened, origin

CHUNK = 1024
"""Number of samples that go to an encoder at a time."""

COPY_START_S = 0.005
"""A stream is copied only if its sound begins within this time, seconds."""

COPY_STEP_S = 0.004
"""A stream is copied only if its time stamps deviate by less, seconds, because players differ in their treatment of gaps."""

LAYOUTS = {
    "mono": "mono",
    "stereo": "stereo",
    "3.0": "3.0",
    "4.0": "4.0",
    "5.0": "5.0",
    "5.0(side)": "5.0",
    "5.1": "5.1",
    "5.1(side)": "5.1",
    "7.1": "7.1",
    "1 channels": "mono",
    "2 channels": "stereo",
    "6 channels": "5.1",
    "8 channels": "7.1",
}
"""Channel layouts that are kept, and their names for encoders; sound of any other layout becomes mono.

FFmpeg names the layout of a file without one "N channels".
"""

AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
"""Sample rates of AAC, Hz."""


@dataclass(frozen=True)
class Recording:
    """The sound of a file with its own sample rate and channels; its stream is copied if possible."""

    path: Path
    """Any sound or video file with a sound track."""
    start_s: float = 0.0
    """Time of the first sample, seconds from the file's beginning."""


@dataclass(frozen=True)
class SoundFormat:
    """Sound that a container can hold."""

    codec: str
    """Encoder for sound that cannot be copied."""
    copied: tuple[str, ...]
    """Codecs whose streams are copied, because every player of this container reads them."""
    rates: tuple[int, ...] = ()
    """Sample rates of the encoder, Hz; empty for any."""
    delay_s: float = 0.005
    """A stream is copied only if the part of its delay that must stay is shorter, seconds."""


class SoundWriter(Protocol):
    """Adds sound to a container while pictures are added to it."""

    def write_until(self, seconds: Fraction) -> None:
        """Write the sound before a time."""

    def finish(self) -> None:
        """Write what an encoder still holds."""


def open_sound(
    container: Any,
    how: SoundFormat,
    audio: Iterable[np.ndarray] | Recording,
    audio_rate: int,
    stack: contextlib.ExitStack,
) -> SoundWriter:
    """Add a sound track to a container.

    Args:
        container: opened for writing.
        how: sound that the container can hold.
        audio: blocks of ``(n,)`` float32 mono sound, or a recording.
        audio_rate: Hz of the blocks.
        stack: closes the files that are opened here.

    Raises:
        InputError: the recording cannot be read.
    """
    if not isinstance(audio, Recording):
        blocks = (np.asarray(block, np.float32)[:, None] for block in audio)
        return EncodedSound(container, how, ((audio_rate, block) for block in blocks), audio_rate, "mono")
    if audio.start_s == 0 and _can_be_copied(audio.path, how):
        return CopiedSound(container, stack.enter_context(opened(audio.path)), audio.path)
    rate, layout = rate_and_layout(audio.path)
    return EncodedSound(container, how, channel_blocks(audio.path, layout), rate, layout, audio.start_s)


def rate_and_layout(path: Path) -> tuple[int, str]:
    """Return a recording's sample rate in Hz and the layout of its channels, such as `stereo`."""
    with opened(path) as source:
        context = audio_stream(source, path).codec_context
        return context.sample_rate, LAYOUTS.get(context.layout.name, "mono")


def channel_blocks(path: Path, layout: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a recording's sample rate and sound ``(n, channels)`` in one layout."""
    import av

    n_channels = av.AudioLayout(layout).nb_channels
    for rate, samples in sound_blocks(path):
        if len(samples) != n_channels:
            samples = np.repeat(samples.mean(axis=0, keepdims=True), n_channels, axis=0)
        yield rate, samples.T


def _can_be_copied(path: Path, how: SoundFormat) -> bool:
    """Whether a container can hold a stream unchanged: its codec fits, it begins with the file and has no gaps."""
    with opened(path) as source:
        stream = audio_stream(source, path)
        if stream.codec_context.name not in how.copied:
            return False
        expected, usual_s = None, 0.0
        for packet in _audible(source, stream):
            start_s = float(packet.pts * packet.time_base) - origin(source)
            duration_s = float((packet.duration or 0) * packet.time_base)
            if expected is None:
                is_in_place = -how.delay_s <= start_s <= COPY_START_S
                usual_s = duration_s
            else:  # some containers state a gap as a long packet
                is_in_place = abs(start_s - expected) <= COPY_STEP_S and duration_s < usual_s + COPY_STEP_S
            if packet.is_corrupt or not duration_s or not is_in_place:
                return False
            expected = start_s + duration_s
    return expected is not None


def _audible(source: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a sound stream, without those that hold only the encoder's delay (they end before time 0)."""
    for packet in source.demux(stream):
        if packet.pts is None or not packet.size:
            continue
        end = (packet.pts + (packet.duration or 0)) * packet.time_base
        if float(end) - origin(source) > 1e-6:
            yield packet


class CopiedSound:
    """Copies the packets of a recording's sound stream, without those that hold only the encoder's delay."""

    def __init__(self, container: Any, source: Any, path: Path) -> None:
        """Add a stream like the recording's to a container."""
        stream = audio_stream(source, path)
        self._container = container
        self._stream = container.add_stream_from_template(stream)
        self._beginning = round(Fraction(source.start_time or 0, 10**6) / stream.time_base)
        self._packets = _audible(source, stream)
        self._next = next(self._packets, None)

    def write_until(self, seconds: Fraction) -> None:
        """Copy the packets that begin before a time."""
        while self._next is not None:
            packet = self._next
            start = packet.pts - self._beginning
            if start * packet.time_base >= seconds:
                return
            self._next = next(self._packets, None)
            packet.pts = start
            packet.dts = start  # sound is never reordered
            packet.stream = self._stream
            self._container.mux(packet)

    def finish(self) -> None:
        """Leave out the rest, since the pictures have ended."""


class EncodedSound:
    """Encodes sound.

    An encoder such as AAC's puts a frame of delay before the first sample. That packet is not written, so the first one
    begins at the first sample and no edit list is needed; its sound fades in instead of being complete from the first
    sample on (21 ms at 48 kHz).
    """

    def __init__(
        self,
        container: Any,
        how: SoundFormat,
        blocks: Iterator[tuple[int, np.ndarray]],
        rate: int,
        layout: str,
        start_s: float = 0.0,
    ) -> None:
        """Add a stream to a container.

        Args:
            container: opened for writing.
            how: the encoder.
            blocks: sample rate in Hz and ``(n, channels)`` float32.
            rate: Hz of the blocks; kept if the encoder supports it.
            layout: channel layout, such as `stereo`.
            start_s: time of the first sample, seconds.
        """
        self._rate = encoded_rate(rate, how.rates)
        self._layout = layout
        self._container = container
        self._stream = container.add_stream(how.codec, rate=self._rate)
        self._stream.layout = layout
        n_channels = self._stream.layout.nb_channels
        self._stream.bit_rate = n_channels * min(96_000, 4 * self._rate)
        self._blocks = regular_blocks(blocks, self._rate, CHUNK, round(start_s * self._rate))
        self._pending = np.zeros((0, n_channels), np.float32)
        self._n_samples = 0
        self._ended = False

    def write_until(self, seconds: Fraction) -> None:
        """Encode sound up to a time, or to its end if that comes first."""
        import av

        n_until = int(seconds * self._rate)
        while not self._ended and self._n_samples < n_until:
            if len(self._pending) == 0:
                block = next(self._blocks, None)
                self._ended = block is None
                if block is not None:
                    self._pending = block
                continue
            n = min(len(self._pending), n_until - self._n_samples)
            piece, self._pending = self._pending[:n], self._pending[n:]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.T), "fltp", self._layout)
            frame.sample_rate, frame.pts = self._rate, self._n_samples
            frame.time_base = Fraction(1, self._rate)
            self._mux(self._stream.encode(frame))
            self._n_samples += n

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._n_samples:
            self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if packet.pts is None or packet.pts + (packet.duration or 0) > 0:
                self._container.mux(packet)


def encoded_rate(rate: int, supported: tuple[int, ...]) -> int:
    """Return a sample rate if the encoder supports it, else the next higher one that it supports."""
    if not supported or rate in supported:
        return rate
    return min((candidate for candidate in supported if candidate > rate), default=max(supported))
