"""Pipecat: a processor after the TTS service.

    pipeline = Pipeline([transport.input(), stt, user, llm, tts, FaceProcessor(style="lively"), transport.output(), ...])

Every `TTSAudioRawFrame` comes out again in pieces, each right after the `FaceMotionFrame` that belongs to it. The output
transport keeps that order and plays the sound in real time, so a motion frame leaves the transport when its sound is
played. With ``messages=True`` the motion goes to the client as a message of the transport; otherwise processors behind
the transport take the frames.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    DataFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputTransportMessageFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from diffposetalk.live.agents.face import face_of, pcm_of
from diffposetalk.live.protocol import Sent, encoded

if TYPE_CHECKING:
    from diffposetalk.generate.talker import Talker
    from diffposetalk.live.synced import MotionStream, SyncedChunk


@dataclass
class FaceMotionFrame(DataFrame):
    """Motion of the face during the next `TTSAudioRawFrame`; `chunk.sound` is its sound.

    Parameters:
        chunk: the frames with their times (see `diffposetalk.live.synced.SyncedChunk`).
    """

    chunk: SyncedChunk

    def __str__(self) -> str:
        seconds = self.chunk.position / self.chunk.rate
        return f"{self.name}(at {seconds:.2f} s, {len(self.chunk.weights)} frames{', resting' * self.chunk.resting})"


class FaceProcessor(FrameProcessor):
    """Makes the motion of a face for the speech that passes."""

    def __init__(
        self,
        *,
        talker: Talker | None = None,
        style: str | None = None,
        seed: int = 0,
        stream: MotionStream | None = None,
        messages: bool = False,
        **kwargs: Any,
    ) -> None:
        """Load what makes the motion.

        Args:
            talker: the model. Default: the bundled one.
            style: name of a preset or a style file (see `Talker.style`). Default: the model's.
            seed: the same seed, speech and style give the same motion.
            stream: a stream in place of a model.
            messages: send the motion to the client as messages ``{"type": "chunk", ...}`` (docs/live-protocol.md)
                instead of `FaceMotionFrame`.
            kwargs: of `FrameProcessor`.
        """
        super().__init__(**kwargs)
        self._face = face_of(talker, stream, style, seed)
        self._messages = messages
        self._like: TTSAudioRawFrame | None = None
        self._played_from: float | None = None
        self._utterances: deque[tuple[float, float]] = deque(maxlen=1000)
        self._given_s = 0.0
        self._number = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take speech, its end, and interruptions; pass everything else."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM:
            if isinstance(frame, BotStartedSpeakingFrame):
                self._played_from = time.monotonic()
            elif isinstance(frame, BotStoppedSpeakingFrame):
                self._forget_playback()
        elif isinstance(frame, TTSAudioRawFrame):
            if self._face.silent:
                self._utterances.append((self._given_s, self._face.position_s))
            self._like = frame
            await self._give(await self._face.hear(frame.audio, frame.sample_rate, frame.num_channels))
            return
        elif isinstance(frame, TTSStoppedFrame | EndFrame):
            await self._give(await self._face.finish())
        elif isinstance(frame, InterruptionFrame):
            played_s = self._played_s()
            await self.push_frame(frame, direction)
            if self._like is None or self._like.interruptible:
                self._forget_playback()
                await self._give(await self._face.interrupt(played_s))
            return
        elif isinstance(frame, CancelFrame):
            self._face.close()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """End the thread."""
        await super().cleanup()
        self._face.close()

    def _played_s(self) -> float | None:
        """Return the time of the face that the listener has reached; None if the transport has not begun to speak.

        The transport plays utterance after utterance. On the clock of the face, the way to rest lies between them.
        """
        if self._played_from is None:
            return None
        played = time.monotonic() - self._played_from
        return max((clock + played - given for given, clock in self._utterances if given <= played), default=None)

    def _forget_playback(self) -> None:
        self._played_from = None
        self._utterances.clear()
        self._given_s = 0.0

    async def _give(self, chunks: list[SyncedChunk]) -> None:
        for chunk in chunks:
            await self.push_frame(self._motion(chunk))
            if not chunk.resting and self._like is not None:
                sound = TTSAudioRawFrame(
                    audio=pcm_of(chunk), sample_rate=chunk.rate, num_channels=1, context_id=self._like.context_id
                )
                self._given_s += chunk.seconds
                sound.transport_destination = self._like.transport_destination
                sound.interruptible = self._like.interruptible
                await self.push_frame(sound)

    def _motion(self, chunk: SyncedChunk) -> Frame:
        number, self._number = self._number, self._number + 1
        frame: Frame
        if self._messages:
            import json

            message = encoded(Sent(chunk, number, last=chunk.resting), "none", "json")
            frame = OutputTransportMessageFrame(message=json.loads(message))
        else:
            frame = FaceMotionFrame(chunk)
        if self._like is not None and not chunk.resting:
            frame.transport_destination = self._like.transport_destination
            frame.interruptible = self._like.interruptible
        return frame
