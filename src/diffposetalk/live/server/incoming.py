"""Sound as it comes in: whatever encoding -> mono float32 at the session's rate."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from diffposetalk.live.protocol import (
    ENCODINGS,
    HIGHEST_RATE,
    LOWEST_RATE,
    MOST_CHANNELS,
    OPUS_RATE,
    ProtocolError,
    choice,
    samples_of_bytes,
    whole,
)


class SoundDecoder(Protocol):
    """Turns messages into sound."""

    @property
    def rate(self) -> int:
        """Sample rate of the result, Hz."""

    def __call__(self, data: bytes) -> np.ndarray:
        """Return ``(n,)`` float32; raises ProtocolError for a message that is not sound."""


class Pcm:
    """Samples of 16 or 32 bits, little-endian; channels alternate and are averaged."""

    def __init__(self, encoding: str, rate: int, channels: int) -> None:
        self.rate = rate
        self._encoding = encoding
        self._channels = channels

    def __call__(self, data: bytes) -> np.ndarray:
        """Return the sound of one message."""
        samples = samples_of_bytes(data, self._encoding)
        if len(samples) % self._channels:
            raise ProtocolError(
                "bad-sound", f"{len(samples)} samples are not whole frames of {self._channels} channels"
            )
        if self._channels > 1:
            samples = samples.reshape(-1, self._channels).mean(1)
        return np.clip(samples, -1, 1)


class Opus:
    """Opus packets without a container, one in each message. A damaged packet becomes silence of its length."""

    rate = OPUS_RATE
    LARGEST_PACKET = 7_700
    """Bytes: 120 ms at the highest rate of bits (RFC 6716: 1275 bytes a frame, 48 frames at most, less in practice)."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._context: Any = None
        self._open()

    def _open(self) -> None:
        import av

        self._context = av.CodecContext.create("opus", "r")
        self._context.sample_rate = OPUS_RATE
        self._context.layout = "mono" if self._channels == 1 else "stereo"

    def __call__(self, data: bytes) -> np.ndarray:
        """Return the sound of one packet."""
        import av

        from diffposetalk.media.sound import mixed, samples_of

        n_samples = packet_samples(data)
        if n_samples is None or len(data) > self.LARGEST_PACKET:
            raise ProtocolError("bad-sound", f"a message of {len(data)} bytes is not an Opus packet")
        try:
            parts = [mixed(samples_of(frame)) for frame in self._context.decode(av.Packet(data))]
        except (av.FFmpegError, OSError):
            self._open()  # after an error the decoder takes nothing more
            return np.zeros(n_samples, np.float32)
        sound = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        sound = np.pad(sound[:n_samples], (0, max(0, n_samples - len(sound))))
        return np.clip(np.nan_to_num(sound), -1, 1)


def packet_samples(data: bytes) -> int | None:
    """Return the samples at 48 kHz that an Opus packet stands for (RFC 6716, section 3.1); None if it is not a packet."""
    if not data:
        return None
    config, code = data[0] >> 3, data[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        frame = (480, 960)[config % 2]
    else:
        frame = (120, 240, 480, 960)[config % 4]
    if code == 3 and len(data) < 2:
        return None
    n_frames = (1, 2, 2, data[1] & 63 if code == 3 else 0)[code]
    return frame * n_frames if 0 < frame * n_frames <= 5760 else None


def decoder_of(sound: object) -> SoundDecoder:
    """Return the decoder for the ``sound`` of a start message: ``{"encoding": "pcm16", "rate": 24000, "channels": 1}``.

    Raises:
        ProtocolError: a field is missing or out of range.
    """
    if not isinstance(sound, dict):
        raise ProtocolError("bad-message", 'start needs sound, such as {"encoding": "pcm16", "rate": 24000}')
    encoding = choice(sound, "encoding", ENCODINGS, "pcm16")
    channels = whole(sound, "channels", 1, MOST_CHANNELS, 1) or 1
    if encoding == "opus":
        whole(sound, "rate", OPUS_RATE, OPUS_RATE, OPUS_RATE)
        return Opus(channels)
    rate = whole(sound, "rate", LOWEST_RATE, HIGHEST_RATE, None)
    if rate is None:
        raise ProtocolError("bad-message", "sound needs its rate in Hz, such as 24000")
    return Pcm(encoding, rate, channels)
