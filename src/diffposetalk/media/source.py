"""Opening of sound and video files, and their headers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError
from diffposetalk.files.parsing import parsing

KIND = "sound or video file"
"""Name of the files in messages."""

TEXT_BYTES = 1024
"""A file is refused as text if this much of its beginning is text, bytes."""

WIDEST_PIXEL = 4.0
"""Largest ratio of a pixel's sides; a header with a larger one is ignored as damaged (real ratios reach 2.4)."""

ROTATING_CONTAINERS = ("mov", "matroska")
"""Beginnings of the names of containers that can store a rotation."""


@dataclass(frozen=True)
class MediaInfo:
    """Header of a sound or video file."""

    container: str
    """Name of the container format, such as `wav` or `matroska,webm`."""
    duration: float | None
    """Duration as stated or estimated, seconds; None if unknown."""
    audio_codec: str | None = None
    """Codec of the first sound track; None without one, `unknown` if there is no decoder for it."""
    sample_rate: int | None = None
    """Sample rate of the first sound track, Hz."""
    channels: int | None = None
    """Channels of the first sound track."""
    video_codec: str | None = None
    """Codec of the first moving picture; None without one, `unknown` if there is no decoder for it."""
    width: int | None = None
    """Width of the pictures of `read_frames`: upright, in square pixels."""
    height: int | None = None
    """Height of the pictures of `read_frames`."""
    fps: float | None = None
    """Average frames per second."""


def media_url(path: str | os.PathLike[str]) -> str:
    """Return the name under which FFmpeg's libraries open a file: a colon in it is not taken for a protocol."""
    return f"file:{os.fspath(path)}"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a media file for reading; every failure inside the `with` block becomes an `InputError`.

    Raises:
        InputError: the file is missing, empty, a folder, a pipe or a device, or cannot be parsed.
    """
    import av

    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        also = " (an empty file name means this folder)" if path == Path() else ""
        raise InputError(f"{path}: is a folder, not a {KIND}{also}")
    if not path.is_file():
        raise InputError(f"{path}: is a pipe or a device; write the sound to a file first, since it is read repeatedly")
    with parsing(path, KIND):
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty (0 bytes)")
        _refuse_text(path)
        try:
            # Playlists must not reach other machines.
            container = av.open(media_url(path), options={"protocol_whitelist": "file"}, **ignore_bad_metadata())
        except (av.FFmpegError, OSError):
            raise InputError(_why_not(path)) from None
        with container:
            yield container


def ignore_bad_metadata() -> dict[str, str]:
    """Return the option of `av.open` that lets titles in a wrong encoding pass; from PyAV 19 on they pass without one."""
    import av

    return {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}


def _refuse_text(path: Path) -> None:
    """Refuse web pages, playlists and other text, which some demuxers take for raw sound."""
    with path.open("rb") as file:
        start = file.read(TEXT_BYTES)
    if len(start) < 16 or any(byte < 32 and byte not in b"\t\n\f\r" for byte in start):
        return
    try:
        start[: TEXT_BYTES - 4].decode()  # the last letter may be cut
    except UnicodeDecodeError:
        return
    raise InputError(f"{path}: is not a {KIND} but text, which begins with {start[:30].decode(errors='replace')!r}")


def _why_not(path: Path) -> str:
    """Return why a file cannot be opened."""
    if not os.access(path, os.R_OK):
        return f"{path}: no permission to read it"
    with path.open("rb") as file:
        start = file.read(64)
    if start[:4] in (b"RIFF", b"RF64") and start[12:16] == b"fmt ":
        rate = int.from_bytes(start[24:28], "little")
        if not 0 < rate < 2**31:
            return f"{path}: its header is damaged: it states a sample rate of {rate} Hz"
    return f"{path}: is not a {KIND} that can be read, or is damaged"


def origin(container: Any) -> float:
    """Return the time stamp of a file's beginning, seconds."""
    return (container.start_time or 0) / 1e6


def first_stream(container: Any, kind: str) -> Any:
    """Return the first stream of a kind, `audio` or `video`; None without one."""
    return next(iter(getattr(container.streams, kind)), None)


def pixel_aspect(stream: Any) -> float:
    """Return the width of a video's pixels divided by their height; 1 if the file does not state it."""
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect <= 0 or not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL:
        return 1.0
    return float(aspect)


def square_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Return a picture's size in square pixels: the shorter side is enlarged, so that no detail is lost."""
    return (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))


def quarter_turns(frame: Any) -> int:
    """Return how many quarter turns counter-clockwise bring a decoded picture upright."""
    return round((getattr(frame, "rotation", 0) or 0) / 90) % 4


def probe(path: str | Path) -> MediaInfo:
    """Read the header of a sound or video file.

    The first picture of a video is decoded too, if the container can store a rotation.

    Args:
        path: any file that FFmpeg's libraries can open.

    Returns:
        The header.

    Raises:
        InputError: the file is missing, empty or unreadable, or has neither sound nor moving pictures.
    """
    path = Path(path)
    with opened(path) as container:
        audio, video = first_stream(container, "audio"), first_stream(container, "video")
        if audio is None and video is None:
            raise InputError(f"{path}: has neither sound nor moving pictures")
        sound, picture = getattr(audio, "codec_context", None), getattr(video, "codec_context", None)
        width, height = _upright_size(container, video) if picture is not None else (None, None)
        rate = video.average_rate if video is not None else None
        return MediaInfo(
            container=container.format.name,
            duration=container.duration / 1e6 if container.duration and container.duration > 0 else None,
            audio_codec=_codec(audio),
            sample_rate=sound.sample_rate if sound is not None else None,
            channels=sound.channels if sound is not None else None,
            video_codec=_codec(video),
            width=width,
            height=height,
            fps=float(rate) if rate else None,
        )


def _codec(stream: Any) -> str | None:
    if stream is None:
        return None
    return "unknown" if stream.codec_context is None else str(stream.codec_context.name)


def _upright_size(container: Any, stream: Any) -> tuple[int, int]:
    """Return width and height of a video's upright pictures in square pixels."""
    import av

    width, height = stream.codec_context.width, stream.codec_context.height
    width, height = square_size(width, height, pixel_aspect(stream))
    if container.format.name.startswith(ROTATING_CONTAINERS):
        with contextlib.suppress(av.FFmpegError, StopIteration):
            if quarter_turns(next(container.decode(stream))) % 2:
                return height, width
    return width, height
