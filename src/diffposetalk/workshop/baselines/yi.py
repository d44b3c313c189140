"""After Yi et al.: expression and head pose by regression from speech, without a style.

Kept: recurrent layers (LSTM) over the speech, one general mapping for everybody, one output for the expression and one for
the head pose, squared error of values and of the change from frame to frame, no random numbers. Smaller: our frozen speech
features in place of MFCC; no fine-tuning on a video of the person, so it cannot have a style.

Source: Yi et al., "Predicting Personalized Head Movement From Short Video and Speech Signal" (IEEE Transactions on
Multimedia 2022), and "Audio-driven Talking Face Video Generation with Learning-based Personalized Head Pose"
(arXiv:2002.10137).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from diffposetalk.workshop.baselines.network import (
    Baseline,
    Batch,
    RecurrentSizes,
    StageName,
    StyleKind,
    Widths,
    motion_terms,
)


@dataclass(frozen=True, kw_only=True)
class YiConfig(RecurrentSizes):
    """Sizes."""

    pose_dim: int = 3
    """Columns of the head pose, at the end of the motion vector."""
    kind: Literal["yi"] = "yi"
    """Tells it from the other baselines."""


class Yi(Baseline):
    """Deterministic regression."""

    style_kind: ClassVar[StyleKind] = "none"

    def __init__(self, config: YiConfig, widths: Widths) -> None:
        super().__init__()
        self.speech = nn.Linear(widths.speech, config.dim)
        self.recurrent = nn.LSTM(config.dim, config.dim, config.n_layers, batch_first=True, dropout=config.dropout)
        self.expression = nn.Linear(config.dim, widths.motion - config.pose_dim)
        self.pose = nn.Linear(config.dim, config.pose_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Return motion ``(B, T, D)`` of features ``(B, T, F)``."""
        hidden, _ = self.recurrent(nn.functional.gelu(self.speech(features)))
        return torch.cat([self.expression(hidden), self.pose(hidden)], -1)

    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Compare the motion with the truth."""
        return motion_terms(self(batch.windows.features), batch)

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Return the motion; nothing is random."""
        motion: Tensor = self(features[None])[0]
        return motion
