"""After CodeTalker: a codebook of motion, then autoregression over its codes, with a one-hot style.

Kept: stage "codes" learns an autoencoder of motion whose latent frame is quantised in several parts against one codebook;
stage "motion" freezes it and predicts, from past codes, speech and style, features that are quantised to the nearest codes
and decoded; its losses compare features with the true codes, and the decoded motion with the truth; the true past is given
in training; no random numbers. Smaller: convolutions in place of transformers in the autoencoder, past codes in place of
past decoded motion, our frozen speech features.

Source: Xing et al., "CodeTalker: Speech-Driven 3D Facial Animation with Discrete Motion Prior" (CVPR 2023,
arXiv:2301.02379).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from diffposetalk.workshop.baselines.causal import CausalDecoder, CausalSizes, Past
from diffposetalk.workshop.baselines.network import Baseline, Batch, StageName, Widths, motion_terms
from diffposetalk.workshop.baselines.temporal import TemporalNetwork
from diffposetalk.workshop.train.losses import masked_mean

COMMITMENT = 0.25
"""Weight of the encoder's share in the codebook loss (van den Oord et al. 2017)."""


@dataclass(frozen=True, kw_only=True)
class CodeTalkerConfig(CausalSizes):
    """Sizes; the autoencoder is as wide as a token."""

    n_layers: int = 2
    """Decoder blocks."""
    n_blocks: int = 2
    """Convolutions of the encoder, and of the decoder."""
    n_codes: int = 256
    """Entries of the codebook."""
    n_parts: int = 8
    """Codes of a frame; the paper's face components."""
    code_dim: int = 16
    """Width of a code."""
    kind: Literal["codetalker"] = "codetalker"
    """Tells it from the other baselines."""


class Codebook(nn.Module):
    """Motion to codes and back."""

    def __init__(self, config: CodeTalkerConfig, motion_dim: int) -> None:
        super().__init__()
        latent = config.n_parts * config.code_dim
        self.n_parts = config.n_parts
        self.encoder = TemporalNetwork(motion_dim, config.dim, latent, config.n_blocks)
        self.decoder = TemporalNetwork(latent, config.dim, motion_dim, config.n_blocks)
        self.codes = nn.Parameter(torch.randn(config.n_codes, config.code_dim))

    def nearest(self, latent: Tensor) -> Tensor:
        """Return the numbers of the codes nearest to latent frames ``(B, T, parts * code_dim)``: ``(B, T, parts)``."""
        parts = latent.float().unflatten(-1, (self.n_parts, -1))
        distances = self.codes.square().sum(-1) - 2 * parts @ self.codes.T  # up to the parts' own lengths
        return distances.argmin(-1)

    def latent_of(self, numbers: Tensor) -> Tensor:
        """Return the latent frames ``(B, T, parts * code_dim)`` of codes ``(B, T, parts)``."""
        return self.codes[numbers].flatten(-2)


class CodeTalker(Baseline):
    """Deterministic autoregression over codes."""

    stages: ClassVar[tuple[StageName, ...]] = ("codes", "motion")

    def __init__(self, config: CodeTalkerConfig, widths: Widths) -> None:
        super().__init__()
        latent = config.n_parts * config.code_dim
        self.codebook = Codebook(config, widths.motion)
        self.style = nn.Linear(widths.style, config.dim, bias=False)
        self.speech = nn.Linear(widths.speech, config.dim)
        self.past = nn.Linear(latent, config.dim)
        self.decoder = CausalDecoder(config)
        self.out = nn.Linear(config.dim, latent)

    @property
    def autoencoder(self) -> nn.Module:
        """The codebook with its networks."""
        return self.codebook

    @torch.no_grad()
    def begin(self, stage: StageName, batch: Batch) -> None:
        """Begin the codebook with latent frames of real motion, so that no code starts far from all of them."""
        if stage == "codes":
            codes = self.codebook.codes
            latent = self.codebook.encoder(batch.windows.motion)[batch.windows.valid].reshape(-1, codes.shape[1])
            codes.copy_(latent[torch.randint(len(latent), (len(codes),))] + 0.01 * torch.randn_like(codes))

    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Compare decoded motion with the truth; and latent frames with their codes, or predicted ones with true codes."""
        motion, valid = batch.windows.motion, batch.windows.valid
        book = self.codebook
        if stage == "codes":
            latent = book.encoder(motion)
            quantised = book.latent_of(book.nearest(latent))
            terms = motion_terms(book.decoder(_passed(latent, quantised)), batch)
            apart = (quantised - latent.detach()).square() + COMMITMENT * (quantised.detach() - latent).square()
            return terms | {"codes": masked_mean(apart.float(), valid)}
        with torch.no_grad():
            true = book.latent_of(book.nearest(book.encoder(motion)))
        past = nn.functional.pad(true[:, :-1], (0, 0, 1, 0))
        tokens = self.past(past) + self.style(batch.style)[:, None]
        hidden, _ = self.decoder(tokens, self.speech(batch.windows.features))
        predicted = self.out(hidden).float()
        decoded = book.decoder(_passed(predicted, book.latent_of(book.nearest(predicted))))
        return motion_terms(decoded, batch) | {"codes": masked_mean((predicted - true).square(), valid)}

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Return the motion; nothing is random."""
        codes = self.codes_of(features[None], style[None])
        decoded: Tensor = self.codebook.decoder(self.codebook.latent_of(codes))[0]
        return decoded

    def codes_of(self, features: Tensor, styles: Tensor) -> Tensor:
        """Choose codes ``(B, T, parts)`` for features ``(B, T, F)`` frame after frame."""
        style, speech = self.style(styles)[:, None], self.speech(features)
        latent = speech.new_zeros(len(speech), 1, self.past.in_features)
        past: tuple[Past, ...] = ()
        chosen = []
        for index in range(features.shape[1]):
            hidden, past = self.decoder(self.past(latent) + style, speech[:, index : index + 1], index, past)
            chosen.append(self.codebook.nearest(self.out(hidden)))
            latent = self.codebook.latent_of(chosen[-1])
        return torch.cat(chosen, dim=1)


def _passed(latent: Tensor, quantised: Tensor) -> Tensor:
    """Return the quantised values, with the gradient of the latent ones (straight-through)."""
    return latent + (quantised - latent).detach()
