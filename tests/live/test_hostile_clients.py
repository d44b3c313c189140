"""Clients that are slow, gone, wrong or hostile: each is refused in one line, and nobody else is hurt."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.live.loudness import LoudnessVoices, eventually
from tests.live.talking import SECOND, START, blocks, check, refused, spoken, with_bystander
from websockets.asyncio.client import connect as raw_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from diffposetalk.errors import UsageError
from diffposetalk.live.client import LiveError, connect
from diffposetalk.live.server import Limits, LiveServer

WRONG_STARTS = {
    "not json": ("{", "bad-message"),
    "not an object": ("[]", "bad-message"),
    "deep": ("[" * 100_000, "bad-message"),
    "no type": ("{}", "bad-message"),
    "sound first": (b"\0\0", "bad-message"),
    "no sound": ({"type": "start"}, "bad-message"),
    "another protocol": ({**START, "protocol": 2}, "bad-message"),
    "rate too high": ({**START, "sound": {"rate": 10**9}}, "bad-message"),
    "rate of text": ({**START, "sound": {"rate": "16000"}}, "bad-message"),
    "rate true": ({**START, "sound": {"rate": True}}, "bad-message"),
    "many channels": ({**START, "sound": {"rate": 16000, "channels": 64}}, "bad-message"),
    "unknown encoding": ({**START, "sound": {"encoding": "mp3", "rate": 16000}}, "bad-message"),
    "list as encoding": ({**START, "sound": {"encoding": [], "rate": 16000}}, "bad-message"),
    "style is a file": ({**START, "style": "/etc/passwd"}, "bad-message"),
    "style is a number": ({**START, "style": 3}, "bad-message"),
    "seed": ({**START, "seed": 1e400}, "bad-message"),
    "unknown reply": ({**START, "reply": "xml"}, "bad-message"),
    "unknown session": ({"type": "resume", "session": "x"}, "unknown-session"),
    "session of a wrong kind": ({"type": "resume", "session": ["x"]}, "unknown-session"),
    "wrong token": ({**START, "token": "secret wore"}, "bad-token"),
    "token of a wrong kind": ({**START, "token": 7}, "bad-token"),
    "token that is no text": ('{"type": "start", "token": "\\ud800"}', "bad-token"),
    "no token": ({**START, "token": None}, "bad-token"),
}


def test_wrong_beginnings(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0, token="secret word") as server, with_bystander(server):
            for name, (first, code) in WRONG_STARTS.items():
                if isinstance(first, dict):
                    first = json.dumps({"token": "secret word", **first})
                elif code != "bad-token" and isinstance(first, str):
                    first = first.replace("{}", '{"token": "secret word"}')
                async with raw_connect(server.url) as socket:
                    await socket.send(first)
                    assert (await refused(socket))["code"] == code, name
            for header, status in (("Bearer wrong", 401), ("Bearer secret word", None)):
                with pytest.raises(InvalidStatus) if status else contextlib.nullcontext():
                    async with raw_connect(server.url, additional_headers={"Authorization": header}) as socket:
                        await socket.send(json.dumps(START))
                        assert json.loads(await socket.recv())["type"] == "started"

    in_loop(body)


def test_unusable_messages_end_nothing_until_there_are_many(in_loop: Callable[..., Any]) -> None:
    garbage: list[bytes | str] = [
        b"\0", "{", '{"type": "dance"}', '{"type": "interrupt", "played": -1}', '{"type": "ping", "id": [1]}', "\ud7ff",
    ]  # fmt: skip

    async def body() -> None:
        limits = Limits(errors=len(garbage))
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word", limits=limits) as server,
            with_bystander(server),
            raw_connect(server.url) as socket,
        ):
            await socket.send(json.dumps({**START, "token": "secret word"}))
            assert json.loads(await socket.recv())["type"] == "started"
            for message in garbage:
                await socket.send(message)
                error = json.loads(await socket.recv())
                assert error["type"] == "error" and not error["fatal"] and error["message"]
            await socket.send(SECOND.tobytes())
            assert isinstance(await socket.recv(), bytes)  # it still works
            await socket.send(b"\0")
            assert (await refused(socket))["code"] == "bad-sound"

    in_loop(body)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_float_sound_that_is_none(in_loop: Callable[..., Any], bad: float) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, connect(server.url, encoding="float32") as live:
            await live.send(np.array([0, bad], "<f4").tobytes())
            event = await live.receive()
            assert event.kind == "error" and event.fields["code"] == "bad-sound"  # type: ignore[union-attr]
            check(await spoken(live, SECOND), SECOND)

    in_loop(body)


def test_oversized_messages(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0, token="secret word") as server, with_bystander(server):
            for size in (server.limits.message_bytes + 1, 50_000_000):
                socket = await raw_connect(server.url)
                await socket.send(json.dumps({**START, "token": "secret word"}))
                await socket.recv()
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(bytes(size))
                assert (await refused(socket))["code"] == 1009

    in_loop(body)


def test_a_flood_of_orders(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word") as server,
            with_bystander(server),
            raw_connect(server.url) as socket,
        ):
            await socket.send(json.dumps({**START, "token": "secret word"}))
            with contextlib.suppress(ConnectionClosed):
                for _ in range(5_000):
                    await socket.send('{"type": "interrupt"}')
            assert (await refused(socket))["code"] == "too-many-messages"

    in_loop(body)


def test_a_flood_of_tiny_sounds_waits(in_loop: Callable[..., Any]) -> None:
    """Messages of one sample are read at the stated rate, and none is lost."""

    async def body() -> None:
        limits = Limits(messages_per_s=300)
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word", limits=limits) as server,
            with_bystander(server),
            connect(server.url, token="secret word") as live,
        ):
            began = asyncio.get_running_loop().time()
            answer = [sent async for sent in live.speak(blocks(SECOND[:6_400], 8))]
            assert asyncio.get_running_loop().time() - began > 1.0  # 800 messages: 300 at once, then 300 a second
            check(answer, SECOND[:6_400])

    in_loop(body)


def test_too_many_sessions_and_connections(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        limits = Limits(sessions=2, connections=4)
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word", limits=limits) as server,
            with_bystander(server),
            connect(server.url, token="secret word"),
        ):
            with pytest.raises(LiveError, match="all 2 sessions are taken") as caught:
                async with connect(server.url, token="secret word"):
                    pass
            assert caught.value.code == "full"
            await eventually(lambda: server.n_connections == 2)
            async with raw_connect(server.url), raw_connect(server.url):
                with pytest.raises(InvalidStatus) as status:
                    await raw_connect(server.url)
                assert status.value.response.status_code == 503

    in_loop(body)


def test_a_stream_that_breaks_ends_its_own_session(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word") as server,
            with_bystander(server),
            connect(server.url, token="secret word", style="fragile") as live,
        ):
            with pytest.raises(LiveError, match="defect of the server") as caught:
                await spoken(live, np.full(16_000, -32768, np.int16))
            assert caught.value.code == "failed"

    in_loop(body)


def test_addresses_need_a_token_unless_they_are_this_machine() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.5.5.5"):
        LiveServer(LoudnessVoices(), host)
    for host in ("0.0.0.0", "", "::", "192.168.1.2", "example.org", "127.0.0.1.example.org"):
        with pytest.raises(UsageError, match="--token"):
            LiveServer(LoudnessVoices(), host)
        LiveServer(LoudnessVoices(), host, token="x")


def test_what_web_pages_may_do(in_loop: Callable[..., Any]) -> None:
    """Foreign pages may not connect, also not through a name of their own that leads here (DNS rebinding)."""

    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0, origins=["https://allowed.example"]) as server:
            here = f"127.0.0.1:{server.port}"

            async def status(origin: str | None, host: str = here) -> int:
                headers = {} if origin is None else {"Origin": origin}
                try:
                    async with raw_connect(f"ws://{here}/live", additional_headers={**headers}, proxy=None) as socket:
                        await socket.close()
                    return 101
                except InvalidStatus as error:
                    return error.response.status_code

            assert await status(None) == 101
            assert await status(f"http://{here}") == 101
            assert await status("https://allowed.example") == 101
            assert await status("https://evil.example") == 403
            assert await status("null") == 403

            def fetched(path: str, host: str = here) -> tuple[int, str]:
                request = urllib.request.Request(f"http://{here}{path}", headers={"Host": host})
                try:
                    with urllib.request.urlopen(request, timeout=10) as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as error:
                    return error.code, error.read().decode()

            code, text = await asyncio.to_thread(fetched, "/health")
            assert code == 200 and json.loads(text)["status"] == "ok" and json.loads(text)["free"] == 16
            assert (await asyncio.to_thread(fetched, "/health", "evil.example"))[0] == 421
            assert (await asyncio.to_thread(fetched, "/etc/passwd"))[0] == 404
            assert (await asyncio.to_thread(fetched, "/live"))[0] == 426
            for path, text in (("/", "<!doctype html>"), ("/live.mjs", "export")):
                code, page = await asyncio.to_thread(fetched, path)
                assert code == 200 and text in page.lower()

    in_loop(body)
