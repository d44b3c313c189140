"""The JavaScript client in Node, against a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.live.loudness import LoudnessVoices

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.server import LiveServer
from diffposetalk.live.server.session import Session


@pytest.fixture(scope="module")
def node() -> list[str]:
    """The command that runs Node with a WebSocket; skips where there is none."""
    for words in (["node"], ["node", "--experimental-websocket"]):
        if shutil.which("node") is None:
            break
        if not subprocess.run([*words, "-e", "new WebSocket('ws://localhost:9').onerror = () => {}"],
                              capture_output=True).returncode:  # fmt: skip
            return words
    pytest.skip("needs Node with a WebSocket (20.10 or newer)")


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_the_javascript_client(
    in_loop: Callable[..., Any], node: list[str], rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Path(__file__).with_name("client.mjs")
    hear = Session.hear

    async def body() -> dict[str, Any]:
        async with LiveServer(LoudnessVoices(), port=0, token="secret word") as server:

            async def cutting(session: Session, data: bytes) -> None:
                """Cut the connection in place of taking the message ``cut``; it comes again and is empty then."""
                if data == b"cut" and server.sessions.n_connected and not cut:
                    cut.append(data)
                    for connection in server.sessions._connections.values():
                        connection._socket.transport.abort()
                    await asyncio.sleep(60)
                await hear(session, b"" if data == b"cut" else data)

            cut: list[bytes] = []
            monkeypatch.setattr(Session, "hear", cutting)
            done = await asyncio.to_thread(
                subprocess.run, [*node, str(script), server.url, str(rate), "secret word"],
                capture_output=True, text=True, timeout=100,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return dict(json.loads(done.stdout))

    result = in_loop(body)
    assert result["refused"] == [True, "bad-token"] and result["damaged"] == "bad-message"
    assert result["channels"] == list(CHANNELS) and result["same"] and result["resumed"]
    assert result["cut"] == "disconnected"
    assert np.allclose(result["jaw"], result["loudness"], atol=1e-5) and np.ptp(result["jaw"]) > 0.1
    assert set(result["smile"]) == {1}
    n_frames = len(result["jaw"])
    assert n_frames == 63 and np.allclose(result["times"], np.arange(63) / 25)
    assert np.allclose(result["turn"], 0.01 * np.arange(63), atol=1e-6)
    for name in ("last", "resting"):
        assert result[name] == [False] * (len(result[name]) - 1) + [True]
    start = (63 + 8) * rate // 25
    assert result["interrupted"] == [5 * rate, start, 5 * rate - start]
    assert result["ended"] == [True, False] and result["whole"] == 63
    assert result["finished"] is True and result["after"] == 5 * rate
