"""Sound and video out: wav, flac, and mp4 with sound, each complete or not there at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import replacing, write_error


def save_audio(path: str | Path, samples: np.ndarray, sample_rate: int = 16000) -> None:
    """Write mono sound as 16-bit `.wav` or `.flac`.

    Args:
        path: ends in `.wav` or `.flac`; replaced only when the new file is complete.
        samples: `(n,)` float in [-1, 1]; clipped beyond.
        sample_rate: Hz.

    Raises:
        InputError: another suffix.
        DiffPoseTalkError: the file cannot be written.
    """
    import av

    path = Path(path)
    codecs = {".wav": ("wav", "pcm_s16le"), ".flac": ("flac", "flac")}
    if path.suffix.lower() not in codecs:
        raise InputError(f"{path}: sound is written as .wav or .flac only")
    container_name, codec = codecs[path.suffix.lower()]
    pcm = (np.clip(np.asarray(samples, np.float64), -1, 1) * 32767).round().astype(np.int16)
    with replacing(path) as beside:
        try:
            with av.open(str(beside), "w", format=container_name, options={"fflags": "+bitexact"}) as container:
                stream = container.add_stream(codec, rate=sample_rate)
                stream.layout = "mono"
                for start in range(0, len(pcm), 4096):
                    frame = av.AudioFrame.from_ndarray(pcm[None, start : start + 4096], "s16", "mono")
                    frame.sample_rate, frame.pts = sample_rate, start
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except av.FFmpegError as error:
            raise write_error(path, error) from error


def save_wav_blocks(path: str | Path, blocks: Iterable[np.ndarray], sample_rate: int) -> None:
    """Write mono sound that comes in blocks as 16-bit `.wav`; memory does not grow with its length.

    Args:
        path: replaced only when the new file is complete.
        blocks: `(n,)` float in [-1, 1]; clipped beyond.
        sample_rate: Hz.

    Raises:
        DiffPoseTalkError: the file cannot be written.
    """
    import wave

    with replacing(path) as beside, wave.open(str(beside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        for block in blocks:
            file.writeframes((np.clip(block, -1, 1) * 32767).round().astype("<i2").tobytes())


class VideoWriter:
    """Write H.264 video with AAC sound to an `.mp4` at constant memory; use it in a `with` statement.

    The file appears under its name only when complete: it is written beside and renamed, and removed if anything
    fails or is interrupted.

    Example:
        >>> with VideoWriter("talk.mp4", fps=25, audio=audio_blocks("talk.flac")) as video:
        ...     for picture in pictures:  # (H, W, 3) uint8 RGB, all of one even size
        ...         video.write(picture)
    """

    def __init__(
        self,
        path: str | Path,
        fps: float = 25.0,
        audio: Iterable[np.ndarray] | None = None,
        audio_rate: int = 16000,
        crf: int = 18,
        preset: str = "veryfast",
    ) -> None:
        """Name the file and what goes into it; nothing is opened before `__enter__`.

        Args:
            path: ends in `.mp4`.
            fps: frames per second.
            audio: blocks of `(n,)` float32 mono sound, drawn as the pictures arrive and cut where they end.
            audio_rate: Hz of `audio`.
            crf: quality of H.264: 18 looks lossless, 28 is small.
            preset: speed of the x264 encoder.
        """
        self.path = Path(path)
        self.fps = Fraction(fps).limit_denominator(1001)
        self.audio_rate = audio_rate
        self.n_frames = 0
        self._options = {"crf": str(crf), "preset": preset}
        self._blocks = iter(audio) if audio is not None else None
        self._pending = np.zeros(0, np.float32)
        self._n_samples = 0
        self._stack = contextlib.ExitStack()
        self._container: Any = None
        self._video: Any = None
        self._sound: Any = None

    def __enter__(self) -> VideoWriter:
        """Open the file beside its place."""
        import av

        with contextlib.ExitStack() as stack:
            beside = stack.enter_context(replacing(self.path))
            try:
                options = {"movflags": "+faststart"}
                self._container = stack.enter_context(av.open(str(beside), "w", format="mp4", options=options))
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

    def write(self, frame: np.ndarray) -> None:
        """Append one picture and the sound that goes with it.

        Args:
            frame: `(H, W, 3)` uint8 RGB; H and W even and the same for all.

        Raises:
            InputError: a picture of another shape or type, or what reading the sound raises.
            DiffPoseTalkError: the file cannot be written.
        """
        import av

        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or any(n % 2 for n in frame.shape[:2]):
            raise InputError(
                f"{self.path}: pictures must be (H, W, 3) uint8 with even H and W, not {frame.shape} {frame.dtype}"
            )
        try:
            if self._video is None:
                self._open_streams(frame.shape[1], frame.shape[0])
            if frame.shape[:2] != (self._video.height, self._video.width):
                raise InputError(f"{self.path}: a picture of {frame.shape[:2]} among {self._video.height} rows")
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            picture.pts = self.n_frames
            picture.time_base = 1 / self.fps
            self._container.mux(self._video.encode(picture))
            self.n_frames += 1
            self._write_sound(int(self.n_frames * self.audio_rate / self.fps))
        except av.FFmpegError as error:
            raise write_error(self.path, error) from error

    def _open_streams(self, width: int, height: int) -> None:
        self._video = self._container.add_stream("libx264", rate=self.fps, options=self._options)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        context = self._video.codec_context  # say BT.709, which players assume of large pictures only
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        if self._blocks is not None:
            self._sound = self._container.add_stream("aac", rate=self.audio_rate)
            self._sound.layout = "mono"
            self._sound.bit_rate = 64000 if self.audio_rate <= 16000 else 128000

    def _write_sound(self, n_until: int) -> None:
        """Encode sound up to sample `n_until`, or to its end if that comes first."""
        import av

        while self._blocks is not None and self._n_samples < n_until:
            if len(self._pending) == 0:
                block = next(self._blocks, None)
                if block is None:
                    self._blocks = None
                    return
                self._pending = np.asarray(block, np.float32)
                continue
            n = min(1024, len(self._pending), n_until - self._n_samples)
            piece, self._pending = self._pending[:n], self._pending[n:]
            sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece[None]), "fltp", "mono")
            sound.sample_rate, sound.pts = self.audio_rate, self._n_samples
            sound.time_base = Fraction(1, self.audio_rate)
            self._container.mux(self._sound.encode(sound))
            self._n_samples += n

    def _finish(self) -> None:
        import av

        if self._video is None:
            raise InputError(f"{self.path}: not one picture was given to write")
        try:
            self._container.mux(self._video.encode(None))
            if self._sound is not None:
                self._container.mux(self._sound.encode(None))
        except av.FFmpegError as error:
            raise write_error(self.path, error) from error
