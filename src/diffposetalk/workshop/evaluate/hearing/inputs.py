"""What a probe reads at each 20 ms step: the hidden layer of a speech encoder, or log-mels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffposetalk.model.configs import SpeechEncoderConfig
from diffposetalk.model.encoders import AnySpeechEncoder
from diffposetalk.model.frames import FRAME_SAMPLES, SILENCE
from diffposetalk.model.pretrained_speech import resample_linear
from diffposetalk.model.speech_encoder import SpeechEncoder

ENCODER_REACH = 1
"""Steps before and after its own that a probe of an encoder reads."""
MEL_REACH = 4
"""Steps before and after its own that a probe of log-mels reads."""


@dataclass(frozen=True)
class Inputs:
    """Rows of one or more clips, and which of them are steps of speech; the others surround a clip."""

    rows: Tensor
    """``(R, K)`` float16."""
    centres: Tensor
    """``(N,)`` int64 row of each step of speech."""
    reach: int
    """Rows before and after its own that belong to a step; the same for all clips."""

    @staticmethod
    def of_clip(rows: Tensor, reach: int) -> Inputs:
        """Return one clip, whose first and last ``reach`` rows ``(N + 2 reach, K)`` surround it."""
        return Inputs(rows.half(), torch.arange(reach, len(rows) - reach), reach)

    @staticmethod
    def joined(clips: Sequence[Inputs]) -> Inputs:
        """Return the steps of several clips, one clip after another."""
        starts = np.cumsum([0, *(len(clip.rows) for clip in clips[:-1])]).tolist()
        centres = torch.cat([clip.centres + start for clip, start in zip(clips, starts, strict=True)])
        return Inputs(torch.cat([clip.rows for clip in clips]), centres, clips[0].reach)

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def width(self) -> int:
        """Numbers that belong to a step."""
        return self.rows.shape[1] * (2 * self.reach + 1)

    def at(self, steps: Tensor) -> Tensor:
        """Return what belongs to some steps: ``(n,) -> (n, width)`` float32."""
        around = torch.arange(-self.reach, self.reach + 1)
        return self.rows[self.centres[steps][:, None] + around].flatten(1).float()


@torch.inference_mode()
def encoder_inputs(encoder: AnySpeechEncoder, samples: np.ndarray) -> Inputs:
    """Return what an encoder makes of speech.

    The compact encoder gives its hidden layer, after the non-linearity that follows it in the model. Of a pretrained
    encoder the features are taken, 25 a second, and interpolated.

    Args:
        encoder: in evaluation mode.
        samples: ``(640 T,)`` float32 at 16 kHz; gives ``2 T`` steps.
    """
    if isinstance(encoder, SpeechEncoder):
        mels, _ = encoder.normalise(encoder.log_mels(torch.from_numpy(samples)[None]))
        rows = functional.gelu(encoder.hidden(encoder.surround(mels)))[0].T
        return Inputs.of_clip(rows, ENCODER_REACH)
    features = torch.cat(list(encoder.stream([samples])))[None]
    steps = resample_linear(features, 2 * len(samples) // FRAME_SAMPLES)[0]
    return Inputs.of_clip(torch.cat([steps[:1], steps, steps[-1:]]), ENCODER_REACH)


class LogMels:
    """Log-mels normalised as for the bundled model's encoder, whatever model is measured."""

    def __init__(self) -> None:
        self._encoder = SpeechEncoder(SpeechEncoderConfig())

    @torch.inference_mode()
    def inputs(self, samples: np.ndarray) -> Inputs:
        """Return 80 log-mels for each step of speech ``(640 T,)``, surrounded by silence."""
        mels, _ = self._encoder.normalise(self._encoder.log_mels(torch.from_numpy(samples)[None]))
        steps = mels[0].unflatten(1, (-1, 2)).mean(-1)
        return Inputs.of_clip(functional.pad(steps, (MEL_REACH, MEL_REACH), value=SILENCE).T, MEL_REACH)
