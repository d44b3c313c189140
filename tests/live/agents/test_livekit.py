"""The plugin for LiveKit Agents, with the framework's own audio output and in an agent session without a room."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("livekit.agents", reason="needs livekit-agents: pip install 'diffposetalk[livekit]'")

from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd, QueueAudioOutput
from tests.live.loudness import REST_FRAMES, LoudnessStream, eventually, loudness, voice

from diffposetalk.arkit import INDEX
from diffposetalk.live.agents.livekit import FaceAudioOutput, publish_to
from diffposetalk.live.protocol import decoded
from diffposetalk.live.synced import SyncedChunk
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech

ROOT = Path(__file__).parents[3]


def spoken(sound: np.ndarray, rate: int = 16_000) -> list[rtc.AudioFrame]:
    size = rate // 50
    parts = [sound[start : start + size] for start in range(0, len(sound), size)]
    return [rtc.AudioFrame(part.tobytes(), rate, 1, len(part)) for part in parts]


def test_a_segment_comes_out_with_its_motion(in_loop: Callable[..., Any]) -> None:
    sound = voice(1.5)

    async def body() -> None:
        shown: list[tuple[float, SyncedChunk]] = []
        loop = asyncio.get_running_loop()
        queue = QueueAudioOutput(sample_rate=16_000)
        output = FaceAudioOutput(
            queue, on_motion=lambda chunk: shown.append((loop.time(), chunk)), stream=LoudnessStream()
        )
        assert output.sample_rate == 16_000 and not output.can_pause
        for frame in spoken(sound):
            await output.capture_frame(frame)
        output.flush()
        heard: list[rtc.AudioFrame] = []
        async for item in queue:
            if isinstance(item, AudioSegmentEnd):
                break
            heard.append(item)
        queue.notify_playback_finished(1.5, interrupted=False)
        event = await output.wait_for_playout()
        assert event.playback_position == 1.5 and not event.interrupted
        back = np.concatenate([np.frombuffer(frame.data, "<i2") for frame in heard])
        assert np.array_equal(back[: len(sound)], sound) and not back[len(sound) :].any()
        await eventually(lambda: bool(shown) and shown[-1][1].resting)
        chunks = [chunk for _, chunk in shown]
        jaw = np.concatenate([chunk.weights[:, INDEX["jawOpen"]] for chunk in chunks])
        assert np.allclose(jaw[:-REST_FRAMES], loudness(back / 32768, 38), atol=1e-4)
        late = [at - chunk.position / chunk.rate for at, chunk in shown]  # in step with the sound
        assert shown[-1][0] - shown[0][0] > 1.4 and np.ptp(late) < 0.25
        await output.aclose()

    in_loop(body)


def test_an_interrupted_segment(in_loop: Callable[..., Any]) -> None:
    """All was captured, one second was played: the face rests from there, and the next segment goes on after that."""

    async def body() -> None:
        shown: list[SyncedChunk] = []
        queue = QueueAudioOutput(sample_rate=16_000)
        queue.once("clear_buffer", lambda: queue.notify_playback_finished(1.0, interrupted=True))
        output = FaceAudioOutput(queue, on_motion=shown.append, stream=LoudnessStream())
        for frame in spoken(voice(5.0)):
            await output.capture_frame(frame)
        await asyncio.sleep(0.2)
        output.flush()
        output.clear_buffer()
        await asyncio.sleep(0)
        output.clear_buffer()  # sessions may do it twice
        event = await output.wait_for_playout()
        assert event.interrupted and event.playback_position == 1.0
        await eventually(lambda: bool(shown) and shown[-1].resting)
        assert shown[-1].position == 16_000
        for frame in spoken(voice(1.0, seed=1)):
            await output.capture_frame(frame)
        output.flush()
        await eventually(lambda: shown[-1].resting and shown[-1].position > 20_000)
        again = [chunk for chunk in shown if chunk.position >= 16_000]
        assert again[1].position == again[0].end and sum(len(chunk.weights) for chunk in again[1:-1]) == 25
        queue.notify_playback_finished(1.0, interrupted=False)
        assert not (await output.wait_for_playout()).interrupted
        await output.aclose()

    in_loop(body)


def test_an_interruption_before_anything_came_out(in_loop: Callable[..., Any]) -> None:
    """Shorter than the look-ahead: the output below never got a frame, and nobody waits for it in vain."""

    async def body() -> None:
        queue = QueueAudioOutput(sample_rate=16_000)
        output = FaceAudioOutput(queue, on_motion=lambda chunk: None, stream=LoudnessStream())
        await output.capture_frame(spoken(voice(0.1))[0])
        output.flush()
        output.clear_buffer()
        event = await output.wait_for_playout()
        assert event.interrupted and event.playback_position == 0
        await output.aclose()

    in_loop(body)


def test_packets_for_the_room(in_loop: Callable[..., Any]) -> None:
    packets: list[tuple[bytes, bool, str]] = []

    async def publish_data(payload: bytes, *, reliable: bool, topic: str) -> None:
        packets.append((payload, reliable, topic))

    async def body() -> None:
        room = SimpleNamespace(local_participant=SimpleNamespace(publish_data=publish_data))
        queue = QueueAudioOutput(sample_rate=16_000)
        output = FaceAudioOutput(queue, on_motion=publish_to(room), stream=LoudnessStream())
        for frame in spoken(voice(0.6)):
            await output.capture_frame(frame)
        output.flush()
        await eventually(lambda: bool(packets) and decoded(packets[-1][0]).last)
        await output.aclose()

    in_loop(body)
    sent = [decoded(payload) for payload, _, _ in packets]
    assert [one.number for one in sent] == list(range(len(sent)))
    assert sum(len(one.chunk.weights) for one in sent) == 15 + REST_FRAMES
    assert all(len(payload) < 15_000 and reliable and topic == "diffposetalk" for payload, reliable, topic in packets)


@pytest.mark.parametrize("interrupt_s", [None, 1.2])
def test_the_example(in_loop: Callable[..., Any], tmp_path: Path, speech: Speech, interrupt_s: float | None) -> None:
    """An agent session that says a file; whole, and stopped in the middle."""
    spec = importlib.util.spec_from_file_location("talk_by_livekit", ROOT / "integrations" / "livekit" / "talk.py")
    assert spec and spec.loader
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    speech.save(tmp_path / "speech.wav")

    async def body() -> Motion:
        face = example.Face()
        output = FaceAudioOutput(example.Playback(), on_motion=face, stream=LoudnessStream())
        return await example.talk(tmp_path / "speech.wav", face, output, interrupt_s)

    motion = in_loop(body)
    jaw = motion.channel("jawOpen")
    assert not jaw[-REST_FRAMES:].any() and jaw[:-REST_FRAMES].max() > 0.02
    assert np.allclose(np.diff(motion.head_pose[:, 1]), 0.01, atol=1e-6)  # no frame is missing, none came twice
    wanted = loudness(np.pad(speech.samples, (0, -len(speech.samples) % 640)), -(-len(speech.samples) // 640))
    said = len(motion) - REST_FRAMES
    assert np.allclose(jaw[: said - 1], wanted[: said - 1], atol=0.03)
    assert said == len(wanted) if interrupt_s is None else 5 < said < len(wanted) - 5
