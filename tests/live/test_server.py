"""The server over real sockets: names, order, times, and the messages of docs/live-protocol.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.live.loudness import REST_FRAMES, LoudnessVoices, eventually, voice
from tests.live.talking import START, blocks, check, spoken
from websockets.asyncio.client import connect as raw_connect

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.live.client import Event, Sent, connect
from diffposetalk.live.protocol import decoded
from diffposetalk.live.server import LiveServer


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000, 8_000])
def test_sound_comes_back_with_its_motion(in_loop: Callable[..., Any], rate: int) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, connect(server.url, rate=rate) as live:
            assert live.about["channels"] == list(CHANNELS) and live.rate == rate and live.fps == 25
            sound = voice(2.03, rate)
            answer = await spoken(live, sound)
            check(answer, sound)
            check(await spoken(live, sound), sound, answer[-1].chunk.end)  # the clock goes on

    in_loop(body)


@pytest.mark.parametrize("reply", ["binary", "json"])
@pytest.mark.parametrize("sound_back", ["pcm16", "float32", "none"])
def test_every_kind_of_answer(in_loop: Callable[..., Any], reply: str, sound_back: str) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, raw_connect(server.url) as socket:
            await socket.send(json.dumps({**START, "reply": reply, "sound_back": sound_back, "style": "lively"}))
            assert json.loads(await socket.recv())["type"] == "started"
            sound = voice(1.0)
            await socket.send(sound.tobytes())
            await socket.send('{"type": "finish"}')
            answer = []
            while True:
                message = await socket.recv()
                if isinstance(message, str) and json.loads(message)["type"] == "finished":
                    break
                assert isinstance(message, str) == (reply == "json")
                answer.append(decoded(message))
            assert [sent.number for sent in answer] == list(range(len(answer)))
            assert all((sent.chunk.weights[:, INDEX["mouthSmileLeft"]] == 1).all() for sent in answer)
            turn = np.concatenate([sent.chunk.head[:, 1] for sent in answer])
            assert np.allclose(turn, 0.01 * np.arange(25 + REST_FRAMES), atol=1e-6)
            if sound_back == "none":
                assert not any(sent.chunk.sound.any() for sent in answer)
                assert sum(len(sent.chunk.sound) for sent in answer) == 16_000 + 640 * REST_FRAMES
            else:
                check(answer, sound)

    in_loop(body)


def test_interrupting_says_where(in_loop: Callable[..., Any]) -> None:
    """The first utterance is shown whole; 0.6 s of the second are heard, then it is stopped; then comes a third."""

    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, connect(server.url) as live:
            first = await spoken(live, voice(1.0))
            start = first[-1].chunk.end
            heard: list[Sent] = []
            async for sent in live.speak(blocks(voice(60.0, seed=1))):
                heard.append(sent)
                if len(heard) == 20:
                    event = await live.interrupt(start + 9_600)
                    assert event.fields["position"] == start + 9_600 and event.fields["reached"] == 9_600
                    assert event.fields["utterance"] == start
            resting = heard[20:]
            assert all(sent.chunk.resting and not sent.chunk.sound.any() for sent in resting)
            assert resting[0].chunk.position == start + 9_600 and resting[-1].last
            third = voice(1.0, seed=2)
            check(await spoken(live, third), third, resting[-1].chunk.end)

    in_loop(body)


def test_interrupting_after_all_was_sent(in_loop: Callable[..., Any]) -> None:
    """An agent gets an utterance at once and plays it slowly: the position lies before the end of the motion."""

    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, connect(server.url) as live:
            await spoken(live, voice(3.0))
            event = await live.interrupt(16_000)
            assert (event.fields["position"], event.fields["utterance"], event.fields["reached"]) == (16_000, 0, 16_000)
            assert isinstance(await live.receive(), Event)
            rest = await live.receive()
            assert isinstance(rest, Sent) and rest.chunk.resting and rest.chunk.position == 16_000
            assert rest.chunk.head[0, 1] == pytest.approx(0.25)  # it goes on from the frame that was seen last

    in_loop(body)


def test_reset_begins_anew(in_loop: Callable[..., Any]) -> None:
    async def body() -> None:
        async with LiveServer(LoudnessVoices(), port=0) as server, connect(server.url) as live:
            await spoken(live, voice(1.0))
            await live.reset(style="lively")
            await live.interrupt()  # does not swallow the answer to the reset
            kinds = []
            while True:
                item = await live.receive()
                kinds.append(item.kind if isinstance(item, Event) else "chunk")
                if kinds[-1] == "finished":
                    break
            assert kinds == ["reset", "interrupted", "finished"]
            answer = await spoken(live, voice(1.0))
            assert answer[0].chunk.weights[0, INDEX["mouthSmileLeft"]] == 1

    in_loop(body)


def test_eight_sessions_at_once(in_loop: Callable[..., Any]) -> None:
    """Each gets its own motion, and all of them move on together."""

    async def body() -> None:
        voices = LoudnessVoices(slow_s=0.002)
        async with LiveServer(voices, port=0, workers=2) as server:
            order: list[int] = []

            async def one(index: int) -> None:
                async with connect(server.url) as live:
                    sound = voice(3.0, seed=index)
                    answer = []
                    async for sent in live.speak(blocks(sound)):
                        answer.append(sent)
                        order.append(index)
                    check(answer, sound)

            await asyncio.gather(*(one(index) for index in range(8)))
            half = order[: len(order) // 2]
            assert min(half.count(index) for index in range(8)) > 0, "a session had to wait for the others"
            assert all(name.startswith("motion") for name in voices.threads), "work was done on the event loop"
            await eventually(lambda: len(server.sessions) == 0)

    in_loop(body)
