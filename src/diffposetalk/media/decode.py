"""Sound and video in: any file that FFmpeg's libraries can open, block by block or frame by frame."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError

DECLARED_LENGTH = ("wav", "w64", "flac", "aiff", "caf", "mov,mp4,m4a,3gp,3g2,mj2")
"""Containers whose header states the true length, so that a shorter decode means a truncated file."""

LOUDEST = 16.0
"""Float samples beyond this are not sound scaled to [-1, 1] (codecs overshoot 1 by far less)."""

SEEK_S = 0.5
"""Videos are wound to so much before the picture that is wanted: stored order and order of showing differ by less."""


@dataclass(frozen=True)
class MediaInfo:
    """What the header of a sound or video file says."""

    container: str
    """Name of the container format, such as `wav` or `matroska,webm`."""
    duration: float | None
    """Seconds as stated or estimated; None where the file does not say."""
    audio_codec: str | None = None
    """Codec of the first sound track; None without one."""
    sample_rate: int | None = None
    """Hz."""
    channels: int | None = None
    """Channels of the first sound track."""
    video_codec: str | None = None
    """Codec of the first moving picture; None without one."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: float | None = None
    """Average frames per second."""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a media file for reading; every way to fail is an `InputError` naming the file."""
    import av

    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a sound or video file")
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path}: is empty (0 bytes)")
        container = av.open(str(path), metadata_errors="ignore")
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it") from error
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(f"{path}: is not a sound or video file that can be read, or is damaged") from error
    with container:
        yield container


def _length(container: Any) -> float | None:
    return container.duration / 1e6 if container.duration and container.duration > 0 else None


def probe(path: str | Path) -> MediaInfo:
    """Read the header of a sound or video file.

    Args:
        path: any file that FFmpeg's libraries can open.

    Returns:
        What the header states; nothing is decoded.

    Raises:
        InputError: missing, empty or unreadable file, or one with neither sound nor moving pictures.
    """
    path = Path(path)
    with _opened(path) as container:
        audio = next(iter(container.streams.audio), None)
        video = next(iter(container.streams.video), None)
        if audio is None and video is None:
            raise InputError(f"{path}: has neither sound nor moving pictures")
        rate = video.average_rate if video is not None else None
        return MediaInfo(
            container=container.format.name,
            duration=_length(container),
            audio_codec=audio.codec_context.name if audio is not None else None,
            sample_rate=audio.codec_context.sample_rate if audio is not None else None,
            channels=audio.codec_context.channels if audio is not None else None,
            video_codec=video.codec_context.name if video is not None else None,
            width=video.codec_context.width if video is not None else None,
            height=video.codec_context.height if video is not None else None,
            fps=float(rate) if rate else None,
        )


def mono(frame: Any) -> np.ndarray:
    """Return a decoded audio frame as `(n,)` float32, the mean of its channels, full scale at 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128.0) / 128.0
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / float(-np.iinfo(samples.dtype).min)
    return samples.mean(axis=0, dtype=np.float64).astype(np.float32) if len(samples) > 1 else samples[0]


def _wav_length(path: Path) -> float | None:
    """Return the seconds that a wav file's header states; None for a writer that did not know them."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start[:4] != b"RIFF":
        return None
    at, bytes_per_second = 12, 0
    while at + 8 <= len(start):
        name, size = start[at : at + 4], int.from_bytes(start[at + 4 : at + 8], "little")
        if name == b"fmt ":
            bytes_per_second = int.from_bytes(start[at + 16 : at + 20], "little")
        if name == b"data":
            known = 0 < size < 0x7FFFF000 and bytes_per_second > 0  # recorders that write to a pipe state nonsense
            return size / bytes_per_second if known else None
        at += 8 + size + size % 2
    return None


def _decoded(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield `(sample rate, (n,) mono float32)` frame by frame from the first sound track, checked."""
    import av

    with _opened(path) as container:
        if not container.streams.audio:
            raise InputError(f"{path}: has no sound track")
        stream = container.streams.audio[0]
        stated = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        stated = stated if container.format.name in DECLARED_LENGTH else None
        if container.format.name == "wav":  # the library trusts the file's size instead
            stated = _wav_length(path) or stated
        origin = _origin(container)
        rate = n_read = n_bad = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else ()
            except (av.FFmpegError, OSError):  # a damaged stretch; a few are survivable, as in every player
                n_bad += 1
                if n_bad > 20:
                    break
                continue
            if packet is None:
                break
            for frame in frames:
                if rate == 0:
                    rate = frame.sample_rate
                    late = (frame.time or 0.0) - origin  # sound that starts after the picture stays in step
                    if 0.005 < late < 3600:
                        n_read += round(late * rate)
                        yield rate, np.zeros(round(late * rate), np.float32)
                elif frame.sample_rate != rate:
                    raise InputError(f"{path}: changes its sample rate at {n_read / rate:.2f} s; convert it first")
                samples = mono(frame)
                if not np.isfinite(samples).all():
                    at = (n_read + int(np.argmin(np.isfinite(samples)))) / rate
                    raise InputError(f"{path}: has NaN or infinite samples (the first at {at:.3f} s)")
                if len(samples) and np.abs(samples).max() > LOUDEST:
                    raise InputError(f"{path}: has samples beyond +-{LOUDEST:g}; float sound must lie in [-1, 1]")
                n_read += len(samples)
                yield rate, samples
    if n_read == 0:
        raise InputError(f"{path}: holds no sound (not one sample could be decoded)")
    seconds = n_read / rate
    if n_bad > 20:
        raise InputError(f"{path}: is damaged after {seconds:.2f} s of sound")
    if stated is not None and seconds < stated - max(0.25, 0.01 * stated):
        raise InputError(f"{path}: is truncated: its header says {stated:.2f} s, but it ends after {seconds:.2f} s")


def audio_blocks(
    path: str | Path, sample_rate: int = 16000, block_s: float = 1.0, start_s: float = 0.0
) -> Iterator[np.ndarray]:
    """Decode the first sound track of a file, block by block, at constant memory.

    Channels are averaged. Sound that starts later than the picture is preceded by silence, so that time 0 is
    the file's beginning.

    Args:
        path: any sound or video file that FFmpeg's libraries can open.
        sample_rate: Hz wanted; resampled by soxr (high quality) where the file differs.
        block_s: seconds in a block.
        start_s: sound before this time is left out, seconds from the file's beginning.

    Yields:
        `(n,)` float32 in [-1, 1]; every block but the last has `round(block_s * sample_rate)` samples.

    Raises:
        InputError: missing, empty, soundless, damaged or truncated file, or NaN in its samples. A truncation is
            found only at the end, after the sound that is there has been yielded.
    """
    import soxr

    n_block = max(1, round(block_s * sample_rate))
    resampler = None
    held: list[np.ndarray] = []
    n_held, n_skipped = 0, round(start_s * sample_rate)

    def complete(new: np.ndarray) -> Iterator[np.ndarray]:
        nonlocal held, n_held, n_skipped
        new, n_skipped = new[n_skipped:], max(0, n_skipped - len(new))
        held.append(np.clip(new, -1.0, 1.0))
        n_held += len(new)
        if n_held >= n_block:
            joined = np.concatenate(held)
            n_whole = n_held // n_block * n_block
            for start in range(0, n_whole, n_block):
                yield joined[start : start + n_block].copy()
            held, n_held = [joined[n_whole:].copy()], n_held - n_whole

    for rate, samples in _decoded(Path(path)):
        if rate != sample_rate:
            if resampler is None:
                resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
            samples = resampler.resample_chunk(np.ascontiguousarray(samples))
        yield from complete(samples)
    if resampler is not None:
        yield from complete(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    if n_held:
        yield np.concatenate(held)


def read_frames(path: str | Path, start_s: float = 0.0, stop_s: float = math.inf) -> Iterator[tuple[float, np.ndarray]]:
    """Decode the first moving picture of a file.

    Args:
        path: any video file that FFmpeg's libraries can open.
        start_s: pictures before this time are left out, seconds from the file's beginning.
        stop_s: pictures from this time on likewise.

    Yields:
        Time in seconds from the file's beginning and an `(H, W, 3)` uint8 RGB picture, upright where the file says how it
        is to be turned.

    Raises:
        InputError: missing, empty or damaged file, or one without moving pictures.
    """
    import av

    path = Path(path)
    with _opened(path) as container:
        if not container.streams.video:
            raise InputError(f"{path}: has no moving pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        origin = _origin(container)
        if start_s > SEEK_S and _winds_to(path, start_s):
            _wind(container, start_s)
        try:
            for frame in container.decode(stream):
                time_s = (frame.time or 0.0) - origin
                if time_s < start_s - 1e-6:
                    continue
                if time_s >= stop_s:
                    return
                picture = frame.to_ndarray(format="rgb24")
                turns = round((getattr(frame, "rotation", 0) or 0) / 90)  # phones store pictures lying on their side
                yield time_s, np.rot90(picture, turns % 4) if turns % 4 else picture
        except (av.FFmpegError, OSError) as error:
            raise InputError(f"{path}: its video is damaged") from error


def _winds_to(path: Path, start_s: float) -> bool:
    """Tell whether winding forward finds a whole picture before a time; some streams have no index and go past it."""
    import av

    with _opened(path) as container:
        try:
            _wind(container, start_s)
            first = next(container.decode(container.streams.video[0]), None)
        except (av.FFmpegError, OSError):
            return False
        return first is not None and bool(first.key_frame) and (first.time or 0.0) - _origin(container) <= start_s


def _wind(container: Any, start_s: float) -> None:
    container.seek(round((start_s - SEEK_S + _origin(container)) * 1e6))


def _origin(container: Any) -> float:
    """Return the time stamp of a file's beginning, seconds."""
    return (container.start_time or 0) / 1e6
