"""Sound as it comes in: 16 bits, floats, two channels, Opus packets; damaged packets of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from tests.live.loudness import LoudnessVoices

from diffposetalk.live.client import Event, Sent, connect
from diffposetalk.live.protocol import ProtocolError
from diffposetalk.live.server import LiveServer
from diffposetalk.live.server.incoming import Opus, Pcm, packet_samples

TONE = 0.4 * np.sin(2 * np.pi * 440 / 48_000 * np.arange(96_000)) * np.repeat(np.linspace(0.1, 1, 50), 1920)


def packets(sound: np.ndarray, milliseconds: int = 20, stereo: bool = False) -> list[bytes]:
    """Encode with libopus, one packet for each piece."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo" if stereo else "mono", "flt"
    encoder.options = {"frame_duration": str(milliseconds)}
    encoder.open()
    size, coded = 48 * milliseconds, []
    for start in range(0, len(sound), size):
        piece = sound[start : start + size].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(piece, 2)[None] if stereo else piece[None], "flt", "stereo" if stereo else "mono"
        )
        frame.sample_rate, frame.pts = 48_000, start
        coded += [bytes(packet) for packet in encoder.encode(frame)]
    return coded


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("milliseconds", [20, 60])
def test_opus(channels: int, milliseconds: int) -> None:
    decode = Opus(channels)
    coded = packets(TONE, milliseconds, channels == 2)
    assert {packet_samples(packet) for packet in coded} == {48 * milliseconds}
    sound = np.concatenate([decode(packet) for packet in coded])
    delay = 312  # of the encoder (RFC 7845, section 4.2: pre-skip), 6.5 ms
    assert len(sound) == len(coded) * 48 * milliseconds
    assert np.corrcoef(sound[delay:], TONE[: len(sound) - delay])[0, 1] > 0.98


def test_damaged_opus_packets_become_silence_of_their_length() -> None:
    decode, coded = Opus(1), packets(TONE)
    rng = np.random.default_rng(0)
    good = np.concatenate([decode(packet) for packet in coded])
    decode = Opus(1)
    parts = []
    for index, packet in enumerate(coded):
        if index % 10 == 5:
            packet = packet[:1] + rng.bytes(len(packet) // 3)
        parts.append(decode(packet))
        assert len(parts[-1]) == 960 and np.isfinite(parts[-1]).all() and np.abs(parts[-1]).max() <= 1
    sound = np.concatenate(parts)
    assert np.corrcoef(sound[-3 * 960 :], good[-3 * 960 :])[0, 1] > 0.95  # it recovers


@pytest.mark.parametrize("data", [b"", b"\x03", b"\xff\x00", bytes(10_000), b"\x1b\x3f"])
def test_what_is_no_opus_packet(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="not an Opus packet"):
        Opus(1)(data)


def test_random_bytes_as_opus() -> None:
    decode, rng = Opus(1), np.random.default_rng(1)
    for _ in range(300):
        data = rng.bytes(int(rng.integers(0, 400)))
        try:
            sound = decode(data)
        except ProtocolError:
            continue
        assert len(sound) == packet_samples(data) and np.isfinite(sound).all() and np.abs(sound).max() <= 1


def test_samples() -> None:
    values = np.array([0, 1, -32768, 32767], "<i2")
    assert np.array_equal(Pcm("pcm16", 16_000, 1)(values.tobytes()), values.astype(np.float32) / 32768)
    pairs = np.array([0.5, -0.5, 1.0, 0.5], "<f4")
    assert np.array_equal(Pcm("float32", 16_000, 2)(pairs.tobytes()), np.array([0, 0.75], np.float32))
    assert np.array_equal(Pcm("float32", 16_000, 1)(np.array([1.5, -3], "<f4").tobytes()), [1, -1])
    for data, encoding, channels in ((b"\0", "pcm16", 1), (b"\0\0", "float32", 1), (b"\0\0", "pcm16", 2)):
        with pytest.raises(ProtocolError, match="not whole"):
            Pcm(encoding, 16_000, channels)(data)


def test_an_opus_session(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, connect(server.url, encoding="opus") as live:
            assert live.rate == 48_000
            await live.send(b"\x03")
            event = await live.receive()
            assert isinstance(event, Event) and event.fields["code"] == "bad-sound" and not event.fields["fatal"]
            answer: list[Sent] = [sent async for sent in live.speak(packets(TONE))]
            sound = np.concatenate([sent.chunk.sound for sent in answer[:-1]])
            assert np.corrcoef(sound[312 : len(TONE)], TONE[:-312])[0, 1] > 0.98
            assert sum(len(sent.chunk.weights) for sent in answer[:-1]) * 1920 == len(sound)

    in_loop(body)
