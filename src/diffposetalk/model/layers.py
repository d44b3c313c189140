"""Building blocks: positional codes, the alignment mask, attention and transformer blocks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def sinusoid(positions: Tensor, dim: int) -> Tensor:
    """Return the sinusoidal code of positions (Vaswani et al. 2017).

    Args:
        positions: any shape; need not be whole numbers.
        dim: even width of the code.

    Returns:
        ``(*positions.shape, dim)``, sine and cosine interleaved, frequencies ``10000 ** (-2 i / dim)``.
    """
    frequency = torch.exp(torch.arange(0, dim, 2, device=positions.device) * (-math.log(10000.0) / dim))
    angle = positions[..., None].float() * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def alignment_mask(n_frames: int, width: int, device: torch.device | None = None) -> Tensor | None:
    """Return which speech frames a token may not attend to (DiffPoseTalk, alignment mask).

    Args:
        n_frames: motion frames, equal to speech frames.
        width: motion frame ``i`` sees speech frames ``j`` with ``|i - j| < width``; 0 or less hides nothing.

    Returns:
        ``(1 + n_frames, n_frames)`` bool, True = blocked; row 0 is the condition token, which sees all. None
        if nothing is hidden.
    """
    if width <= 0:
        return None
    frame = torch.arange(n_frames, device=device)
    blocked = (frame[:, None] - frame[None, :]).abs() >= width
    return torch.cat([torch.zeros(1, n_frames, dtype=torch.bool, device=device), blocked])


class Attention(nn.Module):
    """Multi-head attention whose keys and values can be made once and used many times.

    Args:
        dim: width of a token.
        n_heads: attention heads.
        dropout: share of attention weights dropped while training.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(-2, -3)

    def projected(self, x: Tensor, n_last: int, n_alike: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries of the last tokens, keys and values of all: each ``(B, heads, T, dim / heads)``.

        Args:
            x: ``(B, T, dim)``; rows in ``n_alike`` groups that differ in their first tokens alone.
            n_last: tokens at the end to compute the output for; 0 for all.
            n_alike: number of groups; the others' tokens are projected once for all.
        """
        if n_alike == 1:
            return self._heads(self.query(x[:, -n_last:])), *self.keys_values(x)
        first, others = x[:, :1], x[: len(x) // n_alike, 1:]
        whole = [
            torch.cat([layer(first), layer(others).repeat(n_alike, 1, 1)], dim=1)
            for layer in (self.query, self.key, self.value)
        ]
        query, key, value = (self._heads(part) for part in whole)
        return query[:, :, -n_last:], key, value

    def keys_values(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values of ``source (B, S, dim)``, each ``(B, heads, S, dim / heads)``."""
        return self._heads(self.key(source)), self._heads(self.value(source))

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Let ``x (B, T, dim)`` attend to prepared keys and values; ``blocked`` broadcasts to ``(B, heads, T, S)``."""
        return self._mixed(self._heads(self.query(x)), keys, values, blocked)

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
        allowed = None if blocked is None else ~blocked
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(queries, keys, values, allowed, dropout)
        return self.out(mixed.transpose(-2, -3).flatten(-2))

    def attend_own(self, values: Tensor) -> Tensor:
        """Let every token attend to the value at its own place alone: ``(B, heads, T, dim / heads) -> (B, T, dim)``.

        The softmax over one key is 1 whatever the query, so neither queries nor keys are needed.
        """
        weight = functional.dropout(values.new_ones(*values.shape[:-1], 1), self.dropout, self.training)
        return self.out((values * weight).transpose(-2, -3).flatten(-2))

    def forward(self, x: Tensor, blocked: Tensor | None = None, n_last: int = 0, n_alike: int = 1) -> Tensor:
        """Self-attention over ``x (B, T, dim)``; ``n_last`` and ``n_alike`` as in `projected`."""
        return self._mixed(*self.projected(x, n_last, n_alike), blocked)


class FeedForward(nn.Sequential):
    """Linear, GELU, dropout, linear."""

    def __init__(self, dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim, hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden_dim, dim))


class EncoderBlock(nn.Module):
    """Transformer encoder block; normalisation after each sum as in the paper, or before each sub-layer."""

    def __init__(self, dim: int, n_heads: int, hidden_dim: int, dropout: float, pre_norm: bool) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = Attention(dim, n_heads, dropout)
        self.feed_forward = FeedForward(dim, hidden_dim, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Map ``(B, T, dim)`` to the same shape; ``blocked`` broadcasts to ``(B, heads, T, T)``."""
        if self.pre_norm:
            x = x + self.dropout(self.attention(self.norms[0](x), blocked))
            return x + self.dropout(self.feed_forward(self.norms[1](x)))
        x = self.norms[0](x + self.dropout(self.attention(x, blocked)))
        return self.norms[1](x + self.dropout(self.feed_forward(x)))


SpeechCache = tuple[Tensor, Tensor, Tensor]
"""Cross-attention's step-invariant part: keys, values ``(B, heads, S, dim / heads)`` and, where the mask leaves each
motion frame its own speech frame alone, the finished output of the motion tokens ``(B, S, dim)`` (else empty)."""


class DecoderBlock(nn.Module):
    """Transformer decoder block over one condition token and the motion frames, with speech in cross-attention.

    With an alignment mask of width 1 the softmax of a motion token has one element: its cross-attention is
    ``out(value(speech_i))`` whatever the query and the noise step are, so `prepare` computes it once per window.
    """

    def __init__(self, dim: int, n_heads: int, hidden_dim: int, dropout: float, pre_norm: bool, width: int) -> None:
        super().__init__()
        self.pre_norm, self.width = pre_norm, width
        self.attention = Attention(dim, n_heads, dropout)
        self.cross_attention = Attention(dim, n_heads, dropout)
        self.feed_forward = FeedForward(dim, hidden_dim, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def prepare(self, speech: Tensor) -> SpeechCache:
        """Compute what cross-attention to ``speech (B, S, dim)`` needs in every noise step."""
        cross = self.cross_attention
        keys, values = cross.keys_values(speech)
        own = cross.attend_own(values) if self.width == 1 else speech.new_empty(0)
        return keys, values, own

    def _cross(self, x: Tensor, cache: SpeechCache, blocked: Tensor | None) -> Tensor:
        keys, values, own = cache
        n_tokens = x.shape[1]
        if self.width != 1:
            return self.cross_attention.attend(x, keys, values, None if blocked is None else blocked[-n_tokens:])
        if n_tokens <= own.shape[1]:
            return own[:, -n_tokens:]
        return torch.cat([self.cross_attention.attend(x[:, :1], keys, values), own], dim=1)

    def forward(
        self, x: Tensor, cache: SpeechCache, blocked: Tensor | None = None, n_last: int = 0, n_alike: int = 1
    ) -> Tensor:
        """Map tokens ``(B, 1 + S, dim)`` to the same shape.

        Args:
            x: the tokens.
            cache: from `prepare`.
            blocked: ``(1 + S, S)`` as from `alignment_mask`.
            n_last: return only this many tokens at the end; 0 for all.
            n_alike: rows come in so many groups that differ in the condition token alone: less to compute.
        """
        if self.pre_norm:
            x = x[:, -n_last:] + self.dropout(self.attention(self.norms[0](x), None, n_last, n_alike))
            x = x + self.dropout(self._cross(self.norms[1](x), cache, blocked))
            return x + self.dropout(self.feed_forward(self.norms[2](x)))
        x = self.norms[0](x[:, -n_last:] + self.dropout(self.attention(x, None, n_last, n_alike)))
        x = self.norms[1](x + self.dropout(self._cross(x, cache, blocked)))
        return self.norms[2](x + self.dropout(self.feed_forward(x)))
