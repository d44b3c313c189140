"""LiveKit Agents: an audio output that passes the agent's speech on and makes the motion of a face for it.

    await session.start(agent, room=ctx.room)
    session.output.audio = FaceAudioOutput(session.output.audio, on_motion=publish_to(ctx.room), style="lively")

`on_motion` is called with each chunk when its sound is played, and after an interruption at once with the way to rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from diffposetalk.live.agents.face import face_of, pcm_of
from diffposetalk.live.agents.pacing import AT_ONCE, OnMotion, Pacer, Segment
from diffposetalk.live.protocol import Sent, encoded

if TYPE_CHECKING:
    from diffposetalk.generate.talker import Talker
    from diffposetalk.live.synced import MotionStream, SyncedChunk

TOPIC = "diffposetalk"
"""Topic of the data packets of `publish_to`."""


class FaceAudioOutput(AudioOutput):
    """Passes speech on, a little later and in step with the motion."""

    def __init__(
        self,
        next_in_chain: AudioOutput,
        *,
        on_motion: OnMotion,
        talker: Talker | None = None,
        style: str | None = None,
        seed: int = 0,
        stream: MotionStream | None = None,
    ) -> None:
        """Load what makes the motion.

        Args:
            next_in_chain: the output that plays the speech, such as ``session.output.audio``.
            on_motion: called with each chunk of motion (see `diffposetalk.live.synced.SyncedChunk`).
            talker: the model. Default: the bundled one.
            style: name of a preset or a style file (see `Talker.style`). Default: the model's.
            seed: the same seed, speech and style give the same motion.
            stream: a stream in place of a model.
        """
        super().__init__(
            label="DiffPoseTalk", next_in_chain=next_in_chain, capabilities=AudioOutputCapabilities(pause=True)
        )
        self._face = face_of(talker, stream, style, seed)
        self._pacer = Pacer(on_motion)
        self._segment = Segment(0.0)
        self._capturing = self._passed = self._flushed = False
        self._n_playing = 0  # segments that were captured and have not ended
        self._finishing: asyncio.Task[None] | None = None
        self._resting: asyncio.Task[None] | None = None

    @property
    def sample_rate(self) -> int | None:
        """The rate that the next output wants, Hz."""
        return self._sink.sample_rate

    @property
    def _sink(self) -> AudioOutput:
        sink = self.next_in_chain
        assert sink is not None
        return sink

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a piece of speech; pass on what has its motion."""
        for task in (self._finishing, self._resting):
            if task is not None:
                await asyncio.wait([task])
        await super().capture_frame(frame)
        if not self._capturing:
            self._capturing, self._passed, self._flushed = True, False, False
            self._n_playing += 1
            self._segment = Segment(self._face.position_s)
        await self._pass_on(await self._face.hear(bytes(frame.data), frame.sample_rate, frame.num_channels))

    def flush(self) -> None:
        """End the segment: what remains of it is passed on soon."""
        super().flush()
        if not self._capturing:
            self._sink.flush()
            return
        self._capturing = False
        self._finishing = asyncio.create_task(self._finish(), name="end of a segment")

    def clear_buffer(self) -> None:
        """Stop speaking. The face comes to rest from where the playback was."""
        if self._finishing is not None:
            self._finishing.cancel()
        self._capturing = False
        self._pacer.clear()
        if self._passed:
            if not self._flushed:
                self._sink.flush()
            self._flushed = True
            self._sink.clear_buffer()  # it says how much was played
        elif self._n_playing:
            self.on_playback_finished(playback_position=0.0, interrupted=True)

    def on_playback_started(self, *, created_at: float) -> None:
        """Start the clock of the motion."""
        self._pacer.started(self._segment, created_at)
        super().on_playback_started(created_at=created_at)

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        """Bring the face to rest if the segment was interrupted."""
        if interrupted and self._n_playing:
            self._pacer.clear()
            self._resting = asyncio.create_task(self._rest(self._segment.start_s + playback_position))
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=synchronized_transcript,
        )

    def pause(self) -> None:
        """Pause speech and face."""
        super().pause()
        self._pacer.pause()

    def resume(self) -> None:
        """Go on."""
        super().resume()
        self._pacer.resume()

    async def aclose(self) -> None:
        """End the threads and tasks."""
        for task in (self._finishing, self._resting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._pacer.aclose()
        self._face.close()

    async def _finish(self) -> None:
        await self._pass_on(await self._face.finish())
        self._flushed = True
        self._sink.flush()

    async def _rest(self, played_s: float) -> None:
        for chunk in await self._face.interrupt(played_s):
            self._pacer.add(AT_ONCE, chunk)

    async def _pass_on(self, chunks: list[SyncedChunk]) -> None:
        for chunk in chunks:
            self._pacer.add(self._segment, chunk)
            if not chunk.resting:
                self._passed = True
                pcm = pcm_of(chunk)
                await self._sink.capture_frame(rtc.AudioFrame(pcm, chunk.rate, 1, len(pcm) // 2))


def publish_to(room: Any, topic: str = TOPIC) -> OnMotion:
    """Return a function that sends chunks to everybody in a room as data packets, for `FaceAudioOutput`.

    A packet is a chunk of docs/live-protocol.md without its sound; `decodeChunk` of the JavaScript client reads it.

    Args:
        room: a `livekit.rtc.Room`.
        topic: topic of the packets.
    """
    number = 0

    async def publish(chunk: SyncedChunk) -> None:
        nonlocal number
        packet = encoded(Sent(chunk, number, last=chunk.resting), "none")
        number += 1
        await room.local_participant.publish_data(packet, reliable=True, topic=topic)

    return publish
