"""The TFHP data set's LMDB layout, read: any stretch of any video, across segments.

    metadata                        {'seg_len': frames in a segment}
    <speaker>/<video>/metadata      {'n_frames': frames of the video}
    <speaker>/<video>/<segment>     {'audio': FLAC, 'coef': {'shape' (n, I), 'exp' (n, E), 'pose' (n, 6)}}

Videos and segments are numbered ``000``...; values are pickles, read by `pickles.unpickle`. Sound is 16 kHz, motion 25
frames per second. Beside it lie ``train.txt``, ``val.txt``, ``test.txt`` and ``keys.txt`` (videos, one a line) and
``stats_train.npz`` (`statistics`). The last segment of a video may be shorter than the others.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import FIXED_WIDTHS, NAMES, Coefficients
from diffposetalk.data.lmdb_folder import Store
from diffposetalk.errors import InputError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.files.pickles import short, unpickle
from diffposetalk.media import decode_bytes
from diffposetalk.speech import SAMPLE_RATE, Speech

FPS = 25.0
"""Frames per second of the layout."""
FRAME_SAMPLES = round(SAMPLE_RATE / FPS)
"""Samples of sound per frame."""
SPLITS = ("train", "val", "test")
"""Names of the split files."""


class TfhpReader:
    """Reads a TFHP LMDB folder; opens it when first read, once a process, so it may be forked and pickled.

    Raises:
        InputError: from every method, in one line that names file and key: missing, truncated or foreign files, missing
            keys, values of the wrong kind or size, numbers that are not finite, sound that does not fit the motion.
    """

    def __init__(self, path: str | Path) -> None:
        """Name the folder (or the ``data.mdb`` in it)."""
        path = Path(path)
        self.path = path.parent if path.name == "data.mdb" else path
        self._store = Store(self.path)
        self._n_frames: dict[str, int] = {}

    @cached_property
    def seg_len(self) -> int:
        """Frames in a segment."""
        return self._whole("metadata", "seg_len")

    @cached_property
    def videos(self) -> tuple[str, ...]:
        """All videos, ``<speaker>/<video>``, in the order of their keys."""
        keys = self._store.keys(jump="metadata")
        videos = tuple(key.removesuffix("/metadata") for key in keys if key.endswith("/metadata"))
        if not videos:
            raise InputError(f"{self.path}: holds no videos (no key <speaker>/<video>/metadata)")
        return videos

    @cached_property
    def widths(self) -> dict[str, int]:
        """Width of each coefficient group, as in the first segment of the first video."""
        coefficients = self._segment(self.videos[0], 0)["coef"]
        return {name: coefficients[name].shape[1] for name in NAMES}

    def n_frames(self, video: str) -> int:
        """Return the number of frames of a video."""
        if video not in self._n_frames:
            self._n_frames[video] = self._whole(f"{video}/metadata", "n_frames")
        return self._n_frames[video]

    def split(self, name: str) -> tuple[str, ...]:
        """Return the videos of ``<name>.txt``, in its order, all of which the LMDB must hold."""
        path = self.path / f"{name}.txt"
        with parsing(path, "split file"):
            lines = [line.strip() for line in read_bytes(path, "split file").decode().splitlines()]
        videos = tuple(line for line in lines if line)
        if not videos:
            raise InputError(f"{path}: names no videos")
        for video in videos:
            if video not in self._n_frames and self._store.get(f"{video}/metadata") is None:
                raise InputError(f"{path}: names the video {video!r}, which {self.path / 'data.mdb'} does not hold")
        return videos

    def coefficients(self, video: str, start: int = 0, stop: int | None = None) -> Coefficients:
        """Return the coefficients of frames ``start`` to ``stop`` (exclusive; None for the video's end)."""
        return self.read(video, start, stop, speech=False)[0]

    def speech(self, video: str, start: int = 0, stop: int | None = None) -> Speech:
        """Return the sound of frames ``start`` to ``stop``, `FRAME_SAMPLES` samples each."""
        return Speech(self.read(video, start, stop)[1], SAMPLE_RATE)

    def clip(self, video: str, start: int = 0, stop: int | None = None) -> Clip:
        """Return frames ``start`` to ``stop`` of a video with their sound."""
        coefficients, samples = self.read(video, start, stop)
        constant = (coefficients.shape == coefficients.shape[:1]).all()
        with parsing(self._at(video), "video"):
            return Clip(
                speech=Speech(samples, SAMPLE_RATE),
                motion=coefficients.motion(FPS),
                identity=coefficients.shape[0],
                speaker=speaker_of(video),
                name=video,
                identity_frames=None if constant else coefficients.shape,
            )

    def read(
        self, video: str, start: int = 0, stop: int | None = None, speech: bool = True
    ) -> tuple[Coefficients, np.ndarray]:
        """Read frames ``start`` to ``stop`` of a video.

        Args:
            video: ``<speaker>/<video>``.
            start: first frame.
            stop: frame after the last; None for the video's end.
            speech: whether to decode the sound, which takes longer.

        Returns:
            Coefficients of ``T = stop - start`` frames and ``(T * FRAME_SAMPLES,)`` float32 samples (none without ``speech``).
        """
        n_frames = self.n_frames(video)
        stop = n_frames if stop is None else stop
        if not 0 <= start < stop <= n_frames:
            raise InputError(f"{self._at(video)}: has {n_frames} frames, asked for {start} to {stop}")
        parts: list[Coefficients] = []
        sounds: list[np.ndarray] = [np.zeros(0, np.float32)]
        for index in range(start // self.seg_len, -(-stop // self.seg_len)):
            first = index * self.seg_len
            low, high = max(start - first, 0), min(stop - first, self.seg_len)
            value = self._segment(video, index)
            parts.append(Coefficients(**value["coef"]).slice(low, high))
            if speech:
                sounds.append(self._sound(video, index, value)[low * FRAME_SAMPLES : high * FRAME_SAMPLES])
        whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in NAMES}
        return Coefficients(**whole), np.concatenate(sounds)

    def _segment(self, video: str, index: int) -> dict[str, Any]:
        """Read one segment's value and check its coefficients, which come out as float32."""
        key = f"{video}/{index:03d}"
        where = self._at(key)
        n_frames = min(self.seg_len, self.n_frames(video) - index * self.seg_len)
        value = self._value(key)
        coefficients = value.get("coef")
        if not isinstance(coefficients, dict) or not isinstance(value.get("audio"), (bytes, bytearray)):
            raise InputError(f"{where}: a segment must hold 'audio' (bytes) and 'coef' (arrays)")
        checked = {}
        for name in NAMES:
            array = coefficients.get(name)
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim != 2:
                raise InputError(f"{where}: 'coef' must hold {name!r}, an array (frames, width) of numbers")
            width = (self.__dict__.get("widths", {}) | FIXED_WIDTHS).get(name, array.shape[1])
            if array.shape != (n_frames, width):
                raise InputError(f"{where}: {name!r} is {array.shape}, not the {(n_frames, width)} of this data set")
            if not np.isfinite(array).all():
                frame = int(np.argmin(np.isfinite(array).all(axis=1)))
                raise InputError(f"{where}: {name!r} has numbers that are not finite (first in frame {frame})")
            checked[name] = array.astype(np.float32, copy=False)
        return {"audio": value["audio"], "coef": checked}

    def _sound(self, video: str, index: int, value: dict[str, Any]) -> np.ndarray:
        """Decode a segment's sound, which may be a frame longer or shorter than its motion; silence fills the gap."""
        where = self._at(f"{video}/{index:03d}")
        rate, samples = decode_bytes(value["audio"], where)
        if rate != SAMPLE_RATE:
            raise InputError(f"{where}: its sound has {rate} Hz, the layout asks for {SAMPLE_RATE}")
        n_samples = len(value["coef"]["exp"]) * FRAME_SAMPLES
        if abs(len(samples) - n_samples) > FRAME_SAMPLES:
            raise InputError(
                f"{where}: its sound lasts {len(samples) / SAMPLE_RATE:.3f} s, its motion {n_samples / SAMPLE_RATE:.3f} s"
            )
        return np.pad(samples[:n_samples], (0, max(0, n_samples - len(samples))))

    def _value(self, key: str) -> dict[str, Any]:
        data = self._store.get(key)
        if data is None:
            hint = "; is this a TFHP data set?" if key == "metadata" else ""
            raise InputError(f"{self._at(key)}: this key is missing{hint}")
        value = unpickle(data, self._at(key))
        if not isinstance(value, dict):
            raise InputError(f"{self._at(key)}: holds a {type(value).__name__}, not a dictionary")
        return value

    def _whole(self, key: str, name: str) -> int:
        value = self._value(key).get(name)
        if isinstance(value, np.ndarray) and value.shape == ():
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{self._at(key)}: {name!r} must be a whole number above 0, got {short(value)}")
        return int(value)

    def _at(self, key: str) -> str:
        return f"{os.fspath(self.path / 'data.mdb')}: {key}"


def speaker_of(video: str) -> str:
    """Return the speaker of a video's key ``<speaker>/<video>``."""
    return video.partition("/")[0]
