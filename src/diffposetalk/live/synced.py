"""Sound and the motion made of it, with one clock.

The clock counts samples at the rate of the sound. Frame ``i`` begins at sample ``round(i * rate / fps)`` and covers the
sound until the next frame begins. Whatever ends an utterance, its finish or an interruption, the face then comes to rest,
with silence as the sound of these frames. The clock goes on over all of this. An interruption may set it back to the
position that the listener has reached; a reset sets it to 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange.names import arkit_weights
from diffposetalk.motion import Motion


class TimedMotion(Protocol):
    """Frames with their time, such as `generate.stream.Chunk`."""

    @property
    def start_s(self) -> float:
        """Time of the first frame, seconds since the beginning of the stream."""

    @property
    def motion(self) -> Motion:
        """The frames."""


class MotionStream(Protocol):
    """Makes motion of never-ending sound; see `generate.stream.Stream`."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    @property
    def delay_s(self) -> float:
        """Seconds from the beginning of a frame's sound until that frame can come out, at most."""

    def feed(self, pcm: np.ndarray, sample_rate: int) -> TimedMotion | None:
        """Take the next ``(n,)`` float32 samples; return the frames that are ready, if any."""

    def interrupt(self, at_s: float | None = None) -> TimedMotion:
        """Forget the sound ahead, take back the frames from ``at_s`` on; return the frames of the way to rest."""

    def reset(self) -> None:
        """Begin again at time 0."""


@dataclass(frozen=True)
class SyncedChunk:
    """Sound and the frames that belong to it."""

    frame: int
    """Number of the first frame, counted from the start of the session."""
    position: int
    """Number of the first sample, counted in the same way."""
    rate: int
    """Sample rate, Hz."""
    fps: float
    """Frames per second."""
    sound: np.ndarray
    """``(n,)`` float32 in [-1, 1]: the sound during these frames."""
    weights: np.ndarray
    """``(F, 52)`` float32: ARKit weights in the order of `diffposetalk.arkit.CHANNELS`."""
    head: np.ndarray
    """``(F, 3)`` float32: rotation of the head, axis-angle in radians, right-handed, Y up, face toward +Z."""
    resting: bool = False
    """Whether these frames are the way to rest after an utterance or an interruption; their sound is silence."""

    @property
    def end(self) -> int:
        """Position of the first sample after the chunk."""
        return self.position + len(self.sound)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.sound) / self.rate

    @property
    def times(self) -> np.ndarray:
        """``(F,)`` seconds since the start of the session at which the frames begin."""
        return (self.frame + np.arange(len(self.weights))) / self.fps


class SyncedStream:
    """A stream of motion together with its sound, at the rate of the sound."""

    def __init__(self, stream: MotionStream, rate: int) -> None:
        """Begin at position 0.

        Args:
            stream: makes the motion.
            rate: sample rate of the sound, Hz.
        """
        self.rate = rate
        self.fps = stream.fps
        self._stream = stream
        self._waiting = np.zeros(0, np.float32)
        self._frame = self._start = 0  # the next frame, and the first of the utterance
        self._n_heard = 0  # samples of the utterance
        self._shift = 0  # frames by which the stream's clock is ahead of this one

    @property
    def position(self) -> int:
        """Position of the next sample that goes out."""
        return self.position_of(self._frame)

    def position_of(self, frame: int) -> int:
        """Return the position at which a frame begins."""
        return round(frame * self.rate / self.fps)

    def feed(self, sound: np.ndarray) -> list[SyncedChunk]:
        """Take sound, ``(n,)`` float32 in [-1, 1] at `rate`; return what is ready."""
        if len(sound) == 0:
            return []
        self._n_heard += len(sound)
        self._waiting = np.concatenate([self._waiting, sound])
        made = self._stream.feed(sound, self.rate)
        return [] if made is None else [self._chunk(made.motion)]

    def finish(self) -> list[SyncedChunk]:
        """End the utterance: return what remains of it, then the way to rest. The last frame is filled up with silence."""
        if self._n_heard == 0:
            return []
        end = self._start + math.ceil(round(self._n_heard * self.fps / self.rate, 6))
        silence = np.zeros(math.ceil(self.rate / self.fps), np.float32)
        motions: list[Motion] = []
        n_frames = 0
        for _ in range(math.ceil(self._stream.delay_s * self.fps) + 25):
            if self._frame + n_frames >= end:
                break
            made = self._stream.feed(silence, self.rate)
            if made is not None:
                motions.append(made.motion)
                n_frames += len(made.motion)
        chunks = [self._chunk(Motion.joined(motions).slice(0, end - self._frame))] if motions else []
        return [*chunks, *self._rest(end)]

    def interrupt(self, position: int | None = None) -> list[SyncedChunk]:
        """Stop speaking: drop the sound that waits; return the way to rest.

        Args:
            position: where the listener has stopped. What was returned after it is void, and the clock goes on from
                there, at the next frame. Default: the end of what was returned.
        """
        frame = self._frame
        if position is not None:
            frame = min(frame, math.ceil(round(position * self.fps / self.rate, 6)))
        if frame == self._frame and self._n_heard == 0:
            return []  # it is at rest
        return self._rest(frame)

    def change_rate(self, rate: int) -> None:
        """Take sound at another rate from now on, between two utterances; positions then count its samples."""
        assert self._n_heard == 0, "the rate cannot change within an utterance"
        self.rate = rate

    def reset(self) -> None:
        """Forget everything; the clock begins at 0."""
        self._stream.reset()
        self._waiting = self._waiting[:0]
        self._frame = self._start = self._n_heard = self._shift = 0

    def _rest(self, frame: int) -> list[SyncedChunk]:
        """Return the frames of the way to rest, which begin at a frame at or before the present one."""
        made = self._stream.interrupt((frame + self._shift) / self.fps)
        self._shift = round(made.start_s * self.fps) - frame  # it keeps only the last minute
        self._waiting = self._waiting[:0]
        self._frame = frame
        chunk = self._chunk(made.motion, resting=True)
        self._start, self._n_heard = self._frame, 0
        return [chunk]

    def _chunk(self, motion: Motion, resting: bool = False) -> SyncedChunk:
        first = self._frame
        self._frame += len(motion)
        start = self.position_of(first)
        n = self.position_of(self._frame) - start
        taken, self._waiting = self._waiting[:n], self._waiting[n:].copy()
        sound = np.pad(taken, (0, n - len(taken)))
        weights = arkit_weights(motion, CHANNELS)
        return SyncedChunk(first, start, self.rate, self.fps, sound, weights, motion.head_pose, resting)
