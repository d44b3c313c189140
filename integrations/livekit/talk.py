"""A LiveKit agent session without room and network: a sound file in place of the TTS, playback that only takes its time.

    pip install 'diffposetalk[livekit]'
    python talk.py speech.wav -o talk.npz                  # the motion, as the listener would have seen it
    python talk.py speech.wav --interrupt 2.5 -o talk.npz  # somebody begins to speak after 2.5 s

In a real agent the session plays into a room, and the motion goes there, too:

    await session.start(agent, room=ctx.room)
    session.output.audio = FaceAudioOutput(session.output.audio, on_motion=publish_to(ctx.room))
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from diffposetalk import Motion
from diffposetalk.arkit import CHANNELS
from diffposetalk.live.agents.livekit import FaceAudioOutput
from diffposetalk.live.synced import SyncedChunk
from diffposetalk.speech import Speech

RATE = 24_000
BLOCK = RATE // 10


class Playback(AudioOutput):
    """Plays nothing, but takes as long as playing would."""

    def __init__(self) -> None:
        super().__init__(label="playback", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE)
        self._began: float | None = None
        self._seconds = 0.0
        self._ending: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a piece of speech."""
        await super().capture_frame(frame)
        if self._began is None:
            self._began, self._seconds = time.time(), 0.0
            self.on_playback_started(created_at=self._began)
        self._seconds += frame.duration

    def flush(self) -> None:
        """The segment ends when all of it has been played."""
        super().flush()
        if self._began is not None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> None:
        assert self._began is not None
        await asyncio.sleep(self._began + self._seconds - time.time())
        self._began = None
        self.on_playback_finished(playback_position=self._seconds, interrupted=False)

    def clear_buffer(self) -> None:
        """Stop, and say how much was played."""
        if self._ending is not None:
            self._ending.cancel()
        if self._began is not None:
            played, self._began = min(self._seconds, time.time() - self._began), None
            self.on_playback_finished(playback_position=played, interrupted=True)


class Face:
    """Stands where an avatar would be drawn: takes the motion when its sound is played."""

    def __init__(self) -> None:
        self.frames: dict[int, np.ndarray] = {}
        self.fps = 25.0
        self.rested = asyncio.Event()

    def __call__(self, chunk: SyncedChunk) -> None:
        """Note the motion; after an interruption it goes on from where the listener stopped."""
        self.fps = chunk.fps
        self.frames = {number: values for number, values in self.frames.items() if number < chunk.frame}
        rows = np.concatenate([chunk.weights, chunk.head], 1)
        self.frames |= dict(zip(range(chunk.frame, chunk.frame + len(rows)), rows, strict=True))
        jaw = chunk.weights[:, CHANNELS.index("jawOpen")]
        print(f"{chunk.position / chunk.rate:6.2f} s  {'rest ' if chunk.resting else 'speak'}  jawOpen {jaw.round(2)}")
        if chunk.resting:
            self.rested.set()

    def motion(self) -> Motion:
        """Return all that was shown."""
        rows = np.stack([self.frames[number] for number in sorted(self.frames)])
        return Motion(rows[:, :52], CHANNELS, rows[:, 52:], self.fps)


async def speech_of(path: Path) -> AsyncIterator[rtc.AudioFrame]:
    """Yield a file in blocks of 0.1 s, as a TTS would."""
    samples = np.rint(Speech.load(path).resampled(RATE).samples * 32767).astype("<i2")
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK]
        yield rtc.AudioFrame(block.tobytes(), RATE, 1, len(block))


async def talk(path: Path, face: Face, output: FaceAudioOutput, interrupt_s: float | None = None) -> Motion:
    """Say a file once; return the motion that was shown."""
    async with AgentSession() as session:
        session.output.audio = output
        await session.start(Agent(instructions="The words do not matter here."))
        speech = session.say("The words do not matter here.", audio=speech_of(path))
        if interrupt_s is not None:
            await asyncio.sleep(interrupt_s)
            await speech.interrupt(force=True)
        await speech.wait_for_playout()
        await face.rested.wait()
    await output.aclose()
    return face.motion()


async def run(path: Path, style: str | None, interrupt_s: float | None) -> Motion:
    """Talk with the bundled model."""
    face = Face()
    return await talk(path, face, FaceAudioOutput(Playback(), on_motion=face, style=style), interrupt_s)


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("talk.npz"))
    parser.add_argument("--style")
    parser.add_argument("--interrupt", type=float, metavar="SECONDS")
    args = parser.parse_args()
    motion = asyncio.run(run(args.speech, args.style, args.interrupt))
    motion.save(args.output)
    print(f"{args.output}: {motion}")


if __name__ == "__main__":
    main()
