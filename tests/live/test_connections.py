"""Clients that are slow, gone or idle, servers that stop, and thousands of sessions one after another."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.live.loudness import REST_FRAMES, LoudnessVoices, eventually, voice
from tests.live.talking import SECOND, START, blocks, check, refused, spoken, with_bystander
from websockets.asyncio.client import connect as raw_connect

from diffposetalk.live.client import LiveError, Sent, connect
from diffposetalk.live.protocol import decoded
from diffposetalk.live.server import Limits, LiveServer
from diffposetalk.live.server.session import Session


@pytest.mark.parametrize("slow", ["pause", "drop"])
def test_slow_readers(in_loop: Callable[..., Any], slow: str) -> None:
    """One minute is sent and nothing read: what waits stays bounded; then all comes, or what was not dropped."""

    async def body() -> None:
        limits = Limits(unsent_s=2.0, ahead_s=5.0)
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word", limits=limits) as server,
            with_bystander(server),
            raw_connect(server.url, max_queue=4) as socket,
        ):
            await socket.send(json.dumps({**START, "token": "secret word", "slow": slow, "sound_back": "float32"}))
            session = json.loads(await socket.recv())["session"]
            sound = voice(60.0)

            async def send() -> None:
                for block in blocks(sound, 16_000):
                    await socket.send(block.tobytes())
                await socket.send('{"type": "finish"}')

            sending = asyncio.create_task(send())
            own = server.sessions.get(session)
            assert own is not None
            for _ in range(50):
                await asyncio.sleep(0.02)
                assert own.unsent_s <= limits.unsent_s + 0.2 and own.waiting_s <= limits.ahead_s + 1.0
            answer: list[Sent] = []
            while not answer or not answer[-1].last:
                message = await socket.recv()
                answer.append(decoded(message))
            await sending
            if slow == "pause":
                check(answer, sound)
            else:
                jumps = [b.chunk.position - a.chunk.end for a, b in pairwise(answer)]
                assert [jump > 0 for jump in jumps] == [sent.gap for sent in answer[1:]]
                assert any(jumps) and answer[-1].chunk.end == 60 * 16_000 + 640 * REST_FRAMES

    in_loop(body)


def test_a_reader_that_never_reads_is_cut_off(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        limits = Limits(unsent_s=0.5, ahead_s=1.0, stall_s=1.5, resume_s=0.1)
        async with (
            LiveServer(LoudnessVoices(), port=0, token="secret word", limits=limits) as server,
            with_bystander(server),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
            writer.write(
                f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            await reader.read(1)

            def framed(data: bytes, code: int) -> bytes:
                return bytes([0x80 | code, 0x80 | 127]) + len(data).to_bytes(8, "big") + bytes(4) + data

            start = {**START, "token": "secret word", "sound_back": "float32"}
            writer.write(framed(json.dumps(start).encode(), 1))
            with contextlib.suppress(ConnectionError, TimeoutError):
                for _ in range(600):
                    writer.write(framed(voice(1.0).tobytes(), 2))
                    async with asyncio.timeout(5):
                        await writer.drain()
            await eventually(lambda: len(server.sessions) == 1)  # the bystander's
            writer.transport.abort()

    in_loop(body)


def test_disconnected_in_the_middle(in_loop: Callable[..., Any]) -> None:
    """Resumed, the session goes on: nothing is lost, nothing comes twice. Too late, it is unknown."""

    async def body() -> None:
        limits = Limits(resume_s=2.0)
        async with (
            LiveServer(LoudnessVoices(slow_s=0.001), port=0, limits=limits) as server,
            connect(server.url, resumes=False) as live,
        ):
            sound = voice(10.0)
            pieces = blocks(sound)
            answer: list[Sent] = []
            for number, piece in enumerate(pieces):
                await live.send(piece)
                if number in (50, 51, 200):
                    live._socket.transport.abort()
                    await asyncio.sleep(0.1)
                    await live.send(b"")  # lost with the connection, and sent again
                    await live.resume()
            await live.finish()
            while not answer or not answer[-1].last:
                try:
                    item = await live.receive()
                except LiveError as error:
                    assert error.code == "disconnected"  # one for each time, after what came before it
                    continue
                if isinstance(item, Sent):
                    answer.append(item)
            check(answer, sound)
            live._socket.transport.abort()
            await eventually(lambda: len(server.sessions) == 0)
            with pytest.raises(LiveError) as caught:
                await live.resume()
            assert caught.value.code == "unknown-session"

    in_loop(body)


def test_an_utterance_goes_on_over_lost_connections(in_loop: Callable[..., Any]) -> None:
    """The client resumes by itself, also in the middle of an interruption."""

    async def body() -> None:
        async with LiveServer(LoudnessVoices(slow_s=0.001), port=0) as server, connect(server.url) as live:
            sound, answer = voice(20.0), []
            async for sent in live.speak(blocks(sound)):
                answer.append(sent)
                if len(answer) in (20, 21, 150):
                    live._socket.transport.abort()
            check(answer, sound)
            start = answer[-1].chunk.end
            async for sent in live.speak(blocks(sound)):
                if sent.chunk.end < start + 32_000:
                    continue
                live._socket.transport.abort()
                event = await live.interrupt(start + 16_000)
                assert event.fields["position"] == start + 16_000
                break
            async for sent in live.speak(blocks(sound)):  # broken off: the next one is not disturbed
                if sent.chunk.position > start + 48_000:
                    break
            again = await spoken(live, SECOND)
            check(again, SECOND, again[0].chunk.position)
            n_chunks = 0
            async for _ in live.speak(blocks(sound)):  # a new utterance ends the one before
                n_chunks += 1
                again = await spoken(live, SECOND)
                check(again, SECOND, again[0].chunk.position)
            assert n_chunks == 1

    in_loop(body)


def test_a_second_connection_takes_the_session_over(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, raw_connect(server.url) as first:
            await first.send(json.dumps(START))
            session = json.loads(await first.recv())["session"]
            async with raw_connect(server.url) as second:
                await second.send(json.dumps({"type": "resume", "session": session}))
                assert json.loads(await second.recv())["type"] == "resumed"
                assert (await refused(first))["code"] == "taken-over"
                await second.send(SECOND.tobytes())
                assert isinstance(await second.recv(), bytes)
            assert server.sessions.n_connected <= 1

    in_loop(body)


def test_many_connections_want_the_same_session(in_loop: Callable[..., Any]) -> None:
    """One of them has it in the end, and it works there."""

    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, raw_connect(server.url) as first:
            await first.send(json.dumps(START))
            session = json.loads(await first.recv())["session"]

            async def resumed() -> dict[str, Any]:
                async with raw_connect(server.url) as socket:
                    await socket.send(json.dumps({"type": "resume", "session": session}))
                    while (message := json.loads(await socket.recv()))["type"] == "resumed":
                        await socket.send(json.dumps({"type": "ping"}))
                    return dict(message)

            answers = await asyncio.gather(*(resumed() for _ in range(20)))
            kinds = [answer["type"] if answer["type"] == "pong" else answer["code"] for answer in answers]
            assert set(kinds) <= {"pong", "taken-over", "unknown-session"} and "pong" in kinds
            await eventually(lambda: server.sessions.n_connected == 0)

    in_loop(body)


def test_clients_that_leave_before_the_answer_leave_no_session(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0, limits=Limits(resume_s=0.05)) as server:
            for _ in range(20):
                socket = await raw_connect(server.url)
                await socket.send(json.dumps(START))
                socket.transport.abort()
                await socket.wait_closed()
            await eventually(lambda: server.sessions.n_started > 0 and len(server.sessions) == 0)

    in_loop(body)


def test_idle_and_silent_connections_end(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        limits = Limits(idle_s=0.6, start_s=1.5)
        async with LiveServer(LoudnessVoices(), port=0, limits=limits) as server:
            async with raw_connect(server.url) as silent:
                assert (await refused(silent))["code"] == "idle"
            async with raw_connect(server.url) as idle:
                await idle.send(json.dumps(START))
                await idle.recv()
                assert (await refused(idle))["code"] == "idle"
            await eventually(lambda: len(server.sessions) == 0)

    in_loop(body)


def test_a_server_that_stops_and_starts_again(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        server = LiveServer(LoudnessVoices(), port=0)
        await server.start()
        async with connect(server.url, resumes=False) as live:
            check(await spoken(live, SECOND), SECOND)
            await server.stop()
            with pytest.raises(LiveError) as caught:
                await live.receive()
            assert caught.value.code == "disconnected"
            with pytest.raises(LiveError) as caught:
                await live.resume()
            assert caught.value.code == "disconnected"
            async with LiveServer(LoudnessVoices(), port=server.port) as again:
                with pytest.raises(LiveError) as caught:
                    await live.resume()
                assert caught.value.code == "unknown-session"
                async with connect(again.url) as anew:
                    check(await spoken(anew, SECOND), SECOND)

    in_loop(body)


@pytest.mark.parametrize("n_sessions", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_short_sessions_leave_nothing(in_loop: Callable[..., Any], n_sessions: int) -> None:
    """One in three ends well, one in three is torn off, one in three is refused."""

    def resident() -> int:
        status = Path("/proc/self/status")
        return int(status.read_text().partition("VmRSS:")[2].split()[0]) if status.exists() else 0

    def n_files() -> int:
        folder = Path("/proc/self/fd")
        return len(os.listdir(folder)) if folder.exists() else 0

    async def body() -> None:
        limits = Limits(resume_s=0.05)
        async with LiveServer(LoudnessVoices(), port=0, limits=limits) as server:

            async def one(index: int) -> None:
                if index % 3 == 2:
                    async with raw_connect(server.url) as socket:
                        await socket.send("{")
                        await refused(socket)
                    return
                async with connect(server.url) as live:
                    if index % 3 == 0:
                        assert len(await spoken(live, SECOND[:3_200])) > 0
                    else:
                        await live.send(SECOND)
                        live._socket.transport.abort()

            async def state() -> tuple[int, int]:
                """Open files and memory, once nothing is left of the sessions."""
                await eventually(lambda: len(server.sessions) == 0 and server.n_connections == 0)
                await eventually(lambda: len(asyncio.all_tasks()) == 1)
                gc.collect()
                assert not [thing for thing in gc.get_objects() if isinstance(thing, Session)]
                return n_files(), resident()

            for index in range(n_sessions // 3):
                await one(index)
            n_open, before = await state()
            for index in range(n_sessions // 3, n_sessions):
                await one(index)
            n_open_after, after = await state()
            assert n_open_after == n_open
            assert after - before < 4_000 + n_sessions / 10  # kB

    if n_sessions > 1000:
        asyncio.run(body())
    else:
        in_loop(body)
