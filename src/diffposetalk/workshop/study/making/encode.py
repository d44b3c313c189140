"""Videos of a study: all are encoded alike, so that neither format nor metadata tells the system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.media import Recording, VideoWriter, audio_blocks, read_frames
from diffposetalk.workshop.study.making.sources import Source

SHIFT_S = 0.5
"""Delay of the sound in the anchor `shifted`, seconds."""
SOUND_RATE = 48000
"""Sample rate of shifted sound, Hz."""
USUAL_FPS = 25.0
"""Frames per second where a file does not state them."""


def encode(source: Source, path: Path) -> float:
    """Write a video as H.264 and AAC with the sound at its place.

    Args:
        source: the video.
        path: `.mp4` file to write.

    Returns:
        Seconds of the pictures.
    """
    return _write(source, _pictures(source), _sound(source), path)


def encode_anchor(kind: str, source: Source, other: Source | None, path: Path) -> float:
    """Write an anchor that is made from the reference.

    Args:
        kind: key of `plan.ANCHORS`.
        source: the reference.
        other: the reference of another clip, whose sound `other-sound` takes.
        path: `.mp4` file to write.

    Returns:
        Seconds of the pictures.
    """
    if kind == "frozen":
        pictures = _pictures(source)
        first = next(pictures)
        return _write(source, (first for _ in _chain_length(pictures)), _sound(source), path)
    if kind == "shifted":
        return _write(source, _pictures(source), _late(source.path), path, SOUND_RATE)
    assert other is not None
    return _write(source, _pictures(source), Recording(other.path), path)


def _chain_length(rest: Iterator[np.ndarray]) -> Iterator[None]:
    """Yield once for the picture that was taken, and once for each that follows."""
    yield None
    for _ in rest:
        yield None


def _sound(source: Source) -> Recording | None:
    return Recording(source.path) if source.info.audio_codec is not None else None


def _late(path: Path) -> Iterator[np.ndarray]:
    """Yield the sound of a file, `SHIFT_S` late."""
    yield np.zeros(round(SHIFT_S * SOUND_RATE), np.float32)
    yield from audio_blocks(path, SOUND_RATE)


def _pictures(source: Source) -> Iterator[np.ndarray]:
    """Yield the pictures at a steady rate, with even width and height.

    A picture is repeated where the file has a gap, and left out where two fall into one step.
    """
    fps = source.info.fps or USUAL_FPS
    n_yielded = 0
    latest: np.ndarray | None = None
    for time_s, picture in read_frames(source.path):
        place = round(time_s * fps)
        if latest is not None:
            for _ in repeat(None, max(0, place - n_yielded)):
                yield latest
                n_yielded += 1
        latest = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
    if latest is None:
        raise InputError(f"{source.path}: has no pictures")
    yield latest


def _write(
    source: Source,
    pictures: Iterable[np.ndarray],
    audio: Recording | Iterable[np.ndarray] | None,
    path: Path,
    rate: int = 16000,
) -> float:
    fps = source.info.fps or USUAL_FPS
    with VideoWriter(path, fps, audio, rate) as video:
        for picture in pictures:
            video.write(picture)
    return float(video.n_frames / video.fps)
