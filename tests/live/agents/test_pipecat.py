"""The plugin for Pipecat, in Pipecat's own test pipeline and in a pipeline with TTS and an output transport."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pipecat", reason="needs pipecat-ai: pip install 'diffposetalk[pipecat]'")

from pipecat.frames.frames import (
    InterruptionFrame,
    OutputTransportMessageFrame,
    TextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.tests.utils import SleepFrame, run_test
from tests.live.loudness import REST_FRAMES, LoudnessStream, loudness, voice

from diffposetalk.arkit import INDEX
from diffposetalk.live.agents.pipecat import FaceMotionFrame, FaceProcessor
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech

ROOT = Path(__file__).parents[3]


def spoken(sound: np.ndarray, rate: int = 16_000, context: str = "answer") -> list[TTSAudioRawFrame]:
    size = rate // 50
    return [
        TTSAudioRawFrame(sound[start : start + size].tobytes(), rate, 1, context_id=context)
        for start in range(0, len(sound), size)
    ]


def test_speech_comes_out_with_its_motion(in_loop: Callable[..., Any]) -> None:
    sound = voice(1.5)
    frames = [TTSStartedFrame(), *spoken(sound), TTSStoppedFrame(), TextFrame("after")]

    async def body() -> Any:
        return await run_test(FaceProcessor(stream=LoudnessStream()), frames_to_send=frames)

    down, _ = in_loop(body)
    assert isinstance(down[0], TTSStartedFrame) and isinstance(down[-1], TextFrame)
    assert isinstance(down[-2], TTSStoppedFrame)
    talk = down[1:-3]
    motions, sounds = talk[::2], talk[1::2]
    assert {type(frame) for frame in motions} == {FaceMotionFrame}
    assert {type(frame) for frame in sounds} == {TTSAudioRawFrame}
    assert {frame.context_id for frame in sounds} == {"answer"}
    for motion, heard in zip(motions, sounds):  # each motion is followed by its own sound
        assert heard.num_frames == len(motion.chunk.sound)
        assert np.array_equal(np.frombuffer(heard.audio, "<i2"), np.rint(motion.chunk.sound * 32768))
    back = np.frombuffer(b"".join(frame.audio for frame in sounds), "<i2")
    assert np.array_equal(back[: len(sound)], sound) and not back[len(sound) :].any()
    jaw = np.concatenate([frame.chunk.weights[:, INDEX["jawOpen"]] for frame in motions])
    assert np.allclose(jaw, loudness(back / 32768, len(jaw)), atol=1e-4) and len(jaw) == 38
    rest = down[-3]
    assert isinstance(rest, FaceMotionFrame) and rest.chunk.resting and len(rest.chunk.weights) == REST_FRAMES


def test_interruptions_bring_the_face_to_rest(in_loop: Callable[..., Any]) -> None:
    frames = [
        *spoken(voice(2.0)),
        SleepFrame(1.0),
        InterruptionFrame(),
        SleepFrame(1.0),
        *spoken(voice(1.0)),
        TTSStoppedFrame(),
    ]

    async def body() -> Any:
        return await run_test(FaceProcessor(stream=LoudnessStream()), frames_to_send=frames)

    down, _ = in_loop(body)
    at = next(index for index, frame in enumerate(down) if isinstance(frame, InterruptionFrame))
    before = [frame.chunk for frame in down[:at] if isinstance(frame, FaceMotionFrame)]
    after = [frame.chunk for frame in down[at:] if isinstance(frame, FaceMotionFrame)]
    assert sum(len(chunk.weights) for chunk in before) == 50 - 6  # the last 240 ms were never heard
    assert after[0].resting and after[0].position == before[-1].end
    assert [chunk.resting for chunk in after] == [True, *[False] * (len(after) - 2), True]
    assert after[1].position == after[0].end
    said = sum(len(chunk.weights) for chunk in after[1:-1])
    assert said == 25


def test_an_answer_that_may_not_be_interrupted(in_loop: Callable[..., Any]) -> None:
    frames: list[Any] = spoken(voice(2.0))
    for frame in frames:
        frame.interruptible = False
    frames += [SleepFrame(0.2), InterruptionFrame(), TTSStoppedFrame()]

    async def body() -> Any:
        return await run_test(FaceProcessor(stream=LoudnessStream()), frames_to_send=frames)

    down, _ = in_loop(body)
    chunks = [frame.chunk for frame in down if isinstance(frame, FaceMotionFrame)]
    assert sum(len(chunk.weights) for chunk in chunks if not chunk.resting) == 50
    assert not any(frame.interruptible for frame in down if isinstance(frame, TTSAudioRawFrame))


def test_messages_for_the_client(in_loop: Callable[..., Any]) -> None:
    frames = [*spoken(voice(1.0, 24_000), 24_000), TTSStoppedFrame()]

    async def body() -> Any:
        return await run_test(FaceProcessor(stream=LoudnessStream(), messages=True), frames_to_send=frames)

    down, _ = in_loop(body)
    messages = [frame.message for frame in down if isinstance(frame, OutputTransportMessageFrame)]
    assert [message["number"] for message in messages] == list(range(len(messages)))
    assert {message["type"] for message in messages} == {"chunk"} and messages[-1]["resting"]
    rows = [frame for message in messages[:-1] for frame in message["frames"]]
    assert len(rows) == 25 and all(len(row["weights"]) == 52 and len(row["head"]) == 3 for row in rows)
    assert [row["time"] for row in rows] == pytest.approx(np.arange(25) / 25, abs=1e-3)


@pytest.mark.parametrize("interrupt_s", [None, 1.2])
def test_the_example(in_loop: Callable[..., Any], tmp_path: Path, speech: Speech, interrupt_s: float | None) -> None:
    """A TTS service, the plugin, an output transport that plays in real time; whole, and stopped in the middle."""
    spec = importlib.util.spec_from_file_location("talk_by_pipecat", ROOT / "integrations" / "pipecat" / "talk.py")
    assert spec and spec.loader
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    speech.save(tmp_path / "speech.wav")

    async def body() -> tuple[Motion, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        motion = await example.talk(tmp_path / "speech.wav", FaceProcessor(stream=LoudnessStream()), interrupt_s)
        return motion, loop.time() - began

    motion, seconds = in_loop(body)
    jaw = motion.channel("jawOpen")
    assert not jaw[-REST_FRAMES:].any() and jaw[:-REST_FRAMES].max() > 0.02
    steps = np.delete(np.diff(motion.head_pose[:, 1]), len(motion) - REST_FRAMES - 1)
    assert np.allclose(steps, 0.01, atol=1e-6)  # no frame is missing, none came twice
    wanted = loudness(np.pad(speech.samples, (0, -len(speech.samples) % 640)), -(-len(speech.samples) // 640))
    said = len(motion) - REST_FRAMES
    jump = 100 * float(motion.head_pose[said, 1] - motion.head_pose[said - 1, 1])
    assert jump == pytest.approx(1, abs=1e-3) or (interrupt_s and 0 < jump < 25)  # where it was stopped is an estimate
    assert np.allclose(jaw[: said - 1], wanted[: said - 1], atol=0.03)
    if interrupt_s is None:
        assert said == len(wanted) and seconds > 2.0
    else:
        assert 5 < said < len(wanted) - 5 and said / 25 < interrupt_s
