"""A Pipecat pipeline without network: a sound file in place of the TTS service, playback that only takes its time.

    pip install 'diffposetalk[pipecat]'
    python talk.py speech.wav -o talk.npz                  # the motion, as the listener would have seen it
    python talk.py speech.wav --interrupt 2.5 -o talk.npz  # somebody begins to speak after 2.5 s

In a real agent take your transport and TTS service, and leave `FaceProcessor` where it is.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InterruptionWorkerFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from diffposetalk import Motion
from diffposetalk.arkit import CHANNELS
from diffposetalk.live.agents.pipecat import FaceMotionFrame, FaceProcessor
from diffposetalk.speech import Speech

RATE = 24_000
BLOCK = RATE // 10


class FileTTS(TTSService):
    """Says the same file, whatever the text."""

    def __init__(self, path: Path) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(
            push_start_frame=True, push_stop_frames=True, stop_frame_timeout_s=0.3, sample_rate=RATE, settings=settings
        )
        self._samples = np.rint(Speech.load(path).resampled(RATE).samples * 32767).astype("<i2")

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the file in blocks of 0.1 s, as fast as they are taken."""
        for start in range(0, len(self._samples), BLOCK):
            yield TTSAudioRawFrame(self._samples[start : start + BLOCK].tobytes(), RATE, 1, context_id=context_id)


class Playback(BaseOutputTransport):
    """Plays nothing, but takes as long as playing would."""

    def __init__(self) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=RATE))
        self._until = 0.0

    async def start(self, frame: Any) -> None:
        """Begin to play."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Wait until the frame has been played."""
        loop = asyncio.get_running_loop()
        self._until = max(self._until, loop.time()) + frame.num_frames / frame.sample_rate
        await asyncio.sleep(self._until - loop.time())
        return True


class Face(FrameProcessor):
    """Stands where an avatar would be drawn: takes the motion when its sound is played."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[int, np.ndarray] = {}
        self.fps = 25.0
        self.rested = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note the motion; after an interruption it goes on from where the listener stopped."""
        await super().process_frame(frame, direction)
        if isinstance(frame, FaceMotionFrame):
            chunk = frame.chunk
            self.fps = chunk.fps
            self.frames = {number: values for number, values in self.frames.items() if number < chunk.frame}
            rows = np.concatenate([chunk.weights, chunk.head], 1)
            self.frames |= dict(zip(range(chunk.frame, chunk.frame + len(rows)), rows, strict=True))
            jaw = chunk.weights[:, CHANNELS.index("jawOpen")]
            print(
                f"{chunk.position / chunk.rate:6.2f} s  {'rest ' if chunk.resting else 'speak'}  jawOpen {jaw.round(2)}"
            )
            if chunk.resting:
                self.rested.set()
        await self.push_frame(frame, direction)

    def motion(self) -> Motion:
        """Return all that was shown."""
        rows = np.stack([self.frames[number] for number in sorted(self.frames)])
        return Motion(rows[:, :52], CHANNELS, rows[:, 52:], self.fps)


async def talk(path: Path, processor: FaceProcessor, interrupt_s: float | None = None) -> Motion:
    """Say a file once; return the motion that was shown."""
    face = Face()
    worker = PipelineWorker(
        Pipeline([FileTTS(path), processor, Playback(), face]),
        params=PipelineParams(audio_out_sample_rate=RATE), cancel_on_idle_timeout=False, enable_rtvi=False,
    )  # fmt: skip

    async def conversation() -> None:
        await worker.queue_frame(TTSSpeakFrame("the words do not matter here"))
        if interrupt_s is not None:
            await asyncio.sleep(interrupt_s)
            await worker.queue_frame(InterruptionWorkerFrame())
        await face.rested.wait()
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), conversation())
    return face.motion()


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("talk.npz"))
    parser.add_argument("--style")
    parser.add_argument("--interrupt", type=float, metavar="SECONDS")
    args = parser.parse_args()
    motion = asyncio.run(talk(args.speech, FaceProcessor(style=args.style), args.interrupt))
    motion.save(args.output)
    print(f"{args.output}: {motion}")


if __name__ == "__main__":
    main()
