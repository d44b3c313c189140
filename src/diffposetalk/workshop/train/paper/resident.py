"""Data sets small enough for memory: every video decoded once, sound kept as 16-bit numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import Coefficients
from diffposetalk.data.shards import ShardReader
from diffposetalk.data.tfhp import FRAME_SAMPLES, TfhpReader
from diffposetalk.errors import InputError


class ResidentReader(TfhpReader):
    """A `TfhpReader` that keeps what it has read: about 230 MB an hour of sound and coefficients."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._videos: dict[str, tuple[Coefficients, np.ndarray]] = {}

    def read(
        self, video: str, start: int = 0, stop: int | None = None, speech: bool = True
    ) -> tuple[Coefficients, np.ndarray]:
        """Return frames ``start`` to ``stop``; see `TfhpReader.read`."""
        if video not in self._videos:
            coefficients, samples = super().read(video)
            self._videos[video] = _shared_identity(coefficients), _to_int16(samples)
        coefficients, samples = self._videos[video]
        stop = len(coefficients) if stop is None else stop
        if not 0 <= start < stop <= len(coefficients):
            raise InputError(f"{self.path}: {video} has {len(coefficients)} frames, asked for {start} to {stop}")
        sound = samples[start * FRAME_SAMPLES : stop * FRAME_SAMPLES] if speech else samples[:0]
        return coefficients.slice(start, stop), sound.astype(np.float32) / 32768


class ShardVideos(ResidentReader):
    """Our own data sets (`shards`) as if they were TFHP: all clips in memory, FLAME motions only."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._splits: dict[str, tuple[str, ...]] = {}
        reader = ShardReader(path)
        for split in reader.splits:
            self._splits[split] = tuple(self._keep(reader.clips(split)))

    def _keep(self, clips: Iterable[Clip]) -> Iterable[str]:
        for clip in clips:
            coefficients = Coefficients.of_motion(clip.motion, clip.identities)
            n = len(coefficients) * FRAME_SAMPLES
            samples = clip.speech.samples[:n]
            sound = _to_int16(np.pad(samples, (0, n - len(samples))))
            self._videos[clip.name] = _shared_identity(coefficients), sound
            self._n_frames[clip.name] = len(coefficients)
            yield clip.name

    def split(self, name: str) -> tuple[str, ...]:
        """Return the clips of a split."""
        if not self._splits.get(name):
            raise InputError(f"{self.path}: has no shards of the split {name!r}")
        return self._splits[name]


def _shared_identity(coefficients: Coefficients) -> Coefficients:
    """Store an identity that never changes only once."""
    shape = coefficients.shape
    if (shape == shape[:1]).all():
        shape = np.broadcast_to(shape[0].copy(), shape.shape)
    return Coefficients(shape, coefficients.exp.copy(), coefficients.pose.copy())


def _to_int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32768).clip(-32768, 32767).astype(np.int16)
