"""One-hot styles: the speakers of the training, and what stands for a speaker who is not among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffposetalk.errors import UsageError
from diffposetalk.model.style_encoder import summary
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.workshop.train.lite.denoiser import one_hot_styles
from diffposetalk.workshop.train.lite.windows import EncodedClip


@dataclass(frozen=True)
class TrainingSpeakers:
    """Speakers of a training by number, with the statistics of their motion.

    A one-hot style cannot say how a speaker moves whom the training did not have. FaceFormer, CodeTalker and FaceDiffuser
    give such a speaker the styles of all training speakers in turn. Here a reference motion chooses the training speaker
    with the nearest statistics, which is the best that such a system can do with a reference; without one it is the mean
    of all styles.
    """

    names: tuple[str, ...]
    """S names."""
    statistics: np.ndarray
    """``(S, 3 D)`` float32 mean over a speaker's clips of `model.style_encoder.summary`."""

    @staticmethod
    def of(names: Sequence[str], clips: Sequence[EncodedClip]) -> TrainingSpeakers:
        """Measure the speakers of clips, which number them in the order of the names."""
        sums: dict[int, list[np.ndarray]] = {}
        for clip in clips:
            sums.setdefault(clip.speaker, []).append(_statistics(clip.motion))
        return TrainingSpeakers(tuple(names), np.stack([np.mean(sums[number], 0) for number in range(len(names))]))

    def one_hot(self, speakers: Tensor) -> Tensor:
        """Return styles ``(B, S)`` of speakers ``(B,)``; the mean style for numbers from S on."""
        return one_hot_styles(speakers, len(self.names))

    def style_of(self, reference: Motion | str | None, space: MotionSpace) -> Tensor:
        """Return the style ``(S,)`` of a reference.

        Args:
            reference: a training speaker's name; motion, for the training speaker whose statistics are nearest; None
                for the mean of all speakers.
            space: of the network's motion.

        Raises:
            UsageError: no speaker has that name.
        """
        if reference is None:
            number = len(self.names)
        elif isinstance(reference, str):
            if reference not in self.names:
                raise UsageError(
                    f"no style {reference!r}: this model knows only the {len(self.names)} speakers of its training, such as "
                    f"{self.names[0]}; give a reference motion, or no style for the mean of all"
                )
            number = self.names.index(reference)
        else:
            number = self.nearest(space.encode(reference))
        return self.one_hot(torch.tensor([number]))[0]

    def nearest(self, motion: np.ndarray) -> int:
        """Return the number of the speaker whose statistics are nearest to those of motion ``(T, D)``.

        Each statistic counts in units of its spread over the speakers.
        """
        spread = np.maximum(self.statistics.std(0), 0.05)
        distances = np.square((self.statistics - _statistics(motion)) / spread).mean(-1)
        return int(distances.argmin())


def _statistics(motion: np.ndarray) -> np.ndarray:
    """Return the `summary` of motion ``(T, D)``: ``(3 D,)`` float32."""
    result: np.ndarray = summary(torch.from_numpy(np.ascontiguousarray(motion, np.float32))[None])[0].numpy()
    return result
