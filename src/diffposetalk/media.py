"""Sound and video in and out: the only file that decodes or encodes them (PyAV; no ffmpeg binary is needed)."""

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
from diffposetalk.files import replacing, write_error

DECLARED_LENGTH = ("wav", "w64", "flac", "aiff", "caf", "mov,mp4,m4a,3gp,3g2,mj2")
"""Containers whose header states the true length, so that a shorter decode means a truncated file."""

LOUDEST = 16.0
"""Float samples beyond this are not sound scaled to [-1, 1] (codecs overshoot 1 by far less)."""


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


def _mono(frame: Any) -> np.ndarray:
    """Return a decoded audio frame as `(n,)` float32, the mean of its channels, full scale at 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128.0) / 128.0
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / float(-np.iinfo(samples.dtype).min)
    return samples.mean(axis=0, dtype=np.float64).astype(np.float32) if len(samples) > 1 else samples[0]


def _decoded(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield `(sample rate, (n,) mono float32)` frame by frame from the first sound track, checked."""
    import av

    with _opened(path) as container:
        if not container.streams.audio:
            raise InputError(f"{path}: has no sound track")
        stream = container.streams.audio[0]
        stated = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        stated = stated if container.format.name in DECLARED_LENGTH else None
        origin = (container.start_time or 0) / 1e6
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
                samples = _mono(frame)
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


def audio_blocks(path: str | Path, sample_rate: int = 16000, block_s: float = 1.0) -> Iterator[np.ndarray]:
    """Decode the first sound track of a file, block by block, at constant memory.

    Channels are averaged. Sound that starts later than the picture is preceded by silence, so that time 0 is
    the file's beginning.

    Args:
        path: any sound or video file that FFmpeg's libraries can open.
        sample_rate: Hz wanted; resampled by soxr (high quality) where the file differs.
        block_s: seconds in a block.

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
    n_held = 0

    def complete(new: np.ndarray) -> Iterator[np.ndarray]:
        nonlocal held, n_held
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


def read_frames(path: str | Path) -> Iterator[tuple[float, np.ndarray]]:
    """Decode the first moving picture of a file.

    Args:
        path: any video file that FFmpeg's libraries can open.

    Yields:
        Time in seconds from the file's beginning and an `(H, W, 3)` uint8 RGB picture.

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
        origin = (container.start_time or 0) / 1e6
        try:
            for frame in container.decode(stream):
                yield (frame.time or 0.0) - origin, frame.to_ndarray(format="rgb24")
        except (av.FFmpegError, OSError) as error:
            raise InputError(f"{path}: its video is damaged") from error


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
