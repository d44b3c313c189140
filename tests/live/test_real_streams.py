"""The server with a real model: sessions that share networks and threads get what each would get alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.live.talking import blocks

from diffposetalk.arkit import INDEX
from diffposetalk.errors import UsageError
from diffposetalk.generate import hops
from diffposetalk.generate.talker import Talker
from diffposetalk.live.client import Sent, connect
from diffposetalk.live.server import LiveServer, Manner, TalkerVoices
from diffposetalk.live.synced import SyncedChunk, SyncedStream
from diffposetalk.model.checkpoint import Model
from diffposetalk.speech import Speech


@pytest.fixture(scope="module")
def voices(tiny_model: Model) -> TalkerVoices:
    return TalkerVoices(Talker(tiny_model))


def joined(chunks: list[SyncedChunk]) -> np.ndarray:
    return np.concatenate([np.concatenate([chunk.weights, chunk.head], 1) for chunk in chunks])


def test_an_utterance_is_what_the_stream_says_and_then_rest(voices: TalkerVoices, speech: Speech) -> None:
    synced = SyncedStream(voices.stream(Manner("lively", 3)), 16_000)
    sound = speech.samples[:31_000]
    chunks = [chunk for start in range(0, 31_000, 700) for chunk in synced.feed(sound[start : start + 700])]
    chunks += synced.finish()
    assert [chunk.resting for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    stream = voices.talker.stream("lively", seed=3)
    parts = [stream.feed(sound, 16_000), stream.finish()]
    wanted = np.concatenate([part.motion.head_pose for part in parts if part is not None])
    said = np.concatenate([chunk.head for chunk in chunks[:-1]])
    assert len(said) == len(wanted) == 49
    assert np.array_equal(said, wanted)
    assert np.array_equal(np.concatenate([chunk.sound for chunk in chunks])[:31_000], sound)
    for a, b in pairwise(chunks):
        assert a.end == b.position and a.frame + len(a.weights) == b.frame
    assert synced.finish() == [] and synced.interrupt() == []


@pytest.mark.parametrize("back", [0, 5])
def test_an_interruption_goes_on_from_the_frame_that_was_seen(voices: TalkerVoices, speech: Speech, back: int) -> None:
    synced = SyncedStream(voices.stream(Manner()), 16_000)
    chunks = synced.feed(speech.samples)
    frame = synced.position // 640 - back
    (rest,) = synced.interrupt(640 * frame - 100)
    assert rest.frame == frame and rest.position == 640 * frame and rest.resting and not rest.sound.any()
    seen = joined(chunks)[:frame]
    steps = np.abs(np.diff(seen[:, -3:], axis=0)).max()
    assert np.abs(rest.head[0] - seen[-1, -3:]).max() < 3 * steps  # no jump of the head
    (again,) = synced.feed(speech.samples[:16_000])[:1]
    assert again.position == rest.end and np.array_equal(again.sound, speech.samples[: len(again.sound)])


def test_the_clock_is_right_when_more_was_made_than_a_stream_keeps(
    voices: TalkerVoices, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight seconds were made, of which a stream keeps two, and one second of them was heard."""
    monkeypatch.setattr(hops, "KEPT_FRAMES", 50)
    synced = SyncedStream(voices.stream(Manner()), 16_000)
    for _ in range(4):
        synced.feed(speech.samples)
    (rest,) = synced.interrupt(16_000)
    assert rest.position == 16_000
    said = synced.feed(speech.samples) + synced.finish()
    assert said[0].position == rest.end
    (rest,) = synced.interrupt(said[0].position + 16_000)
    assert rest.position == said[0].position + 16_000


def test_sessions_at_once_equal_sessions_alone(
    in_loop: Callable[..., Any], voices: TalkerVoices, speech: Speech
) -> None:
    manners = [("neutral", 0), ("lively", 0), ("lively", 7), ("neutral", 1)]

    async def body() -> list[np.ndarray]:
        async with LiveServer(voices, port=0, workers=3) as server:

            async def one(style: str, seed: int) -> list[Sent]:
                async with connect(server.url, style=style, seed=seed, encoding="float32") as live:
                    return [sent async for sent in live.speak(blocks(speech.samples, 1_234))]

            answers = await asyncio.gather(*(one(*manner) for manner in manners))
            return [joined([sent.chunk for sent in answer]) for answer in answers]

    results = in_loop(body)
    for (style, seed), result in zip(manners, results):
        synced = SyncedStream(voices.stream(Manner(style, seed)), 16_000)
        assert np.array_equal(result, joined(synced.feed(speech.samples) + synced.finish()))
    assert not np.allclose(results[0], results[1]) and not np.allclose(results[1], results[2])


def test_the_bundled_model_opens_its_mouth(in_loop: Callable[..., Any], talker: Talker, sample_path: Path) -> None:
    async def body() -> np.ndarray:
        sound = Speech.load(sample_path).slice(3.0, 5.0).samples
        async with LiveServer(TalkerVoices(talker), port=0) as server, connect(server.url) as live:
            return joined([sent.chunk async for sent in live.speak(blocks(sound))])

    jaw = in_loop(body)[:, INDEX["jawOpen"]]
    assert np.ptp(jaw[:50]) > 0.1 and jaw[-1] < jaw[:50].max() / 2


def test_models_that_cannot_be_served_are_refused(tiny_model: Model) -> None:
    from dataclasses import replace

    names = tuple(f"exp_{index:02d}" for index in range(52))
    space = replace(tiny_model.space, head="flame", channels=(*names, *tiny_model.space.channels[-3:]))
    with pytest.raises(UsageError, match="such as lite"):
        TalkerVoices(Talker(replace(tiny_model, space=space)))
