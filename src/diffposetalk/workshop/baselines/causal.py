"""Transformer blocks for motion that is made frame after frame: they see the past alone, and their own frame of speech."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.model.configs import check_heads
from diffposetalk.model.layers import FeedForward, sinusoid

MEMORY_FRAMES = 250
"""Past frames that are kept when long motion is made; the temporal bias makes earlier ones count for nothing."""


@dataclass(frozen=True, kw_only=True)
class CausalSizes:
    """Sizes of a `CausalDecoder`."""

    dim: int = 128
    """Width of a token."""
    n_layers: int = 1
    """Decoder blocks."""
    n_heads: int = 4
    """Attention heads."""
    period: int = 25
    """Frames after which positions repeat and the temporal bias takes a step."""
    dropout: float = 0.1
    """Of attention and feed-forward layers, while training."""

    def __post_init__(self) -> None:
        check_heads(type(self).__name__.removesuffix("Config"), self.dim, self.n_heads)


@dataclass(frozen=True)
class Past:
    """Keys and values of the frames before, each ``(B, heads, t, dim / heads)``."""

    keys: Tensor
    values: Tensor


def periodic_positions(first: int, n_frames: int, period: int, dim: int) -> Tensor:
    """Return the positional code of frames that repeats every ``period`` frames: ``(n_frames, dim)``.

    Source: FaceFormer (Fan et al. 2022), section 3.2, periodic positional encoding.
    """
    return sinusoid(torch.arange(first, first + n_frames) % period, dim)


def temporal_bias(n_queries: int, n_keys: int, n_heads: int, period: int) -> Tensor:
    """Return what is added to the attention of the last ``n_queries`` of ``n_keys`` frames: ``(heads, Q, K)``.

    A frame sees none of the future. In the past, each further period costs as much again, at a rate for each head.

    Source: FaceFormer (Fan et al. 2022), section 3.2, biased causal attention; the rates are those of ALiBi (Press et al.
    2022): ``2 ** (-8 h / H)`` for heads h = 1 .. H.
    """
    query = torch.arange(n_keys - n_queries, n_keys)[:, None]
    distance = query - torch.arange(n_keys)[None]
    rates = 2.0 ** (-8.0 * torch.arange(1, n_heads + 1) / n_heads)
    bias = -rates[:, None, None] * (distance.clamp(min=0) // period)
    return bias.masked_fill(distance < 0, float("-inf"))


class CausalBlock(nn.Module):
    """Self-attention to the past, the frame's own speech, feed-forward; normalisation after each sum.

    The alignment of FaceFormer lets a motion frame attend to the speech of its own time alone. The softmax over one key
    is 1, so that cross-attention is a linear map of the frame's speech.
    """

    def __init__(self, sizes: CausalSizes) -> None:
        super().__init__()
        dim = sizes.dim
        self.n_heads, self.period, self.dropout = sizes.n_heads, sizes.period, sizes.dropout
        self.joint = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.speech = nn.Linear(dim, dim)
        self.feed_forward = FeedForward(dim, 2 * dim, sizes.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))

    def forward(self, x: Tensor, speech: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """Map the next frames.

        Args:
            x: ``(B, T, dim)`` tokens of the next T frames.
            speech: ``(B, T, dim)`` speech of these frames.
            past: the frames before; None at the start.

        Returns:
            The frames ``(B, T, dim)``, and the past that includes them.
        """
        query, key, value = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in self.joint(x).chunk(3, -1)
        )
        if past is not None:
            key, value = torch.cat([past.keys, key], 2), torch.cat([past.values, value], 2)
        bias = temporal_bias(query.shape[2], key.shape[2], self.n_heads, self.period).to(query)
        mixed = functional.scaled_dot_product_attention(query, key, value, bias, self.dropout if self.training else 0.0)
        x = self.norms[0](x + self.out(mixed.transpose(1, 2).flatten(2)))
        x = self.norms[1](x + self.speech(speech))
        x = self.norms[2](x + self.feed_forward(x))
        return x, Past(key[:, :, -MEMORY_FRAMES:], value[:, :, -MEMORY_FRAMES:])


class CausalDecoder(nn.Module):
    """Blocks one after another, made frame after frame or for all frames at once."""

    def __init__(self, sizes: CausalSizes) -> None:
        super().__init__()
        self.dim, self.period = sizes.dim, sizes.period
        self.blocks = nn.ModuleList(CausalBlock(sizes) for _ in range(sizes.n_layers))

    def forward(
        self, x: Tensor, speech: Tensor, first: int = 0, past: tuple[Past, ...] = ()
    ) -> tuple[Tensor, tuple[Past, ...]]:
        """Map tokens ``(B, T, dim)`` of the frames from number ``first`` on; speech and result have the same shape.

        Returns:
            The frames, and the past of each block, to be given with the next frames.
        """
        x = x + periodic_positions(first, x.shape[1], self.period, self.dim).to(x)
        pasts = []
        for index, block in enumerate(self.blocks):
            x, latest = block(x, speech, past[index] if past else None)
            pasts.append(latest)
        return x, tuple(pasts)
