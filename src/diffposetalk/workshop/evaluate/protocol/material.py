"""The clips of a protocol, read from their files and checked against its hashes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.exchange import load_motion
from diffposetalk.files.limits import check_file
from diffposetalk.files.parsing import parsing
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.corpus.shards import CorpusClip, load_shard
from diffposetalk.workshop.evaluate.protocol.contents import Part, PinnedClip, Protocol, n_frames

Phones = tuple[tuple[str, float, float], ...]
"""Symbol, start and end in seconds."""


@dataclass(frozen=True)
class EvaluationClip:
    """One clip of a protocol in memory: all of one length."""

    name: str
    speaker: str
    speech: Speech
    truth: Motion
    """``T`` frames at the frame rate of the protocol."""
    style: Motion | None
    """Motion from which systems read the style; None for their default."""
    phones: Phones
    """Seconds from the start of the clip; empty where they are not known."""
    pinned: PinnedClip
    """The entry of the protocol."""


class Material:
    """The files of a protocol."""

    def __init__(self, protocol: Protocol, home: str | Path, clips: str | Path | None = None) -> None:
        """Choose the protocol.

        Args:
            protocol: what is pinned.
            home: the folder of the protocol file.
            clips: the folder of clips; None for the ``root`` of the protocol.
        """
        self.protocol = protocol
        self.folders = (Path(home) / protocol.root if clips is None else Path(clips), Path(home))

    def check(self) -> None:
        """Check that every file is there and has its hash.

        Raises:
            InputError: a file is missing or was changed; the message says which one.
        """
        for clip in self.protocol.clips:
            for part in (clip.sound, clip.truth, clip.style):
                if part is not None:
                    self._checked(clip, part)

    def clip(self, pinned: PinnedClip) -> EvaluationClip:
        """Read one clip.

        Raises:
            InputError: a file is missing, changed, damaged, or shorter than the protocol says.
        """
        fps, seconds = self.protocol.fps, pinned.seconds
        speech = self._speech(pinned)
        path = self._checked(pinned, pinned.truth)
        truth = window_of(self._motion(pinned, pinned.truth), pinned.truth.start, n_frames(pinned, fps), fps, path)
        style = None
        if pinned.style is not None:
            style = self._motion(pinned, pinned.style)
            first = round(pinned.style.start * style.fps)
            length = pinned.style.seconds
            style = style.slice(first, None if length is None else first + round(length * style.fps))
            if len(style) == 0:
                raise InputError(f"{self._checked(pinned, pinned.style)}: no motion at {pinned.style.start:g} s")
        if speech.duration < seconds - 1e-3:
            raise InputError(
                f"{self._checked(pinned, pinned.sound)}: ends {seconds - speech.duration:.3f} s before clip {pinned.name!r} does"
            )
        return EvaluationClip(
            pinned.name, pinned.speaker, speech.slice(0, seconds), truth, style, pinned.phones, pinned
        )

    def _speech(self, pinned: PinnedClip) -> Speech:
        path = self._checked(pinned, pinned.sound)
        _, _, number = pinned.sound.file.partition("#")
        whole = corpus_clip(path, number).speech if number else Speech.load(path)
        start = pinned.sound.start
        if start >= whole.duration:
            raise InputError(f"{path}: ends before clip {pinned.name!r} begins")
        return whole.slice(start, min(start + pinned.seconds, whole.duration))

    def _motion(self, pinned: PinnedClip, part: Part) -> Motion:
        path = self._checked(pinned, part)
        _, _, number = part.file.partition("#")
        motion = corpus_clip(path, number).motion if number else load_motion(path)
        if motion is None:
            raise InputError(f"{path}: the corpus has no motion of clip {number}; make it with `diffposetalk corpus`")
        return motion

    def _checked(self, clip: PinnedClip, part: Part) -> Path:
        """Return the path of a part after comparing the file's hash."""
        name = part.file.partition("#")[0]
        path = next((place for folder in self.folders if (place := folder / name).exists()), self.folders[0] / name)
        if sha256_of(path) != part.sha256.lower():
            raise InputError(
                f"{path}: was changed since the protocol was made (its SHA-256 differs, clip {clip.name!r}); "
                "restore the file, or make a new protocol"
            )
        return path


def window_of(motion: Motion, start_s: float, frames: int, fps: float, path: Path) -> Motion:
    """Return frames of a motion that begin at any time, interpolated.

    Args:
        motion: the whole motion.
        start_s: time of the first frame.
        frames: number of frames.
        fps: their rate.
        path: file of the motion, for errors.

    Raises:
        InputError: the motion ends before the last frame; half a frame is allowed.
    """
    place = (start_s + np.arange(frames) / fps) * motion.fps
    if place[-1] > len(motion) - 0.5 + 1e-6:
        raise InputError(
            f"{path}: its motion ends at {motion.duration:.2f} s, {start_s + frames / fps:.2f} s are needed"
        )
    return motion.at(np.minimum(place, len(motion) - 1), fps)


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits; a file that did not change is read only once.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    path = Path(path)
    check_file(path, "file of the protocol", factor=0)
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(4096)
def _digest(path: Path, _size: int, _changed: int) -> str:
    with parsing(path, "file of the protocol"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def corpus_clip(shard: Path, number: str) -> CorpusClip:
    """Return a clip of a corpus by the file of its speaker, speech or motion, and its number.

    Raises:
        InputError: there is no such clip.
    """
    for clip in _speaker(shard.parents[1], shard.stem):
        if clip.number == number:
            return clip
    raise InputError(f"{shard}: has no clip {number!r}")


_speaker = lru_cache(8)(load_shard)
"""Clips of the speakers read last."""
