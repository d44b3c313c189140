"""The style encoder: a window of motion -> a vector that tells the manner of speaking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from diffposetalk.model.layers import EncoderBlock, TransformerConfig, sinusoid


@dataclass(frozen=True, kw_only=True)
class StyleEncoderConfig(TransformerConfig):
    """Sizes of the style encoder; the defaults are the paper's."""

    dim: int = 128
    """Width of a token and of the style vector, even."""
    n_layers: int = 4
    n_heads: int = 4
    position_dropout: float = 0.0
    """Dropout after the positions are added, while training; 0.1 in the released code."""
    pre_norm: bool = True
    """Normalise before each sub-layer; off: after the sum, as in the paper."""
    pooling: Literal["statistics", "mean"] = "statistics"
    """What becomes of the frames: "mean" is their mean, as in the paper; "statistics" also looks at how far tokens stray
    and at the `summary` of the motion itself, and maps all to the length ``sqrt(dim)``. The mean alone contains little of what
    swings about rest, such as the head."""
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
        self.norm: nn.Module = nn.Identity()
        self.out: nn.Module = nn.Identity()
        if config.pooling == "statistics":
            wide = 2 * config.dim
            self.norm = nn.LayerNorm(config.dim)
            self.out = nn.Sequential(
                nn.Linear(wide + 3 * config.motion_dim, wide), nn.GELU(), nn.Linear(wide, config.dim)
            )

    def forward(self, motion: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the style of normalised motion.

        Args:
            motion: ``(B, T, D)``.
            valid: ``(B, T)`` True where the frame is real; None for all.

        Returns:
            ``(B, dim)``, each of length ``sqrt(dim)`` unless ``pooling`` is "mean".
        """
        n_frames = motion.shape[1]
        x = self.projection(motion)
        places = torch.arange(n_frames, device=motion.device)
        if self.config.positions == "length":
            places = torch.full_like(places, n_frames)
        x = x + sinusoid(places, self.config.dim).to(x.dtype)
        x = nn.functional.dropout(x, self.config.position_dropout, self.training)
        blocked = None if valid is None else ~valid[:, None, None, :]
        for block in self.blocks:
            x = block(x, blocked)
        x = self.norm(x)
        if self.config.pooling == "mean":
            return _mean(x, valid)
        pooled = torch.cat([_mean(x, valid), _log_spread(x, valid), summary(motion, valid)], -1)
        vector = self.out(pooled.to(x.dtype)).float()
        return torch.nn.functional.normalize(vector, dim=-1) * self.config.dim**0.5


def summary(motion: Tensor, valid: Tensor | None = None) -> Tensor:
    """Describe windows ``(B, T, D)`` by each channel's mean, log spread and log speed: ``(B, 3 D)``.

    Frames that are not ``valid (B, T)`` do not count. Source: pooling of mean and spread, as in Snyder et al., "X-vectors"
    (2018); the speed is ours.
    """
    motion = motion.float()
    both = None if valid is None else valid[:, 1:] & valid[:, :-1]
    speed = _mean((motion[:, 1:] - motion[:, :-1]).abs(), both)
    return torch.cat([_mean(motion, valid), _log_spread(motion, valid), (speed + 0.01).log()], -1)


def _mean(values: Tensor, valid: Tensor | None) -> Tensor:
    if valid is None:
        return values.mean(1)
    weight = valid.to(values.dtype)[..., None]
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1)


def _log_spread(values: Tensor, valid: Tensor | None) -> Tensor:
    values = values.float()
    mean = _mean(values, valid)
    return (_mean((values - mean[:, None]).square(), valid).clamp(min=1e-8).sqrt() + 0.05).log()
