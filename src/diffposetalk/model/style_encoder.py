"""The style encoder: a window of motion -> a vector that tells the manner of speaking."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.model.configs import StyleEncoderConfig
from diffposetalk.model.layers import EncoderBlock, sinusoid


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

    @torch.inference_mode()
    def styles(self, windows: np.ndarray) -> np.ndarray:
        """Return the styles ``(N, dim)`` of windows of normalised motion ``(N, T, D)``."""
        return self(torch.from_numpy(windows).to(self.projection.weight.device)).cpu().numpy()


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
