"""A stream whose motion says which sound it was made of, and voices that make such streams."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.live.protocol import ProtocolError
from diffposetalk.motion import Motion

REST_FRAMES = 8
"""Frames of the way to rest."""


@dataclass(frozen=True)
class Chunk:
    """Frames with their time."""

    start_s: float
    motion: Motion


def loudness(sound: np.ndarray, n_frames: int) -> np.ndarray:
    """The root mean square of each frame's sound."""
    return np.sqrt((sound.reshape(n_frames, -1) ** 2).mean(1))


class LoudnessStream:
    """A stream whose jaw is open as far as its frame is loud, 240 ms late; the head turns by 0.01 a frame."""

    fps, delay_s = 25.0, 0.28

    def __init__(self, style: str = "neutral", slow_s: float = 0.0) -> None:
        self.style, self.slow_s = style, slow_s
        self.reset()

    def _chunk(self, jaw: np.ndarray) -> Chunk:
        weights = np.zeros((len(jaw), len(CHANNELS)), np.float32)
        weights[:, INDEX["jawOpen"]] = jaw
        weights[:, INDEX["mouthSmileLeft"]] = self.style == "lively"
        head = np.zeros((len(jaw), 3), np.float32)
        head[:, 1] = 0.01 * (self._n + np.arange(len(jaw)))
        self._n += len(jaw)
        return Chunk((self._n - len(jaw)) / self.fps, Motion(weights, CHANNELS, head, self.fps))

    def feed(self, pcm: np.ndarray, sample_rate: int) -> Chunk | None:
        time.sleep(self.slow_s)
        if np.abs(pcm).max() >= 1.0 and self.style == "fragile":
            raise RuntimeError("this stream breaks at full scale")
        frame = sample_rate // 25
        self._sound = np.concatenate([self._sound, pcm])
        n = max(0, len(self._sound) // frame - 6)
        ready, self._sound = self._sound[: n * frame], self._sound[n * frame :]
        return self._chunk(loudness(ready, n)) if n else None

    def interrupt(self, at_s: float | None = None) -> Chunk:
        self._sound = np.zeros(0, np.float32)
        if at_s is not None:
            self._n = min(self._n, round(at_s * self.fps))
        return self._chunk(np.zeros(REST_FRAMES, np.float32))

    def reset(self, seed: int | None = None) -> None:
        self._sound, self._n = np.zeros(0, np.float32), 0


@dataclass
class LoudnessVoices:
    """Voices of `LoudnessStream`."""

    slow_s: float = 0.0
    name: str = "loudness"
    styles: tuple[str, ...] = ("neutral", "lively", "fragile")
    threads: set[str] = field(default_factory=set)

    def begin_thread(self) -> None:
        pass

    def stream(self, manner: Any) -> LoudnessStream:
        self.threads.add(threading.current_thread().name)
        if manner.style is not None and manner.style not in self.styles:
            raise ProtocolError("bad-message", f"no style {manner.style!r}: choose from {', '.join(self.styles)}")
        return LoudnessStream(manner.style or "neutral", self.slow_s)


def voice(seconds: float, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """Sound whose loudness changes from frame to frame, as 16-bit samples."""
    rng = np.random.default_rng(seed)
    n_frames = int(np.ceil(seconds * 25))
    envelope = np.repeat(rng.uniform(0.05, 0.5, n_frames), rate // 25)[: round(seconds * rate)]
    tone = np.sin(2 * np.pi * 1000 / rate * np.arange(len(envelope)))
    return np.rint(envelope * tone * 32767).astype("<i2")


async def eventually(ready: Callable[[], bool]) -> None:
    """Wait until something is so; the time limit of `in_loop` ends the wait."""
    while not ready():
        await asyncio.sleep(0.01)
