"""Speech: in memory (`Speech`), or read from a file block by block (`SpeechFile`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from diffposetalk import media
from diffposetalk.errors import DiffPoseTalkWarning, InputError

SAMPLE_RATE = 16000
"""Sample rate of the models, Hz."""

MAX_DURATION = 4 * 3600.0
"""Default limit of a speech file's duration, seconds; a longer file is probably a mistake."""

MIN_SAMPLE_RATE = 4000
"""Lowest sample rate of speech, Hz."""

NARROW_BAND = 11025
"""Recordings at this sample rate or below lack consonants, Hz; lip motion is then less accurate."""


@dataclass(frozen=True)
class Speech:
    """Mono sound in memory."""

    samples: np.ndarray
    """``(n,)`` float32 in [-1, 1]."""
    sample_rate: int = SAMPLE_RATE
    """Hz."""

    def __post_init__(self) -> None:
        """Check that the samples are finite mono sound."""
        samples = np.asarray(self.samples)
        if samples.ndim != 1:
            raise InputError(f"speech must be mono samples (n,), not {samples.shape}; average the channels first")
        if len(samples) == 0:
            raise InputError("speech is empty (no samples)")
        if samples.dtype.kind not in "f":
            raise InputError(f"speech must be float samples in [-1, 1], not {samples.dtype}")
        if not np.isfinite(samples).all():
            at = int(np.argmin(np.isfinite(samples))) / self.sample_rate
            raise InputError(f"speech has NaN or infinite samples (the first at {at:.3f} s)")
        if np.abs(samples).max() > media.LOUDEST:
            raise InputError("speech must lie in [-1, 1]; divide integer samples by their full scale")
        if not isinstance(self.sample_rate, int | float | np.number):
            raise InputError(f"the sample rate must be a number of Hz, not {self.sample_rate!r:.40}")
        if not MIN_SAMPLE_RATE <= self.sample_rate <= media.HIGHEST_RATE:
            raise InputError(
                f"a sample rate of {self.sample_rate} Hz is impossible for speech "
                f"({MIN_SAMPLE_RATE} to {media.HIGHEST_RATE})"
            )
        object.__setattr__(self, "samples", np.clip(samples, -1, 1).astype(np.float32, copy=False))

    @classmethod
    def load(cls, path: str | Path, sample_rate: int = SAMPLE_RATE, max_duration: float = MAX_DURATION) -> Speech:
        """Decode a sound or video file whole.

        Args:
            path: any file that FFmpeg's libraries can open.
            sample_rate: Hz of the result.
            max_duration: longest duration, seconds; a longer file is refused.

        Returns:
            Its first sound track, mixed down and resampled.

        Raises:
            InputError: see `SpeechFile` and `media.audio_blocks`.
        """
        file = SpeechFile(path, sample_rate, max_duration)  # type: ignore[arg-type]
        return cls(np.concatenate(list(file.blocks(10.0))), sample_rate)

    @classmethod
    def from_array(cls, samples: np.ndarray, sample_rate: int) -> Speech:
        """Return samples as speech, resampled to 16 kHz, the sample rate of the models.

        Args:
            samples: ``(n,)`` float in [-1, 1], or an integer type at its full scale.
            sample_rate: Hz of `samples`.

        Returns:
            The speech at 16 kHz.

        Raises:
            InputError: the samples are empty, not mono, NaN, or out of range.
        """
        samples = np.asarray(samples)
        if samples.dtype == np.uint8:  # as 8-bit WAV files have it
            samples = (samples.astype(np.float32) - 128) / 128
        if samples.dtype.kind == "i":
            samples = samples.astype(np.float32) / float(-np.iinfo(samples.dtype).min)
        return cls(samples, sample_rate).resampled(SAMPLE_RATE)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.sample_rate

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def __repr__(self) -> str:
        return f"Speech({self.duration:.2f} s at {self.sample_rate} Hz)"

    def resampled(self, sample_rate: int) -> Speech:
        """Return the same sound at another rate (soxr, high quality)."""
        if sample_rate == self.sample_rate:
            return self
        import soxr

        samples = soxr.resample(self.samples, self.sample_rate, sample_rate, quality="HQ")
        return Speech(np.clip(samples, -1, 1), sample_rate)

    def slice(self, start: float, stop: float) -> Speech:
        """Return the sound from `start` to `stop` seconds.

        Raises:
            InputError: there is no sound between them.
        """
        first, last = round(max(0.0, start) * self.sample_rate), round(stop * self.sample_rate)
        if first >= min(last, len(self.samples)):
            raise InputError(f"no speech between {start:g} s and {stop:g} s (it lasts {self.duration:.2f} s)")
        return Speech(self.samples[first:last], self.sample_rate)

    def padded(self, duration: float) -> Speech:
        """Return the sound followed by silence up to `duration` seconds (unchanged if it is longer)."""
        n_missing = max(0, round(duration * self.sample_rate) - len(self.samples))
        return Speech(np.pad(self.samples, (0, n_missing)), self.sample_rate)

    def trimmed(self, threshold_db: float = -50.0, keep: float = 0.1) -> Speech:
        """Return the sound without silence at its ends.

        Args:
            threshold_db: level of silence, decibels below full scale.
            keep: seconds of silence left at each end.

        Returns:
            The shorter sound; unchanged if it is silent throughout.
        """
        loud = np.flatnonzero(~silent(self.samples, self.sample_rate, threshold_db))
        if len(loud) == 0:
            return self
        hop = self.sample_rate // 100
        first = max(0, loud[0] * hop - round(keep * self.sample_rate))
        last = min(len(self.samples), (loud[-1] + 1) * hop + round(keep * self.sample_rate))
        return Speech(self.samples[first:last], self.sample_rate)

    def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
        """Yield the samples in blocks of `block_s` seconds, as `SpeechFile.blocks` does."""
        n = max(1, round(block_s * self.sample_rate))
        for start in range(0, len(self.samples), n):
            yield self.samples[start : start + n]

    def save(self, path: str | Path) -> None:
        """Write the sound to a `.wav` or `.flac` file (16 bit).

        Raises:
            DiffPoseTalkError: the file name has another ending, or the file cannot be written.
        """
        media.save_audio(path, self.samples, self.sample_rate)


@dataclass(frozen=True)
class SpeechFile:
    """The speech of a sound or video file, decoded block by block; memory does not grow with its length."""

    path: Path
    """The file; a `str` becomes a `Path`."""
    sample_rate: int = SAMPLE_RATE
    """Hz of the blocks."""
    max_duration: float = MAX_DURATION
    """Longest duration, seconds; a longer file is refused."""

    def __post_init__(self) -> None:
        """Check the header, the beginning and the end of the file."""
        if not str(self.path):
            raise InputError("the name of the sound file is empty; give the name of a sound or video file")
        object.__setattr__(self, "path", Path(self.path))
        info = self.info
        if info.audio_codec is None:
            raise InputError(f"{self.path}: has no sound track")
        media.check_sound(self.path)
        if info.sample_rate is not None and info.sample_rate < MIN_SAMPLE_RATE:
            raise InputError(f"{self.path}: {info.sample_rate} Hz is too low for speech (at least {MIN_SAMPLE_RATE})")
        if info.duration is not None and info.duration > self.max_duration:
            raise self._too_long(f"lasts {_clock(info.duration)}")
        if info.duration is not None and info.duration * self.sample_rate < 1:
            raise self._too_short(info.duration)
        if info.sample_rate is not None and info.sample_rate <= NARROW_BAND:
            warnings.warn(
                f"{self.path}: sampled at {info.sample_rate} Hz only; lips follow telephone-band sound less well",
                DiffPoseTalkWarning,
                stacklevel=3,
            )

    def _too_short(self, seconds: float) -> InputError:
        return InputError(
            f"{self.path}: holds {1000 * seconds:.3g} ms of sound, which is not one sample at {self.sample_rate} Hz"
        )

    def _too_long(self, what: str) -> InputError:
        return InputError(
            f"{self.path}: {what}, more than the limit of {_clock(self.max_duration)}; "
            "cut it, or raise the limit (--max-hours, max_duration)"
        )

    @cached_property
    def info(self) -> media.MediaInfo:
        """Header of the file."""
        return media.probe(self.path)

    @property
    def duration(self) -> float | None:
        """Duration that the header states, seconds; None if it states none."""
        return self.info.duration

    def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
        """Decode the file from its beginning, block by block.

        Args:
            block_s: seconds in a block.

        Yields:
            ``(n,)`` float32 in [-1, 1]; every block but the last has `round(block_s * sample_rate)` samples.

        Raises:
            InputError: the file is damaged, truncated or too long, or has NaN samples.
        """
        n_read = 0
        for block in media.audio_blocks(self.path, self.sample_rate, block_s):
            n_read += len(block)
            if n_read > self.max_duration * self.sample_rate:
                raise self._too_long("has no length in its header and turned out")
            yield block
        if n_read == 0:
            raise self._too_short(self.duration or 0.0)

    def load(self) -> Speech:
        """Decode the whole file into memory."""
        return Speech(np.concatenate(list(self.blocks(10.0))), self.sample_rate)


def _clock(seconds: float) -> str:
    """Return seconds as `h:mm:ss`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def silent(samples: np.ndarray, sample_rate: int, threshold_db: float = -50.0) -> np.ndarray:
    """Return for each hundredth of a second whether it is silent.

    Args:
        samples: ``(n,)`` float in [-1, 1].
        sample_rate: Hz.
        threshold_db: root-mean-square level of silence, decibels below full scale.

    Returns:
        ``(ceil(n / hop),)`` bool, `hop = sample_rate // 100` samples each.
    """
    hop = sample_rate // 100
    n_hops = -(-len(samples) // hop)
    padded = np.pad(np.asarray(samples, np.float64), (0, n_hops * hop - len(samples)))
    power = (padded.reshape(n_hops, hop) ** 2).mean(axis=1)
    return power < 10.0 ** (threshold_db / 10.0)
