"""After ARTalk: binary codes of motion at several time scales, and autoregression from coarse to fine.

Kept: stage "codes" learns an autoencoder whose latent window is quantised scale after scale (1, 5, 25, 50 and 100 places
in 100 frames), each scale taking what the coarser ones left over, with binary codes; stage "motion" predicts the bits of a
scale at once, from all coarser scales, speech, the window before and a style read from a reference; bits are drawn at
random; the style scales and shifts the layers. Smaller: convolutions in the autoencoder, the last frames of the window
before in place of all its codes, our frozen speech features and style encoder.

Source: Chu et al., "ARTalk: Speech-Driven 3D Head Animation via Autoregressive Model" (arXiv:2502.20323); binary codes:
Zhao et al., "Image and Video Tokenization with Binary Spherical Quantization" (arXiv:2406.07548).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import UsageError
from diffposetalk.model.configs import check_heads
from diffposetalk.model.layers import EncoderBlock, sinusoid
from diffposetalk.workshop.baselines.network import Baseline, Batch, StageName, StyleKind, Widths, motion_terms
from diffposetalk.workshop.baselines.temporal import TemporalNetwork
from diffposetalk.workshop.train.losses import masked_mean

MOST_TOKENS = 4000
"""Most tokens of a window; every token looks at every other."""


@dataclass(frozen=True)
class ArTalkConfig:
    """Sizes."""

    dim: int = 128
    """Width of a token and of the autoencoder's layers."""
    n_blocks: int = 2
    """Convolutions of the encoder, and of the decoder."""
    n_bits: int = 24
    """Bits of a code."""
    scales: tuple[int, ...] = (1, 5, 25, 50, 100)
    """Places in a window at each scale; the last is the number of frames L of a window."""
    context: int = 10
    """Frames P of the window before."""
    n_layers: int = 3
    """Blocks of the transformer over scales."""
    n_heads: int = 4
    """Attention heads."""
    dropout: float = 0.1
    """While training."""
    kind: Literal["artalk"] = "artalk"
    """Tells it from the other baselines."""

    def __post_init__(self) -> None:
        check_heads("ArTalk", self.dim, self.n_heads)
        if not self.scales or list(self.scales) != sorted(set(self.scales)) or self.scales[0] < 1:
            raise UsageError(f"artalk: scales must be whole numbers that rise from at least 1, got {self.scales}")
        if self.context < 0 or self.context + sum(self.scales) > MOST_TOKENS:
            raise UsageError(f"artalk: context and scales are more than {MOST_TOKENS} tokens together")


class ScaleCodes(nn.Module):
    """Motion windows to bits at several scales and back."""

    def __init__(self, config: ArTalkConfig, motion_dim: int) -> None:
        super().__init__()
        self.scales = config.scales
        self.encoder = TemporalNetwork(motion_dim, config.dim, config.n_bits, config.n_blocks)
        self.decoder = TemporalNetwork(config.n_bits, config.dim, motion_dim, config.n_blocks)
        self.gains = nn.Parameter(torch.linspace(1.0, 0.3, len(config.scales)))

    def sized(self, values: Tensor, n_places: int) -> Tensor:
        """Bring ``(B, T, C)`` to ``n_places``: means where there are fewer, lines between where there are more."""
        if values.shape[1] == n_places:
            return values
        if values.shape[1] > n_places:
            return functional.adaptive_avg_pool1d(values.mT, n_places).mT
        return functional.interpolate(values.mT, n_places, mode="linear", align_corners=False).mT

    def quantised(self, latent: Tensor) -> tuple[list[Tensor], Tensor]:
        """Quantise latent windows ``(B, L, C)``, scale after scale.

        Returns:
            The bits of each scale ``(B, n, C)`` as 0 and 1, and the latent windows made from them, with the gradients of
            the values before quantisation.
        """
        rest, total, bits = latent, torch.zeros_like(latent), []
        for scale, n_places in enumerate(self.scales):
            small = self.sized(rest, n_places)
            signs = torch.where(small >= 0, 1.0, -1.0).to(small)
            bits.append((signs + 1) / 2)
            soft = torch.tanh(small)
            part = self._part(soft + (signs - soft).detach(), scale)
            total = total + part
            rest = rest - part.detach()
        return bits, total

    def _part(self, signs: Tensor, scale: int) -> Tensor:
        """Return what signs ``(B, n, C)`` of a scale add to the latent window: ``(B, L, C)``."""
        return self.sized(signs * self.gains[scale], self.scales[-1])

    def from_bits(self, bits: list[Tensor]) -> Tensor:
        """Return the latent windows ``(B, L, C)`` of the coarsest scales' bits; at least one scale."""
        return torch.stack([self._part(2 * part - 1, scale) for scale, part in enumerate(bits)]).sum(0)


class StyledBlock(EncoderBlock):
    """A transformer block whose sub-layers the style scales and shifts."""

    def __init__(self, dim: int, n_heads: int, dropout: float, style_dim: int) -> None:
        super().__init__(dim, n_heads, 2 * dim, dropout, True)
        self.modulation = nn.Linear(style_dim, 4 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def styled(self, x: Tensor, style: Tensor, blocked: Tensor) -> Tensor:
        """Map tokens ``(B, N, dim)`` with styles ``(B, S)``; ``blocked (N, N)`` is True where a token must not look."""
        scales = self.modulation(style)[:, None].chunk(4, -1)
        x = x + self.dropout(self.attention(self.norms[0](x) * (1 + scales[0]) + scales[1], blocked))
        return x + self.dropout(self.feed_forward(self.norms[1](x) * (1 + scales[2]) + scales[3]))


class ArTalk(Baseline):
    """Autoregression over time scales, window after window."""

    style_kind: ClassVar[StyleKind] = "encoder"
    stages: ClassVar[tuple[StageName, ...]] = ("codes", "motion")
    blocked: Tensor
    places: Tensor

    def __init__(self, config: ArTalkConfig, widths: Widths) -> None:
        super().__init__()
        self.config = config
        self.codes = ScaleCodes(config, widths.motion)
        self.speech = nn.Linear(widths.speech, config.dim)
        self.coarser = nn.Linear(config.n_bits, config.dim)
        self.before = nn.Linear(widths.motion, config.dim)
        self.start = nn.Parameter(0.02 * torch.randn(config.context, config.dim))
        self.scale_codes = nn.Parameter(0.02 * torch.randn(len(config.scales), config.dim))
        self.blocks = nn.ModuleList(
            StyledBlock(config.dim, config.n_heads, config.dropout, widths.style) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.out = nn.Linear(config.dim, config.n_bits)
        self.register_buffer("blocked", _blocked(config.context, config.scales), persistent=False)
        self.register_buffer("places", _places(config.context, config.scales), persistent=False)

    @property
    def autoencoder(self) -> nn.Module:
        """The codes of motion."""
        return self.codes

    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Compare decoded motion with the truth, or predicted bits with those of the truth."""
        windows = batch.windows
        if stage == "codes":
            return motion_terms(self.codes.decoder(self.codes.quantised(self.codes.encoder(windows.motion))[1]), batch)
        with torch.no_grad():
            bits, _ = self.codes.quantised(self.codes.encoder(windows.motion))
        tokens = [self._token(bits[:scale], windows.features, scale) for scale in range(len(bits))]
        before = torch.where(windows.continues[:, None, None], self.before(windows.previous_motion), self.start)
        logits = self._logits(before, tokens, batch.style)
        losses = functional.binary_cross_entropy_with_logits(logits.float(), torch.cat(bits, 1), reduction="none")
        counted = torch.cat([self.codes.sized(windows.valid[..., None].float(), n) for n in self.config.scales], 1)
        return {"bits": masked_mean(losses, counted[..., 0] > 0.5)}

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Draw bits window after window; the last window hears its last frame of speech until its end."""
        length, context = self.config.scales[-1], self.config.context
        made: list[Tensor] = []
        before = self.start[None]
        for start in range(0, len(features), length):
            speech = features[start : start + length]
            speech = torch.cat([speech, speech[-1:].expand(length - len(speech), -1)])[None]
            bits: list[Tensor] = []
            tokens: list[Tensor] = []
            for scale, n_places in enumerate(self.config.scales):
                tokens.append(self._token(bits, speech, scale))
                logits = self._logits(before, tokens, style[None])[:, -n_places:]
                drawn = torch.rand(logits.shape, generator=generator, device=generator.device).to(logits)
                bits.append((drawn < torch.sigmoid(logits)).to(logits))
            made.append(self.codes.decoder(self.codes.from_bits(bits))[0])
            before = self.before(made[-1][None, -context:])
        return torch.cat(made)[: len(features)]

    def _token(self, coarser: list[Tensor], features: Tensor, scale: int) -> Tensor:
        """Return the tokens ``(B, n, dim)`` of a scale: what the coarser scales gave, and the speech, at each place."""
        n_places = self.config.scales[scale]
        token = self.speech(self.codes.sized(features, n_places)) + self.scale_codes[scale]
        return token + self.coarser(self.codes.sized(self.codes.from_bits(coarser), n_places)) if coarser else token

    def _logits(self, before: Tensor, tokens: list[Tensor], style: Tensor) -> Tensor:
        """Return logits of the bits at all places of the scales in ``tokens``: ``(B, N, C)``."""
        x = torch.cat([before, *tokens], 1)
        n_tokens = x.shape[1]
        x = x + sinusoid(self.places[:n_tokens], self.config.dim).to(x)
        blocked = self.blocked[:n_tokens, :n_tokens]
        for block in self.blocks:
            assert isinstance(block, StyledBlock)
            x = block.styled(x, style, blocked)
        logits: Tensor = self.out(self.norm(x[:, before.shape[1] :]))
        return logits


def _places(context: int, scales: tuple[int, ...]) -> Tensor:
    """Return the time of every token, in frames from the start of the context."""
    times = [torch.arange(context) + 0.5]
    times += [context + (torch.arange(n) + 0.5) * scales[-1] / n for n in scales]
    return torch.cat(times)


def _blocked(context: int, scales: tuple[int, ...]) -> Tensor:
    """Return which tokens a token must not look at: those of finer scales than its own. ``(N, N)``."""
    level = torch.cat([torch.full((n,), index) for index, n in enumerate((context, *scales))])
    return level[None, :] > level[:, None]
