"""Writing of sound files (wav, flac); a file appears only when it is complete."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import replacing, write_error
from diffposetalk.media.source import media_url


def save_audio(path: str | Path, samples: np.ndarray, sample_rate: int = 16000) -> None:
    """Write mono sound as 16-bit `.wav` or `.flac`.

    Args:
        path: ends in `.wav` or `.flac`; replaced only when the new file is complete.
        samples: ``(n,)`` float in [-1, 1]; larger values are clipped.
        sample_rate: Hz.

    Raises:
        InputError: another file name ending.
        DiffPoseTalkError: the file cannot be written.
    """
    import av

    path = Path(path)
    codecs = {".wav": ("wav", "pcm_s16le"), ".flac": ("flac", "flac")}
    if path.suffix.lower() not in codecs:
        raise InputError(f"{path}: sound is written as .wav or .flac only")
    container_name, codec = codecs[path.suffix.lower()]
    pcm = (np.clip(np.asarray(samples, np.float64), -1, 1) * 32767).round().astype(np.int16)
    with replacing(path) as temporary:
        try:
            with av.open(
                media_url(temporary), "w", format=container_name, options={"fflags": "+bitexact"}
            ) as container:
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
    """Write sound that comes in blocks as 16-bit `.wav`; memory does not grow with its length.

    Args:
        path: replaced only when the new file is complete.
        blocks: ``(n,)`` or ``(n, channels)`` float in [-1, 1], at least one; larger values are clipped.
        sample_rate: Hz.

    Raises:
        DiffPoseTalkError: the file cannot be written.
    """
    import wave

    with replacing(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        for index, block in enumerate(blocks):
            if index == 0:
                file.setnchannels(1 if block.ndim == 1 else block.shape[1])
            file.writeframes((np.clip(block, -1, 1) * 32767).round().astype("<i2").tobytes())


def save_recording(path: str | Path, recording: str | Path) -> None:
    """Write the first sound track of a file as 16-bit `.wav` at its own sample rate, with its own channels.

    Args:
        path: ends in `.wav`; replaced only when the new file is complete.
        recording: any sound or video file; unusual layouts of channels become mono.

    Raises:
        InputError: the recording cannot be read.
        DiffPoseTalkError: the file cannot be written.
    """
    from diffposetalk.media.soundtrack import channel_blocks, rate_and_layout

    rate, layout = rate_and_layout(Path(recording))
    save_wav_blocks(path, (samples for _, samples in channel_blocks(Path(recording), layout)), rate)
