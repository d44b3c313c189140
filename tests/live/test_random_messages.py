"""Messages made by chance: the server outlives them, the client refuses them by its own error."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.live.loudness import LoudnessVoices, eventually
from tests.live.talking import START, with_bystander
from websockets.asyncio.client import connect as raw_connect
from websockets.exceptions import ConnectionClosed

from diffposetalk.live.protocol import ProtocolError, Sent, decoded, encoded
from diffposetalk.live.server import Limits, LiveServer
from diffposetalk.live.synced import SyncedChunk

WORDS = ["type", "start", "finish", "interrupt", "reset", "ping", "end", "resume", "sound", "encoding", "rate", "played", "id",
         "seed", "style", "lively", "opus", "session", "received", "\ud800", "", "a" * 5000]  # fmt: skip


def anything(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.randrange(9 if depth < 3 else 7)
    if kind == 7:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 8:
        return {rng.choice(WORDS): anything(rng, depth + 1) for _ in range(rng.randrange(5))}
    return [None, True, rng.randrange(-(10**6), 10**6), rng.random() * 10 ** rng.randrange(300), float("nan"),
            10 ** rng.randrange(40), rng.choice(WORDS)][kind]  # fmt: skip


def changed(rng: random.Random, data: bytes) -> bytes:
    """The data with some bytes changed, left out or added."""
    values = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(min(48, len(values)) if rng.random() < 0.8 else len(values))
        values[at] = rng.randrange(256)
    if rng.random() < 0.3:
        values = values[: rng.randrange(len(values))]
    return bytes(values + rng.randbytes(rng.choice([0, 0, 0, 3])))


@pytest.mark.parametrize("reply", ["binary", "json"])
def test_damaged_chunks(reply: str) -> None:
    noise = np.random.default_rng(0)
    chunk = SyncedChunk(
        5, 3200, 16_000, 25.0, noise.uniform(-1, 1, 1280).astype(np.float32), noise.random((2, 52), np.float32),
        noise.random((2, 3), np.float32),
    )  # fmt: skip
    rng = random.Random(1)
    refused = 0
    for index in range(3000):
        message = encoded(Sent(chunk, 7), ("pcm16", "float32", "none")[index % 3], reply)
        data = changed(rng, message if isinstance(message, bytes) else message.encode())
        try:
            sent = decoded(data if reply == "binary" else data.decode(errors="replace"))
        except ProtocolError:
            refused += 1
        else:
            assert sent.chunk.weights.shape[1] == 52 and sent.chunk.head.shape[1] == 3
    assert refused > 500
    for field in json.loads(encoded(Sent(chunk, 7), reply="json")):
        for _ in range(50):
            message = json.dumps({**json.loads(encoded(Sent(chunk, 7), reply="json")), field: anything(rng)})
            with contextlib.suppress(ProtocolError):
                decoded(message)


def test_a_server_under_random_messages(in_loop: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(2)

    def message() -> str | bytes:
        if rng.random() < 0.3:
            return rng.randbytes(rng.choice([1, 2, 3, 640, 4000]))
        value = anything(rng)
        if rng.random() < 0.7:
            value = {"type": rng.choice(WORDS), "token": "secret word", "sound": anything(rng), "played": anything(rng)}

        return json.dumps(value) if rng.random() < 0.9 else json.dumps(value)[: rng.randrange(1, 20)]

    async def body() -> None:
        limits = Limits(resume_s=0.05, controls_per_s=1000, errors=20)
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word", limits=limits) as server,
            with_bystander(server),
        ):
            for index in range(60):
                with contextlib.suppress(ConnectionClosed):
                    async with raw_connect(server.url, close_timeout=0.1, max_queue=None) as socket:
                        sound = {"rate": 16_000, "encoding": rng.choice(["pcm16", "float32", "opus"])}
                        good = json.dumps({**START, "sound": sound, "token": "secret word"})
                        await socket.send(good if index % 3 else message())
                        for _ in range(30):
                            await socket.send(message())
            await eventually(lambda: len(server.sessions) <= 1)

    in_loop(body)
    assert not [record for record in caplog.records if record.levelname == "ERROR"], caplog.text
