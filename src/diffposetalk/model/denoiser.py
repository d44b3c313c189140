"""The denoiser: a noisy motion window, its speech, a style, an identity and a noise step -> the clean window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, cast

import torch
from torch import Tensor, nn

from diffposetalk.errors import UsageError
from diffposetalk.model.layers import DecoderBlock, SpeechCache, TransformerConfig, alignment_mask, sinusoid


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig(TransformerConfig):
    """Sizes of the denoiser; the defaults are the paper's."""

    dim: int = 512
    n_layers: int = 8
    n_heads: int = 8
    speech_dim: int
    """Width of the speech encoder's features; where it is ``dim``, they go in as they are."""
    style_dim: int = 128
    """Width of the style vector; 0 for a model without styles."""
    identity_dim: int = 0
    """Width of the identity condition; 0 where motion does not depend on the person's shape."""
    context: int = 10
    """Frames P of past motion and speech that the window attends to."""
    align_width: int = 1
    """Alignment mask: a motion frame sees speech frames closer than this; 0 for all."""
    valid_indicator: bool = True
    """Whether a channel marks real frames (1) against padding and context (0)."""
    pre_norm: bool = False
    """Normalise before each sub-layer instead of after the sum as in the paper."""
    out_hidden: int = 0
    """Width of a hidden layer (GELU) before the motion vector, 0: no hidden layer. The released
    network uses ``dim / 2``."""
    droppable: tuple[Literal["speech", "style"], ...] = ("speech", "style")
    """Conditions that have a learned null, so that guidance can go without them."""
    noisy_scales: tuple[float, ...] = ()
    """Not in the paper: standard deviations, frames, of Gaussian running means of the noisy window. Each motion token gets
    these means as further inputs. The means and the noisy window are also added to the output, with a learned weight for
    each channel and noise step. This is a Wiener filter: the network only learns what the filter leaves. Empty: no filter."""

    modulated: bool = False
    """Not in the paper: style and noise step also scale and shift frames before the last layer, and weigh the filter of
    ``noisy_scales`` (feature-wise modulation, Perez et al. 2018). One token that is only attended to says too little to a
    small model of how far a head strays or how often eyes blink."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if "style" in self.droppable and not self.style_dim:
            object.__setattr__(self, "droppable", tuple(name for name in self.droppable if name != "style"))
        if any(width <= 0 for width in self.noisy_scales):
            raise UsageError(f"denoiser: noisy_scales must be above 0, got {self.noisy_scales}")


@dataclass(frozen=True)
class WindowInput:
    """What a window of motion is made from, for a batch of B."""

    speech: Tensor
    """``(B, L, speech_dim)`` features of the window."""
    style: Tensor | None = None
    """``(B, style_dim)``; None for the learned null style."""
    identity: Tensor | None = None
    """``(B, identity_dim)`` normalised; None for zeros."""
    previous_motion: Tensor | None = None
    """``(B, P, D)`` normalised motion before the window; None for the learned start."""
    previous_speech: Tensor | None = None
    """``(B, P, speech_dim)`` features before the window; None for the learned start."""
    valid: Tensor | None = None
    """``(B, L)`` True where the frame is real; None for all."""

    def repeated(self, k: int) -> WindowInput:
        """Return the batch ``k`` times, one after another."""

        def times(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.repeat(k, *[1] * (value.dim() - 1))

        others = {field.name: times(getattr(self, field.name)) for field in fields(self) if field.name != "speech"}
        return WindowInput(self.speech.repeat(k, 1, 1), **others)


@dataclass(frozen=True)
class Conditions:
    """All that stays the same over the noise steps of one window; made by `Denoiser.prepare`."""

    caches: tuple[SpeechCache, ...]
    """One per layer."""
    style_and_identity: Tensor
    """``(B, dim)`` projected style and identity."""
    context: Tensor
    """``(B, P, dim)`` projected previous frames."""
    valid: Tensor
    """``(B, L)`` 1 where the frame is real."""


class Denoiser(nn.Module):
    """Transformer decoder that predicts the clean window x_0 (DiffPoseTalk, section 3).

    One leading token carries identity, style and noise step; then P context frames and L noisy frames. A motion frame
    attends to all frames and to its own speech frame.
    """

    smoothing: Tensor
    """``(K, L, L)`` matrices of the running means, one for each of ``noisy_scales``."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.step_embedding = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.person_projection = nn.Linear(max(config.style_dim + config.identity_dim, 1), dim)
        n_views = 1 + len(config.noisy_scales)
        self.motion_projection = nn.Linear(n_views * config.motion_dim + config.valid_indicator, dim)
        self.speech_projection = nn.Identity() if config.speech_dim == dim else nn.Linear(config.speech_dim, dim)
        self.positions = nn.Parameter(torch.randn(1 + config.context + config.window, dim) * 0.02)
        self.blocks = nn.ModuleList(
            DecoderBlock(
                dim,
                config.n_heads,
                dim * config.feed_forward_factor,
                config.dropout,
                config.pre_norm,
                config.align_width,
            )
            for _ in range(config.n_layers)
        )
        self.final_norm = nn.LayerNorm(dim) if config.pre_norm else nn.Identity()
        self.out: nn.Module = nn.Linear(dim, config.motion_dim)
        if config.out_hidden:
            hidden = config.out_hidden
            self.out = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, config.motion_dim))
        self.filter_weights: nn.Linear | None = None
        if config.noisy_scales:
            self.register_buffer("smoothing", running_means(config.window, config.noisy_scales), persistent=False)
            self.filter_weights = nn.Linear(dim, n_views * config.motion_dim)
            nn.init.zeros_(self.filter_weights.weight)
            nn.init.zeros_(self.filter_weights.bias)
        self.modulation: nn.Sequential | None = None
        if config.modulated:
            n_filter = n_views * config.motion_dim if config.noisy_scales else 0
            last = nn.Linear(dim, 2 * dim + n_filter)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.modulation = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), last)
        self.null_speech: nn.Parameter | None = None
        self.null_style: nn.Parameter | None = None
        if "speech" in config.droppable:
            self.null_speech = nn.Parameter(torch.randn(config.speech_dim) * 0.02)
        if "style" in config.droppable:
            self.null_style = nn.Parameter(torch.zeros(config.style_dim))
        self.start_motion = nn.Parameter(torch.zeros(config.context, config.motion_dim))
        self.start_speech = nn.Parameter(torch.zeros(config.context, config.speech_dim))

    def prepare(
        self, inputs: WindowInput, speech_dropped: Tensor | None = None, style_dropped: Tensor | None = None
    ) -> Conditions:
        """Compute everything the noise steps of a window share.

        Args:
            inputs: what the window is made from.
            speech_dropped: ``(B,)`` True where the window's speech is replaced by the learned null.
            style_dropped: ``(B,)`` True where the style is replaced by the learned null.

        Raises:
            UsageError: a condition is to be left out that the model has not learned to do without.
        """
        speech, valid = inputs.speech, inputs.valid
        previous_motion, previous_speech = inputs.previous_motion, inputs.previous_speech
        config, n_batch = self.config, len(speech)
        if speech_dropped is not None:
            speech = torch.where(speech_dropped[:, None, None], self._null("speech"), speech)
        if previous_motion is None:
            previous_motion = self.start_motion.expand(n_batch, -1, -1)
        if previous_speech is None:
            previous_speech = self.start_speech.expand(n_batch, -1, -1)
        if valid is None:
            valid = torch.ones(n_batch, config.window, device=speech.device)
        frames = self.speech_projection(torch.cat([previous_speech, speech], dim=1))
        views = [previous_motion]
        if config.valid_indicator:
            views.append(previous_motion.new_zeros(n_batch, config.context, 1))
        views += [previous_motion] * len(config.noisy_scales)
        return Conditions(
            tuple(cast(DecoderBlock, block).prepare(frames) for block in self.blocks),
            self._style_and_identity(speech, inputs.style, inputs.identity, style_dropped),
            self.motion_projection(torch.cat(views, dim=-1)),
            valid.to(speech.dtype),
        )

    def _style_and_identity(
        self, like: Tensor, style: Tensor | None, identity: Tensor | None, style_dropped: Tensor | None
    ) -> Tensor:
        parts, n_batch = [], len(like)
        if self.config.identity_dim:
            parts.append(like.new_zeros(n_batch, self.config.identity_dim) if identity is None else identity)
        if self.config.style_dim:
            style = self._null("style").expand(n_batch, -1) if style is None else style
            if style_dropped is not None:
                style = torch.where(style_dropped[:, None], self._null("style"), style)
            parts.append(style)
        joined = torch.cat(parts, dim=-1) if parts else like.new_zeros(n_batch, 1)
        return self.person_projection(joined)

    def _null(self, condition: Literal["speech", "style"]) -> Tensor:
        null = self.null_speech if condition == "speech" else self.null_style
        if null is None:
            raise UsageError(f"this model always takes its {condition}: it cannot be left out or guided by")
        return null

    def forward(self, x_n: Tensor, noise_step: Tensor, conditions: Conditions) -> Tensor:
        """Predict x_0 (or eps, see `ModelConfig.target`) of the context and the window.

        Args:
            x_n: ``(B, L, D)`` noisy, normalised motion.
            noise_step: ``(B,)`` whole numbers, 1 (nearly clean) to N (noise).
            conditions: from `prepare`, for the same batch.

        Returns:
            ``(B, P + L, D)``: the context frames as the network repeats them, then the predicted window.
        """
        return self._predict(x_n, noise_step, conditions, self.config.context + self.config.window)

    def predict_window(self, x_n: Tensor, noise_step: Tensor, conditions: Conditions) -> Tensor:
        """Predict the window alone, for several sets of conditions at once.

        Args:
            x_n: ``(B, L, D)`` noisy, normalised motion.
            noise_step: ``(B,)`` whole numbers.
            conditions: from `prepare`, for ``K B`` rows, the ``B`` of each set one after another; context and valid
                frames are the same in all sets.

        Returns:
            ``(K, B, L, D)``, equal to that part of `forward` for each set.
        """
        n_sets = len(conditions.style_and_identity) // len(x_n)
        predicted = self._predict(x_n, noise_step, conditions, self.config.window)
        return predicted.unflatten(0, (n_sets, len(x_n)))

    def _predict(self, x_n: Tensor, noise_step: Tensor, conditions: Conditions, n_last: int) -> Tensor:
        config, n_batch = self.config, len(x_n)
        n_sets = len(conditions.style_and_identity) // n_batch
        step = self.step_embedding(sinusoid(noise_step, config.dim).to(x_n.dtype))
        smooth = [matrix @ x_n for matrix in self.smoothing.to(x_n.dtype)] if config.noisy_scales else []
        indicator = [conditions.valid[:n_batch, :, None]] if config.valid_indicator else []
        frames = self.motion_projection(torch.cat([x_n, *indicator, *smooth], dim=-1)).repeat(n_sets, 1, 1)
        leading_token = conditions.style_and_identity + step.repeat(n_sets, 1)
        tokens = torch.cat([leading_token[:, None], conditions.context, frames], dim=1) + self.positions
        blocked = None
        if config.align_width > 1:
            blocked = alignment_mask(config.context + config.window, config.align_width, x_n.device)
        for index, (block, cache) in enumerate(zip(self.blocks, conditions.caches)):
            n_outputs = n_last if index == len(self.blocks) - 1 else 0
            tokens = block(tokens, cache, blocked, n_outputs, n_sets if index == 0 else 1)
        tokens = self.final_norm(tokens)
        shares = None if self.filter_weights is None else self.filter_weights(step).repeat(n_sets, 1)
        if self.modulation is not None:
            modulation = self.modulation(leading_token)
            scale, shift, more = modulation.tensor_split((config.dim, 2 * config.dim), -1)
            tokens = tokens * (1 + scale[:, None]) + shift[:, None]
            shares = None if shares is None else shares + more
        clean = self.out(tokens)
        if shares is not None:
            views = torch.stack([x_n, *smooth], dim=1).repeat(n_sets, 1, 1, 1)
            filtered = (shares.unflatten(-1, (-1, 1, config.motion_dim)) * views).sum(1)
            clean = clean + nn.functional.pad(filtered, (0, 0, n_last - config.window, 0))
        return clean


def running_means(n_frames: int, widths: Sequence[float]) -> Tensor:
    """Return Gaussian averages over time as matrices ``(K, n_frames, n_frames)``, rows summing to 1 at the edges too.

    Args:
        n_frames: length of the window.
        widths: K standard deviations, frames.
    """
    frame = torch.arange(n_frames, dtype=torch.float32)
    distance = frame[:, None] - frame[None, :]
    kernels = torch.stack([torch.exp(-0.5 * (distance / width) ** 2) for width in widths])
    return kernels / kernels.sum(-1, keepdim=True)
