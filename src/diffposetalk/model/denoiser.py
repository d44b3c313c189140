"""The denoiser: a noisy motion window, its speech, a style, an identity and a noise step -> the clean window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from diffposetalk.errors import UsageError
from diffposetalk.model.configs import DenoiserConfig
from diffposetalk.model.layers import DecoderBlock, SpeechCache, alignment_mask, sinusoid
from diffposetalk.model.networks import Given, WindowInput, in_single_precision


@dataclass(frozen=True)
class Conditions:
    """All that stays the same over the noise steps of one window; made by `Denoiser.prepare`."""

    caches: tuple[SpeechCache, ...]
    """One per layer."""
    style_and_identity: Tensor
    """``(B, dim)`` projected style and identity, and embedded scales."""
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
        self.scales: nn.Sequential | None = None
        if config.folded_speech:
            last = nn.Linear(dim, dim)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.scales = nn.Sequential(nn.Linear(2, dim), nn.GELU(), last)
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
            self._style_and_identity(speech, inputs.style, inputs.identity, style_dropped) + self._scales(inputs),
            self.motion_projection(torch.cat(views, dim=-1)),
            valid.to(speech.dtype),
        )

    def array(self, values: Any) -> Tensor:
        """Return numbers as a tensor on the network's device."""
        return torch.from_numpy(in_single_precision(values)).to(self.positions.device)

    @torch.inference_mode()
    def prepare_sets(self, inputs: WindowInput, sets: Sequence[Given]) -> Conditions:
        """Compute what the noise steps of a window share, for K sets of conditions (see `DenoisingNetwork`)."""
        k, n, device = len(sets), len(inputs.speech), inputs.speech.device
        repeated = inputs.mapped(lambda value: value.repeat(k, *[1] * (value.dim() - 1)))

        def dropped_rows(given: Sequence[bool]) -> Tensor | None:
            return None if all(given) else ~torch.tensor(given, device=device).repeat_interleave(n)

        speech, style = (dropped_rows(given) for given in zip(*sets))
        return self.prepare(repeated, speech, style)

    @torch.inference_mode()
    def predict_sets(self, x_n: Tensor, noise_step: int, conditions: Conditions) -> Tensor:
        """Predict the window for each set of conditions: ``(B, L, D) -> (K, B, L, D)``."""
        return self.predict_window(x_n, torch.full((len(x_n),), noise_step, device=x_n.device), conditions)

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

    def _scales(self, inputs: WindowInput) -> Tensor | float:
        """Return the embedded scales ``(B, dim)``; 0 where guidance is not folded."""
        if self.scales is None:
            return 0.0
        scales = inputs.scales
        more = torch.zeros(len(inputs.speech), 2, device=inputs.speech.device) if scales is None else scales - 1
        return self.scales(more)  # type: ignore[no-any-return]

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
