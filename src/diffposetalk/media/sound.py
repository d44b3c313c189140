"""Reading of sound: the first sound track of any file that FFmpeg's libraries can open, block by block."""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.media.source import first_stream, opened, origin
from diffposetalk.media.timeline import TimeLine

DECLARED_LENGTH = ("wav", "w64", "flac", "aiff", "caf", "mov,mp4,m4a,3gp,3g2,mj2")
"""Containers whose header states the true length, so that shorter sound means a truncated file."""

LOUDEST = 16.0
"""Largest absolute value of float samples; larger ones are not scaled to [-1, 1] (codecs exceed 1 by far less)."""

HIGHEST_RATE = 768_000
"""Highest sample rate, Hz; a header with a higher one is damaged."""

MOST_CHANNELS = 64
"""Largest number of channels; a header with more is damaged."""

MOST_DAMAGED = 20
"""Number of damaged packets that are always skipped, as players do; more only if most packets are good."""

SHORTEST_NOTED_S = 0.015
"""Less missing sound than this gives no warning, seconds."""

MOST_WAV_BYTES = 0x7FFFF000
"""A wav header that states this size or more was written to a pipe, so its size is unknown."""

NO_SOUND = "holds no sound (not one sample could be decoded)"
"""Message for a file without sound."""

END_S = 2.0
"""The check for truncation starts this long before the stated end of a file, seconds."""


def samples_of(frame: Any) -> np.ndarray:
    """Return a decoded audio frame as ``(channels, n)`` float32, full scale at 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128.0) / 128.0
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / float(-np.iinfo(samples.dtype).min)
    return samples.astype(np.float32, copy=False)


def mixed(samples: np.ndarray) -> np.ndarray:
    """Return the mean of the channels: ``(channels, n)`` to ``(n,)`` float32."""
    return samples.mean(axis=0, dtype=np.float64).astype(np.float32) if len(samples) > 1 else samples[0]


def audio_stream(container: Any, path: str | Path) -> Any:
    """Return the first sound track of an opened file, with its header checked.

    Raises:
        InputError: there is no sound track, its codec is unknown, or its rate or number of channels is impossible.
    """
    stream = first_stream(container, "audio")
    if stream is None:
        raise InputError(f"{path}: has no sound track")
    context = stream.codec_context
    if context is None:
        raise InputError(f"{path}: its sound has an unknown codec; convert it to .wav first")
    if not 0 < context.sample_rate <= HIGHEST_RATE:
        raise InputError(
            f"{path}: its header is damaged: it states a sample rate of {context.sample_rate} Hz "
            f"(possible: 1 to {HIGHEST_RATE})"
        )
    if not 0 < context.channels <= MOST_CHANNELS:
        raise InputError(
            f"{path}: its header is damaged: it states {context.channels} channels (possible: 1 to {MOST_CHANNELS})"
        )
    return stream


def check_sound(path: str | Path) -> None:
    """Check the sound of a file quickly: decode its beginning and look for its end.

    Raises:
        InputError: there is no sound, its codec is unknown, its beginning is damaged, or the file is truncated.
    """
    path = Path(path)
    next(sound_blocks(path), None)
    with opened(path) as container:
        stream = audio_stream(container, path)
        stated = stated_seconds(container, stream, path)
        if stated is not None and (end_s := _end(container, stream, stated)) is not None:
            _refuse_truncated(path, stated, end_s)


def sound_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Decode the first sound track of a file at its own rate, placed by its time stamps.

    Time 0 is the file's beginning: sound that begins later than the picture is preceded by silence. Gaps are
    filled with silence, with a warning.

    Args:
        path: any sound or video file that FFmpeg's libraries can open.

    Yields:
        Sample rate in Hz and ``(channels, n)`` float32.

    Raises:
        InputError: see `audio_blocks`.
    """
    with opened(path) as container:
        stream = audio_stream(container, path)
        stated = stated_seconds(container, stream, path)
        frames = _Frames(container, stream, path)
        first = next(iter(frames), None)
        if first is None:
            _refuse_truncated(path, stated or 0.0, 0.0)
            raise InputError(f"{path}: {NO_SOUND}")
        line = TimeLine(frames.rate)
        for samples in line.laid_out(itertools.chain([first], frames)):
            yield frames.rate, samples
        if line.n_samples == 0:
            raise InputError(f"{path}: {NO_SOUND}")
        seconds = line.n_samples / frames.rate
        if frames.n_damaged > max(MOST_DAMAGED, frames.n_good):
            raise InputError(f"{path}: its sound is damaged ({seconds:.2f} s could be decoded)")
    if stated is not None:
        _refuse_truncated(path, stated, seconds)
    if line.missing_s > SHORTEST_NOTED_S:
        warnings.warn(
            f"{path}: {line.missing_s:.2f} s of its sound are missing ({_places(line.holes)}); "
            "they are replaced by silence",
            DiffPoseTalkWarning,
            stacklevel=1,
        )


def audio_blocks(
    path: str | Path, sample_rate: int = 16000, block_s: float = 1.0, start_s: float = 0.0
) -> Iterator[np.ndarray]:
    """Decode the first sound track of a file, block by block, at constant memory.

    Channels are averaged. Time 0 is the file's beginning, and sound is placed by its time stamps: sound that starts after
    the picture is preceded by silence, and missing packets become silence, with a warning.

    Args:
        path: any sound or video file that FFmpeg's libraries can open.
        sample_rate: Hz of the result; soxr (high quality) resamples if the file has another rate.
        block_s: seconds in a block.
        start_s: time of the first sample, seconds from the file's beginning.

    Yields:
        ``(n,)`` float32 in [-1, 1]; every block but the last has `round(block_s * sample_rate)` samples.

    Raises:
        InputError: the file is missing, empty, damaged or truncated, has no sound, or has NaN samples. Truncation is
            reported at the end, after all blocks; `check_sound` reports it before.
    """
    blocks = ((rate, mixed(samples)) for rate, samples in sound_blocks(Path(path)))
    yield from regular_blocks(blocks, sample_rate, round(block_s * sample_rate), round(start_s * sample_rate))


def regular_blocks(
    blocks: Iterator[tuple[int, np.ndarray]], sample_rate: int, n_block: int, n_skipped: int = 0
) -> Iterator[np.ndarray]:
    """Resample blocks of sound and cut them to one length.

    Args:
        blocks: sample rate in Hz, the same for all, and ``(n,)`` or ``(n, channels)`` float32.
        sample_rate: Hz of the result.
        n_block: samples in a block of the result; the last may be shorter.
        n_skipped: samples of the result to skip at the beginning.

    Yields:
        ``(n,)`` or ``(n, channels)`` float32 in [-1, 1].
    """
    n_block = max(1, n_block)
    parts: list[np.ndarray] = []
    n_parts = 0
    for new in _resampled(blocks, sample_rate):
        part, n_skipped = new[n_skipped:], max(0, n_skipped - len(new))
        parts.append(part)
        n_parts += len(part)
        if n_parts >= n_block:
            joined = np.clip(np.concatenate(parts), -1.0, 1.0)
            n_whole = n_parts // n_block * n_block
            for start in range(0, n_whole, n_block):
                yield joined[start : start + n_block].copy()
            parts, n_parts = [joined[n_whole:].copy()], n_parts - n_whole
    if n_parts:
        yield np.clip(np.concatenate(parts), -1.0, 1.0)


def _resampled(blocks: Iterator[tuple[int, np.ndarray]], sample_rate: int) -> Iterator[np.ndarray]:
    import soxr

    resampler, shape = None, (0,)
    for rate, samples in blocks:
        if rate == sample_rate:
            yield samples
            continue
        if resampler is None:
            shape = (0, *samples.shape[1:])
            n_channels = samples.shape[1] if samples.ndim == 2 else 1
            resampler = soxr.ResampleStream(rate, sample_rate, n_channels, dtype="float32", quality="HQ")
        yield resampler.resample_chunk(np.ascontiguousarray(samples))
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(shape, np.float32), last=True)


class _Frames:
    """Iterator over the checked frames of a sound track: time stamp in seconds (None if unknown) and samples."""

    def __init__(self, container: Any, stream: Any, path: Path) -> None:
        self.rate = 0
        self.n_good = 0
        self.n_damaged = 0
        self._path = path
        self._origin = origin(container)
        self._frames = self._decoded(container, stream)

    def __iter__(self) -> Iterator[tuple[float | None, np.ndarray]]:
        return self._frames

    def _decoded(self, container: Any, stream: Any) -> Iterator[tuple[float | None, np.ndarray]]:
        for frame in self._raw(container, stream):
            if self.rate not in (0, frame.sample_rate):
                raise InputError(f"{self._path}: changes its sample rate at {frame.time or 0:.2f} s; convert it first")
            self.rate = frame.sample_rate
            samples = samples_of(frame)
            if samples.shape[1] == 0:
                continue
            time_s = None if frame.time is None else frame.time - self._origin
            self._check(samples, time_s or 0.0)
            yield time_s, samples

    def _raw(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield frames; damaged packets are skipped, as players do."""
        import av

        packets, n_failed = container.demux(stream), 0
        while n_failed <= MOST_DAMAGED:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                self.n_damaged += 1
                n_failed += 1
                packets = container.demux(stream)
                continue
            if packet is None:
                return
            try:
                frames = packet.decode()
            except (av.FFmpegError, OSError):
                self.n_damaged += 1
                continue
            self.n_good += 1
            yield from frames

    def _check(self, samples: np.ndarray, time_s: float) -> None:
        if samples.min() >= -LOUDEST and samples.max() <= LOUDEST:  # false for NaN
            return
        if not np.isfinite(samples).all():
            at = time_s + int(np.argmin(np.isfinite(samples).all(axis=0))) / self.rate
            raise InputError(f"{self._path}: has NaN or infinite samples (the first at {at:.3f} s)")
        raise InputError(f"{self._path}: has samples beyond +-{LOUDEST:g}; float sound must lie in [-1, 1]")


def _places(times: list[float]) -> str:
    """Return the text that says where gaps are."""
    return f"at {times[0]:.2f} s" if len(times) == 1 else f"in {len(times)} places, the first at {times[0]:.2f} s"


def stated_seconds(container: Any, stream: Any, path: Path) -> float | None:
    """Return the duration of the sound that the header states, seconds; None if the container does not state it reliably."""
    if container.format.name not in DECLARED_LENGTH:
        return None
    if container.format.name in ("wav", "w64"):  # the library trusts the file's size instead
        stated = _header_seconds(path)
        if stated is not None:
            return stated
    return float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None


def _refuse_truncated(path: Path, stated: float, seconds: float) -> None:
    if seconds < stated - max(0.25, 0.01 * stated):
        raise InputError(f"{path}: is truncated: its header says {stated:.2f} s, but it ends after {seconds:.2f} s")


def _end(container: Any, stream: Any, stated: float) -> float | None:
    """Return the end of the sound by its packets, seconds; None if it is unknown.

    Reads the packets near the stated end first, and all packets only if there are none.
    """
    import av

    for from_s in (max(0.0, stated - END_S), 0.0):
        end_s = None
        with contextlib.suppress(av.FFmpegError, OSError):
            container.seek(round((from_s + origin(container)) * 1e6))
            for packet in container.demux(stream):
                if packet.pts is not None and packet.size:
                    end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base) - origin(container)
        if end_s is not None:
            return end_s
    return None


def _header_seconds(path: Path) -> float | None:
    """Return the duration that the header of a wav or w64 file states, seconds; None if its writer did not know it."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start[:4] == b"RIFF":
        at, n_name, n_size, align, n_counted = 12, 4, 4, 2, 0
    elif start[:4] == b"riff":  # w64: names are GUIDs that begin with four letters, sizes include name and size
        at, n_name, n_size, align, n_counted = 40, 16, 8, 8, 24
    else:
        return None
    bytes_per_second, n_head = 0, n_name + n_size
    while at + n_head <= len(start):
        size = int.from_bytes(start[at + n_name : at + n_head], "little") - n_counted
        name, content = start[at : at + 4], at + n_head
        if name == b"fmt ":
            bytes_per_second = int.from_bytes(start[content + 8 : content + 12], "little")
        if name == b"data":
            limit = MOST_WAV_BYTES if n_size == 4 else math.inf
            return size / bytes_per_second if 0 < size < limit and bytes_per_second > 0 else None
        at = content + max(0, size) + -size % align
    return None
