"""Reading of video: the first video stream of a file, frame by frame, upright and in square pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.media.source import first_stream, opened, origin, pixel_aspect, quarter_turns, square_size

SEEK_S = 0.5
"""Decoding starts this many seconds before the first picture, because the order in the file differs from the order of display
by less than this."""

USUAL_FPS = 25.0
"""Frames per second if neither time stamps nor header state them."""


def read_frames(path: str | Path, start_s: float = 0.0, stop_s: float = math.inf) -> Iterator[tuple[float, np.ndarray]]:
    """Decode the first moving picture of a file.

    Non-square pixels are made square, rotated pictures are turned upright, and interlaced ones are deinterlaced (bwdif,
    one picture for each frame).

    Args:
        path: any video file that FFmpeg's libraries can open.
        start_s: time of the first picture, seconds from the file's beginning.
        stop_s: pictures from this time on are left out, seconds.

    Yields:
        Time stamp in seconds from the file's beginning, and an ``(H, W, 3)`` uint8 RGB picture. Times are uneven if
        frames are missing or the frame rate varies.

    Raises:
        InputError: the file is missing, empty or damaged, or has no moving pictures.
    """
    import av

    path = Path(path)
    with opened(path) as container:
        stream = first_stream(container, "video")
        if stream is None:
            raise InputError(f"{path}: has no moving pictures")
        if stream.codec_context is None:
            raise InputError(f"{path}: its pictures have an unknown codec; convert it to .mp4 first")
        stream.thread_type = "AUTO"
        if start_s > SEEK_S and _seeking_works(path, start_s):
            _seek(container, start_s)
        try:
            for time_s, frame in _timed(container, stream):
                if time_s < start_s - 1e-6:
                    continue
                if time_s >= stop_s:
                    return
                yield time_s, _upright(frame, stream)
        except (av.FFmpegError, OSError):
            raise InputError(f"{path}: its video is damaged") from None


def _timed(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Yield the time in seconds from the file's beginning and the frame; without time stamp, one step after the last."""
    beginning, step = origin(container), 1 / float(stream.average_rate or USUAL_FPS)
    time_s = -step
    for frame in _progressive(container.decode(stream), stream):
        time_s = time_s + step if frame.time is None else frame.time - beginning
        yield time_s, frame


def _progressive(frames: Iterator[Any], stream: Any) -> Iterator[Any]:
    """Yield frames; all frames from the first interlaced one on go through a deinterlacing filter."""
    graph = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None:
            graph = _deinterlacer(stream)
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _deinterlacer(stream: Any) -> Any:
    from av.filter import Graph

    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream, time_base=stream.time_base),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _pulled(graph: Any) -> Iterator[Any]:
    import av

    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _upright(frame: Any, stream: Any) -> np.ndarray:
    """Return a decoded frame as ``(H, W, 3)`` uint8 RGB in square pixels, upright."""
    width, height = square_size(frame.width, frame.height, pixel_aspect(stream))
    if (width, height) != (frame.width, frame.height):
        frame_rgb = frame.reformat(width=width, height=height, format="rgb24", interpolation="BICUBIC")
    else:
        frame_rgb = frame
    picture: np.ndarray = frame_rgb.to_ndarray(format="rgb24")
    turns = quarter_turns(frame)
    return np.rot90(picture, turns) if turns else picture


def _seeking_works(path: Path, start_s: float) -> bool:
    """Whether seeking finds a key frame before a time; streams without index may go past it."""
    import av

    with opened(path) as container:
        try:
            _seek(container, start_s)
            first = next(container.decode(container.streams.video[0]), None)
        except (av.FFmpegError, OSError):
            return False
        return first is not None and bool(first.key_frame) and (first.time or 0.0) - origin(container) <= start_s


def _seek(container: Any, start_s: float) -> None:
    container.seek(round((start_s - SEEK_S + origin(container)) * 1e6))
