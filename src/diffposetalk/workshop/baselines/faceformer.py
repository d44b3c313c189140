"""After FaceFormer: a transformer that makes motion frame after frame from its own past, with a one-hot style.

Kept: the causal decoder with periodic positions and temporal bias, the alignment of speech and motion, the style of the
speaker added to every frame, training on the frames that the network itself made, squared error, no random numbers.
Smaller: our frozen speech features in place of wav2vec 2.0 that learns on; 128 wide.

Source: Fan et al., "FaceFormer: Speech-Driven 3D Facial Animation with Transformers" (CVPR 2022, arXiv:2112.05329).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from diffposetalk.workshop.baselines.causal import CausalDecoder, CausalSizes, Past
from diffposetalk.workshop.baselines.network import Baseline, Batch, StageName, Widths, motion_terms


@dataclass(frozen=True, kw_only=True)
class FaceFormerConfig(CausalSizes):
    """Sizes; the paper has one block, too."""

    kind: Literal["faceformer"] = "faceformer"
    """Tells it from the other baselines."""


class FaceFormer(Baseline):
    """Deterministic autoregression over frames."""

    def __init__(self, config: FaceFormerConfig, widths: Widths) -> None:
        super().__init__()
        self.style = nn.Linear(widths.style, config.dim, bias=False)
        self.speech = nn.Linear(widths.speech, config.dim)
        self.motion = nn.Linear(widths.motion, config.dim)
        self.decoder = CausalDecoder(config)
        self.out = nn.Linear(config.dim, widths.motion)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Compare the network's own motion with the truth."""
        return motion_terms(self.motion_of(batch.windows.features, batch.style), batch)

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Return the motion; nothing is random."""
        return self.motion_of(features[None], style[None])[0]

    def motion_of(self, features: Tensor, styles: Tensor) -> Tensor:
        """Make motion ``(B, T, D)`` of features ``(B, T, F)`` frame after frame."""
        style, speech = self.style(styles)[:, None], self.speech(features)
        token: Tensor = style
        past: tuple[Past, ...] = ()
        frames: list[Tensor] = []
        for index in range(features.shape[1]):
            hidden, past = self.decoder(token, speech[:, index : index + 1], index, past)
            frames.append(self.out(hidden))
            token = self.motion(frames[-1]) + style
        return torch.cat(frames, dim=1)
