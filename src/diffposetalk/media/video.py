"""Writing of video: `.mp4`, `.mov`, `.webm` and `.gif`, with sound; a file appears only when it is complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import replacing, write_error
from diffposetalk.media.palette import Palette
from diffposetalk.media.soundtrack import AAC_RATES, Recording, SoundFormat, SoundWriter, open_sound
from diffposetalk.media.source import media_url

GIF_FPS = 50
"""Highest frame rate of a GIF: browsers show shorter delays as a tenth of a second."""


@dataclass(frozen=True)
class PictureFormat:
    """Encoding of pictures."""

    codec: str
    """Name of the encoder."""
    pixels: str
    """Pixel format."""
    options: tuple[tuple[str, str], ...] = ()
    """Options of the encoder."""


@dataclass(frozen=True)
class VideoFormat:
    """Container, codecs and pixel formats for a file name ending."""

    container: str
    """Name of the container."""
    opaque: PictureFormat
    """Encoding of RGB pictures."""
    transparent: PictureFormat | None = None
    """Encoding of pictures with alpha; None if no player supports alpha in this container."""
    sound: SoundFormat | None = None
    """Encoding of sound; None without sound."""


H264 = PictureFormat("libx264", "yuv420p", (("crf", "18"), ("preset", "veryfast"), ("bf", "0")))
"""Visually lossless, for every player; without B-frames, so that the first picture needs no edit list."""

VP9_OPTIONS = (("crf", "24"), ("b", "0"), ("deadline", "realtime"), ("cpu-used", "6"), ("row-mt", "1"))
"""Constant quality, about as fast as rendering."""

FORMATS = {
    ".mp4": VideoFormat("mp4", H264, None, SoundFormat("aac", ("aac",), AAC_RATES)),
    ".mov": VideoFormat(
        "mov",
        H264,
        PictureFormat("prores_ks", "yuva444p10le", (("profile", "4444"), ("alpha_bits", "16"))),
        SoundFormat("pcm_s16le", ("aac", "alac", "pcm_s16le", "pcm_s24le")),
    ),
    ".webm": VideoFormat(
        "webm",
        PictureFormat("libvpx-vp9", "yuv420p", VP9_OPTIONS),
        PictureFormat("libvpx-vp9", "yuva420p", (*VP9_OPTIONS, ("auto-alt-ref", "0"))),
        SoundFormat("libopus", ("opus",), (48000,), delay_s=0.1),
    ),
    ".gif": VideoFormat("gif", PictureFormat("gif", "pal8"), PictureFormat("gif", "pal8")),
}
"""Formats that can be written, by file name ending."""

VIDEO_OUTPUTS = tuple(FORMATS)
"""File name endings of the videos that can be written."""

TRANSPARENT_OUTPUTS = tuple(suffix for suffix, row in FORMATS.items() if row.transparent)
"""File name endings of the videos that can be transparent."""


class VideoWriter:
    """Write a video with sound at constant memory; use it in a `with` statement.

    The file appears under its name only when complete: it is written beside and renamed, and removed if anything
    fails or is interrupted.

    Example:
        >>> with VideoWriter("talk.mp4", fps=25, audio=Recording("talk.flac")) as video:
        ...     for picture in pictures:  # (H, W, 3) uint8 RGB, all of one even size
        ...         video.write(picture)
    """

    def __init__(
        self,
        path: str | Path,
        fps: float = 25.0,
        audio: Iterable[np.ndarray] | Recording | None = None,
        audio_rate: int = 16000,
        crf: int | None = None,
    ) -> None:
        """Set the file and its content; nothing is opened before `__enter__`.

        Args:
            path: ends in `.mp4`, `.mov`, `.webm` or `.gif` (which has no sound).
            fps: frames per second.
            audio: a recording, whose sample rate and channels are kept, or blocks of ``(n,)`` float32 mono sound; read
                as the pictures arrive and cut where they end.
            audio_rate: Hz of the blocks.
            crf: quality of H.264: 18 (the default) looks lossless, 28 is small.

        Raises:
            InputError: another file name ending.
        """
        self.path = Path(path)
        self.fps = Fraction(fps).limit_denominator(1001)
        self.n_frames = 0
        video_format = FORMATS.get(self.path.suffix.lower())
        if video_format is None:
            raise InputError(f"{path}: video is written as {', '.join(VIDEO_OUTPUTS)} only")
        self._format = video_format
        self._crf = crf
        self._audio, self._audio_rate = audio, audio_rate
        self._stack = contextlib.ExitStack()
        self._container: Any = None
        self._video: Any = None
        self._shape: tuple[int, ...] = ()
        self._sound: SoundWriter | None = None
        self._palette = Palette() if video_format.container == "gif" else None
        self._rate = min(self.fps, Fraction(GIF_FPS)) if self._palette else self.fps
        self._n_chosen = self._n_encoded = 0  # pictures that go into the file, and those that are in it

    def __enter__(self) -> VideoWriter:
        """Open the file beside its place."""
        import av

        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            try:
                options = {"movflags": "+faststart"} if self._format.container in ("mp4", "mov") else {}
                container = av.open(media_url(temporary), "w", format=self._format.container, options=options)
                self._container = stack.enter_context(container)
            except av.FFmpegError as error:
                raise write_error(self.path, error) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish and rename the file, or remove it if the `with` block failed."""
        import av

        try:
            if error is None:
                self._finish()
        except BaseException as failure:
            self._abandon(failure)
            raise
        if error is not None:
            self._abandon(error)
            return
        try:
            self._stack.close()
        except av.FFmpegError as failure:
            raise write_error(self.path, failure) from failure

    def _abandon(self, error: BaseException) -> None:
        with contextlib.suppress(Exception):
            self._stack.__exit__(type(error), error, error.__traceback__)

    def write(self, picture: np.ndarray) -> None:
        """Append one picture and the sound that goes with it.

        Args:
            picture: ``(H, W, 3)`` uint8 RGB, or ``(H, W, 4)`` with alpha (not premultiplied); the same shape for all, H and W
                even except in a GIF.

        Raises:
            InputError: the picture has another shape or type, or the sound cannot be read.
            DiffPoseTalkError: the file cannot be written.
        """
        import av

        self._check(picture)
        try:
            if self._video is None:
                self._open_streams(picture)
            for frame in self._frames(picture):
                self._encode(frame)
            self.n_frames += 1
            if self._sound is not None:
                self._sound.write_until(self.n_frames / self.fps)
        except av.FFmpegError as error:
            raise write_error(self.path, error) from error

    def _check(self, picture: np.ndarray) -> None:
        even = self._format.container == "gif" or not any(n % 2 for n in picture.shape[:2])
        if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8 or not even:
            raise InputError(
                f"{self.path}: pictures must be (H, W, 3) or (H, W, 4) uint8 with even H and W, "
                f"not {picture.shape} {picture.dtype}"
            )
        if picture.shape[2] == 4 and self._format.transparent is None:
            raise InputError(
                f"{self.path}: '{self.path.suffix}' cannot be transparent; use {', '.join(TRANSPARENT_OUTPUTS)}"
            )
        if self._shape and picture.shape != self._shape:
            raise InputError(f"{self.path}: a picture of shape {picture.shape} among pictures of {self._shape}")

    def _open_streams(self, picture: np.ndarray) -> None:
        self._shape = picture.shape
        how = self._format.transparent if picture.shape[2] == 4 else self._format.opaque
        assert how is not None  # see `_check`
        options = dict(how.options)
        if self._crf is not None and how is H264:
            options["crf"] = str(self._crf)
        self._video = self._container.add_stream(how.codec, rate=self._rate, options=options)
        self._video.height, self._video.width, self._video.pix_fmt = *picture.shape[:2], how.pixels
        if how.pixels.startswith("yuv"):
            context = self._video.codec_context  # state BT.709, which players assume only for large pictures
            context.colorspace = context.color_primaries = context.color_trc = 1
            context.color_range = 1
        if how.codec == "libvpx-vp9" and picture.shape[2] == 4:
            self._video.metadata["alpha_mode"] = "1"
        if self._audio is not None and self._format.sound is not None:
            self._sound = open_sound(self._container, self._format.sound, self._audio, self._audio_rate, self._stack)

    def _frames(self, picture: np.ndarray) -> Iterator[Any]:
        """Yield the frames that are ready to be encoded, in the encoder's pixel format."""
        import av

        if self._palette is not None:
            if int(self.n_frames * self._rate / self.fps) >= self._n_chosen:
                self._n_chosen += 1
                yield from self._palette.frames(picture)
            return
        kind = "rgba" if picture.shape[2] == 4 else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
        yield frame.reformat(format=self._video.pix_fmt, dst_colorspace="ITU709")

    def _encode(self, frame: Any) -> None:
        frame.pts, frame.time_base = self._n_encoded, 1 / self._rate
        self._container.mux(self._video.encode(frame))
        self._n_encoded += 1

    def _finish(self) -> None:
        import av

        if self._video is None:
            raise InputError(f"{self.path}: no picture was written")
        try:
            if self._palette is not None:
                for frame in self._palette.rest():
                    self._encode(frame)
            self._container.mux(self._video.encode(None))
            if self._sound is not None:
                self._sound.finish()
        except av.FFmpegError as error:
            raise write_error(self.path, error) from error
