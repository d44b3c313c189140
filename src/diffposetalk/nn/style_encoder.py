"""The style encoder: a window of motion -> a vector that tells the manner of speaking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from diffposetalk.nn.layers import EncoderBlock, sinusoid


@dataclass(frozen=True)
class StyleEncoderConfig:
    """Sizes of the style encoder; the defaults are the paper's."""

    motion_dim: int
    """Width D of the motion vector."""
    dim: int = 128
    """Width of a token and of the style vector."""
    n_layers: int = 4
    """Encoder blocks."""
    n_heads: int = 4
    """Attention heads."""
    feed_forward_factor: int = 4
    """Hidden width of the feed-forward layers over ``dim``."""
    dropout: float = 0.1
    """Dropout while training."""
    window: int = 100
    """Frames a style is read from at a time."""
    pre_norm: bool = True
    """Normalise before each sub-layer; off: after the sum, as in the paper."""
    pooling: Literal["sphere", "mean"] = "sphere"
    """What becomes of the mean over the frames: "sphere" normalises it, maps it and gives it the length ``sqrt(dim)``;
    "mean" leaves it as it is, as the paper does."""
    positions: Literal["frames", "length"] = "frames"
    """Which code is added to a frame: that of its own position, or of the number of frames, the same for all, as the
    released weights were trained (they are blind to order)."""


class StyleEncoder(nn.Module):
    """Transformer encoder over motion frames, mean-pooled (DiffPoseTalk, section 3.2).

    The released code adds one and the same code to every frame, which makes it blind to order: see
    ``StyleEncoderConfig.positions``.
    """

    def __init__(self, config: StyleEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Linear(config.motion_dim, config.dim)
        self.blocks = nn.ModuleList(
            EncoderBlock(
                config.dim,
                config.n_heads,
                config.dim * config.feed_forward_factor,
                config.dropout,
                config.pre_norm,
            )
            for _ in range(config.n_layers)
        )
        sphere = config.pooling == "sphere"
        self.norm = nn.LayerNorm(config.dim) if sphere else nn.Identity()
        self.out = nn.Linear(config.dim, config.dim) if sphere else nn.Identity()

    def forward(self, motion: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the style of normalised motion.

        Args:
            motion: ``(B, T, D)``.
            valid: ``(B, T)`` True where the frame is real; None for all.

        Returns:
            ``(B, dim)``; with ``pooling`` "sphere" each of length ``sqrt(dim)``.
        """
        n_frames = motion.shape[1]
        x = self.projection(motion)
        places = torch.arange(n_frames, device=motion.device)
        if self.config.positions == "length":
            places = torch.full_like(places, n_frames)
        x = x + sinusoid(places, self.config.dim).to(x.dtype)
        blocked = None if valid is None else ~valid[:, None, None, :]
        for block in self.blocks:
            x = block(x, blocked)
        x = self.norm(x)
        if valid is None:
            pooled = x.mean(1)
        else:
            weight = valid.to(x.dtype)[..., None]
            pooled = (x * weight).sum(1) / weight.sum(1).clamp(min=1)
        if self.config.pooling == "mean":
            return pooled
        vector = self.out(pooled).float()
        return torch.nn.functional.normalize(vector, dim=-1) * self.config.dim**0.5
