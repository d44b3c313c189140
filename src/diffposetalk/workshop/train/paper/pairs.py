"""What the paper's two stages learn from, read from a TFHP data set: two windows of a video with speech, or of a person."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.data.coefficients import Coefficients
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.tfhp import FRAME_SAMPLES, TfhpReader, speaker_of
from diffposetalk.errors import DiffPoseTalkWarning, InputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

Draw = Callable[[int, int], int]
"""``draw(low, high)``: a whole number in [low, high), as `numpy.random.Generator.integers` and `RandomState.randint`."""
CROPS = ("random", "begin", "end")
PADDINGS = ("zero", "replicate")
STANDARD_EPS = 1e-5
"""Added to the standard deviation by which sound is divided."""
STYLE_STRETCH = 2.1
"""A style item spans so many windows, its two lying at the ends."""


@dataclass(frozen=True)
class SpeechPair:
    """Two windows of a video, one after the other."""

    video: str
    """Which."""
    start: int
    """First frame."""
    samples: np.ndarray
    """``(2, L * 640)`` float32 sound, standardised over both windows together."""
    coefficients: Coefficients
    """``(2, L, ...)``, normalised where the items have statistics."""
    mean: np.float32
    """Mean of the sound before it was standardised."""
    std: np.float32
    """Its standard deviation, unbiased: ``samples * (std + 1e-5) + mean`` is the sound."""


@dataclass(frozen=True)
class StylePair:
    """Two windows of one person, some frames apart."""

    video: str
    """Which."""
    start: int
    """First frame of the first window."""
    coefficients: Coefficients
    """``(2, L, ...)``, normalised where the items have statistics."""


class DenoiserItems:
    """Pairs of windows for the denoiser: one item for each line of the split file."""

    def __init__(
        self,
        reader: TfhpReader,
        split: str = "train",
        window: int = 100,
        statistics: Statistics | None = None,
        crop: str = "random",
    ) -> None:
        """Look up the lengths of the split's videos.

        Args:
            reader: of the data set.
            split: name of the split file.
            window: frames ``L``; an item has twice as many.
            statistics: by which coefficients are normalised; None leaves them as they are.
            crop: where in a video the windows lie: "random", "begin" or "end".

        Raises:
            InputError: no video is long enough. Videos that are not are left out with a warning.
            UsageError: an unknown crop.
        """
        if crop not in CROPS:
            raise UsageError(f"crop must be one of {', '.join(CROPS)}, got {crop!r}")
        self.reader, self.window, self.statistics, self.crop = reader, window, statistics, crop
        self.videos = _long_enough(reader, split, 2 * window)

    def __len__(self) -> int:
        return len(self.videos)

    def item(self, index: int, draw: Draw) -> SpeechPair:
        """Read an item; ``draw(0, n_frames - 2 L + 1)`` chooses its first frame if the crop is random."""
        video = self.videos[index]
        spare = self.reader.n_frames(video) - 2 * self.window
        start = {"begin": 0, "end": spare}.get(self.crop, -1)
        if start < 0:
            start = int(draw(0, spare + 1))
        coefficients, samples = self.reader.read(video, start, start + 2 * self.window)
        samples, mean, std = standardised(samples)
        if self.statistics is not None:
            coefficients = self.statistics.normalise(coefficients)
        halves = coefficients.map(lambda values: values.reshape(2, self.window, -1))
        return SpeechPair(video, start, samples.reshape(2, self.window * FRAME_SAMPLES), halves, mean, std)


class StyleItems:
    """Pairs of windows for the style encoder: one item for each person of the split, in the order of first appearance."""

    def __init__(
        self, reader: TfhpReader, split: str = "train", window: int = 100, statistics: Statistics | None = None
    ) -> None:
        """Look up the lengths of the split's videos; see `DenoiserItems`."""
        self.reader, self.window, self.statistics = reader, window, statistics
        self.stretch = int(STYLE_STRETCH * window)
        self.videos: dict[str, list[str]] = {}
        for video in _long_enough(reader, split, self.stretch):
            self.videos.setdefault(speaker_of(video), []).append(video)
        self.persons = tuple(self.videos)

    def __len__(self) -> int:
        return len(self.persons)

    def item(self, index: int, draw: Draw, choose: Callable[[int], int] | None = None) -> StylePair:
        """Read an item.

        Args:
            index: of the person.
            draw: ``draw(0, n_frames - int(2.1 L) + 1)`` chooses the first frame.
            choose: ``choose(n)`` chooses one of the person's ``n`` videos, before `draw` is asked; None: by `draw`.
        """
        videos = self.videos[self.persons[index]]
        video = videos[int(choose(len(videos)) if choose else draw(0, len(videos)))]
        start = int(draw(0, self.reader.n_frames(video) - self.stretch + 1))
        coefficients = self.reader.coefficients(video, start, start + self.stretch)
        if self.statistics is not None:
            coefficients = self.statistics.normalise(coefficients)
        ends = coefficients.map(lambda values: np.stack([values[: self.window], values[-self.window :]]))
        return StylePair(video, start, ends)


def standardised(samples: np.ndarray) -> tuple[np.ndarray, np.float32, np.float32]:
    """Return ``(samples - mean) / (std + 1e-5)`` with mean and unbiased standard deviation, in float32."""
    import torch

    values = torch.from_numpy(np.asarray(samples, np.float32))
    mean, std = values.mean(), values.std()
    return ((values - mean) / (std + STANDARD_EPS)).numpy(), np.float32(mean), np.float32(std)


def truncate(motion: Tensor, samples: Tensor, end: Tensor, pad_mode: str = "zero") -> tuple[Tensor, Tensor]:
    """End windows early, as the last window of a speech does.

    Args:
        motion: ``(B, L, D)``.
        samples: ``(B, n)``, ``n / L`` samples a frame.
        end: ``(B,)`` whole numbers; frames from ``end`` on are replaced.
        pad_mode: by "zero", or ("replicate") by the frame and the sample before.

    Returns:
        Motion and samples of the same shapes.

    Raises:
        UsageError: an unknown mode, or ``n`` is not a multiple of ``L``.
    """
    import torch

    n_frames, n_samples = motion.shape[1], samples.shape[1]
    if pad_mode not in PADDINGS:
        raise UsageError(f"pad_mode must be one of {', '.join(PADDINGS)}, got {pad_mode!r}")
    if n_samples % n_frames:
        raise UsageError(f"{n_samples} samples cannot be shared among {n_frames} frames")
    end = end.to(motion.device)
    last = end * (n_samples // n_frames)
    frames = torch.arange(n_frames, device=motion.device)[None]
    times = torch.arange(n_samples, device=samples.device)[None]
    if pad_mode == "zero":
        return motion * (frames < end[:, None])[..., None], samples * (times < last[:, None])
    at = torch.minimum(frames, (end[:, None] - 1).clamp(min=0))
    return (
        motion.gather(1, at[..., None].expand_as(motion)),
        samples.gather(1, torch.minimum(times, (last[:, None] - 1).clamp(min=0))),
    )


def _long_enough(reader: TfhpReader, split: str, n_frames: int) -> list[str]:
    """Return the videos of a split with at least so many frames; warn of the others."""
    videos = reader.split(split)
    short = [video for video in videos if reader.n_frames(video) < n_frames]
    if len(short) == len(videos):
        raise InputError(f"{reader.path / split}.txt: no video is long enough to train on ({n_frames} frames)")
    if short:
        warnings.warn(
            f"{reader.path / split}.txt: left out {_named(short)}, shorter than {n_frames} frames",
            DiffPoseTalkWarning,
            stacklevel=3,
        )
    long_enough = set(videos) - set(short)
    return [video for video in videos if video in long_enough]


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} video{'s' * (len(names) > 1)} ({', '.join(names[:3])}{more})"
