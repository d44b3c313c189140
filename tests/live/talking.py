"""Clients of the tests: they speak, check the answer, and read errors."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from tests.live.loudness import REST_FRAMES, loudness, voice
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from diffposetalk.arkit import INDEX
from diffposetalk.live.client import Live, Sent, connect
from diffposetalk.live.protocol import CLOSED
from diffposetalk.live.server import LiveServer

SECOND = voice(1.0)
START = {"type": "start", "protocol": 1, "sound": {"encoding": "pcm16", "rate": 16_000}}


def blocks(sound: np.ndarray, size: int = 480) -> list[np.ndarray]:
    return [sound[start : start + size] for start in range(0, len(sound), size)]


async def spoken(live: Live, sound: np.ndarray) -> list[Sent]:
    return [sent async for sent in live.speak(blocks(sound))]


def check(answer: list[Sent], sound: np.ndarray, start: int = 0) -> None:
    """The sound comes back as it went, in order; every frame shows the sound that comes with it; then the face rests."""
    rate, fps = answer[0].chunk.rate, answer[0].chunk.fps
    position = start
    for sent in answer:
        assert sent.chunk.position == position and not sent.gap
        assert sent.chunk.times[0] == pytest.approx(position / rate, abs=1e-6)
        assert len(sent.chunk.sound) == len(sent.chunk.weights) * rate / fps
        position = sent.chunk.end
    assert [sent.last for sent in answer] == [False] * (len(answer) - 1) + [True]
    assert [sent.chunk.resting for sent in answer] == [sent.last for sent in answer]
    assert not answer[-1].chunk.sound.any() and len(answer[-1].chunk.weights) == REST_FRAMES
    back = np.concatenate([sent.chunk.sound for sent in answer[:-1]])
    assert np.array_equal(back[: len(sound)], sound.astype(np.float32) / 32768) and not back[len(sound) :].any()
    assert len(back) - len(sound) < rate / fps
    weights = np.concatenate([sent.chunk.weights for sent in answer])
    jaw = weights[:, INDEX["jawOpen"]]
    assert np.allclose(jaw[:-REST_FRAMES], loudness(back, len(jaw) - REST_FRAMES), atol=1e-5)
    assert not np.delete(weights, [INDEX["jawOpen"], INDEX["mouthSmileLeft"]], axis=1).any()


@contextlib.asynccontextmanager
async def with_bystander(server: LiveServer) -> AsyncIterator[None]:
    """Somebody who speaks during the block, from before it until after it, and must get everything right."""
    over = asyncio.Event()

    async def speak() -> None:
        async with connect(server.url, token="secret word") as live:
            start = 0
            while True:
                answer = await spoken(live, SECOND)
                check(answer, SECOND, start)
                start = answer[-1].chunk.end
                if over.is_set():
                    return
                await asyncio.sleep(0.02)

    task = asyncio.create_task(speak())
    await asyncio.sleep(0.05)
    try:
        yield
    finally:
        over.set()
        await task


async def refused(socket: ClientConnection) -> dict[str, Any]:
    """Read up to the error that ends the connection; return it."""
    try:
        while True:
            message = await socket.recv()
            if isinstance(message, str) and json.loads(message).get("fatal"):
                error = json.loads(message)
                with pytest.raises(ConnectionClosed):
                    while True:
                        await socket.recv()
                assert socket.close_code == CLOSED.get(error["code"], 4400)
                assert "\n" not in error["message"]
                return dict(error)
    except ConnectionClosed:
        return {"code": socket.close_code, "message": socket.close_reason}
