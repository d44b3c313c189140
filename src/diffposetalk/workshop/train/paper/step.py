"""The paper's training step: two windows of a video, one after the other, the first being the second's past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.diffusion.guidance import GuidanceMode, condition_dropout
from diffposetalk.diffusion.noise import NoiseSchedule, Target, add_noise
from diffposetalk.errors import UsageError
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.encoders import AnySpeechEncoder
from diffposetalk.model.networks import WindowInput
from diffposetalk.workshop.train.losses import Criterion
from diffposetalk.workshop.train.paper.batches import SpeechBatch
from diffposetalk.workshop.train.paper.losses import Geometry, WindowTruth, averaged, window_terms
from diffposetalk.workshop.train.paper.pairs import STANDARD_EPS, truncate

SINGLE_DROPOUT = 0.1
"""Share of samples without the condition where only one may be dropped."""
StyleOf = Callable[[SpeechBatch, int], Tensor]
"""``(batch, window) -> (B, style_dim)``: the style for a window of a batch."""


@dataclass(frozen=True)
class TwoWindows:
    """How the two windows of a training step are made and compared."""

    guidance: GuidanceMode = "incremental"
    """How conditions are dropped: see `diffusion.guidance.condition_dropout`."""
    truncated_first: float = 0.3
    """Share of steps whose first windows end early, each at a frame of its own."""
    truncated_second: float = 0.4
    """The same of the second windows."""
    padding: Literal["zero", "replicate"] = "zero"
    """What follows the end of such a window: zeros, or the last frame and sample."""
    joint_speech: bool = False
    """Encode the speech of both windows as one, so that features know their surroundings; otherwise each alone."""
    criterion: Criterion = "l2"
    """Squared or absolute errors."""
    constrain_previous: bool = True
    """Whether the second window's context frames count in the losses."""

    def __post_init__(self) -> None:
        for name in ("truncated_first", "truncated_second"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"two windows: {name} must lie between 0 and 1, got {getattr(self, name)}")


class Draws(Protocol):
    """The random numbers of a step, asked for in this order for each window."""

    def truncated(self, share: float) -> bool:
        """Whether the windows end early."""

    def ends(self, n: int, n_frames: int) -> Tensor:
        """``(n,)`` whole numbers in 1 ... n_frames - 1; asked for if they do."""

    def uniform(self, n: int) -> Tensor:
        """``(n,)`` in [0, 1), for the dropped conditions if any may be; twice (style, speech) for both independently."""

    def noise_steps(self, n: int, n_steps: int) -> Tensor:
        """``(n,)`` whole numbers in 1 ... n_steps."""

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise."""


class GeneratorDraws:
    """Draws from a numpy generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def truncated(self, share: float) -> bool:
        """See `Draws`."""
        return bool(self.rng.random() < share)

    def ends(self, n: int, n_frames: int) -> Tensor:
        """See `Draws`."""
        return torch.from_numpy(self.rng.integers(1, n_frames, n))

    def uniform(self, n: int) -> Tensor:
        """See `Draws`."""
        return torch.from_numpy(self.rng.random(n))

    def noise_steps(self, n: int, n_steps: int) -> Tensor:
        """See `Draws`."""
        return torch.from_numpy(self.rng.integers(1, n_steps + 1, n))

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """See `Draws`."""
        return torch.from_numpy(self.rng.standard_normal(shape, np.float32))


class Speaker(nn.Module):
    """What learns to speak with its face: the denoiser and, before it, the speech encoder."""

    def __init__(self, speech_encoder: AnySpeechEncoder, denoiser: Denoiser) -> None:
        super().__init__()
        self.speech_encoder = speech_encoder
        self.denoiser = denoiser

    def train(self, mode: bool = True) -> Speaker:
        """Switch to training; a speech encoder that does not learn at all stays in evaluation mode."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.speech_encoder.parameters()):
            self.speech_encoder.eval()
        return self


@dataclass(frozen=True)
class WindowDraws:
    """The random numbers of one window."""

    ends: Tensor | None
    """``(B,)`` number of real frames; None for all."""
    speech_dropped: Tensor | None
    """``(B,)`` bool; None for a model that always hears."""
    style_dropped: Tensor | None
    """``(B,)`` bool; None for a model that always takes its style."""
    noise_step: Tensor
    """``(B,)``."""
    eps: Tensor
    """``(B, L, D)``."""


def draw_window(
    draws: Draws,
    shape: tuple[int, ...],
    schedule: NoiseSchedule,
    droppable: tuple[str, ...],
    guidance: GuidanceMode | str = "incremental",
    truncated: float = 0.0,
    device: torch.device | str = "cpu",
) -> WindowDraws:
    """Draw what is random in a window.

    Args:
        draws: source.
        shape: ``(B, L, D)`` of the motion.
        schedule: whose noise steps are drawn.
        droppable: conditions that are dropped in some samples: any of "speech" and "style".
        guidance: how.
        truncated: share of windows that end early.
        device: of the result.
    """
    n = shape[0]
    ends = draws.ends(n, shape[1]).to(device) if truncated and draws.truncated(truncated) else None
    dropped: dict[str, Tensor] = {}
    if len(droppable) == 1:
        dropped = {droppable[0]: draws.uniform(n) < SINGLE_DROPOUT}
    elif droppable:
        n_draws = 1 if guidance == "incremental" else 2
        uniform = torch.stack([draws.uniform(n) for _ in range(n_draws)], dim=1).squeeze(1)
        both = condition_dropout(uniform, guidance)
        dropped = {"speech": both.speech, "style": both.style}
    dropped = {name: value.to(device) for name, value in dropped.items()}
    noise_step = draws.noise_steps(n, schedule.n_steps).to(device)
    eps = draws.normal(shape).to(device)
    return WindowDraws(ends, dropped.get("speech"), dropped.get("style"), noise_step, eps)


def denoised(
    denoiser: Denoiser,
    schedule: NoiseSchedule,
    motion: Tensor,
    drawn: WindowDraws,
    inputs: WindowInput,
) -> Tensor:
    """Noise windows and let the denoiser predict: ``(B, P + L, D)``.

    Args:
        denoiser: the network.
        schedule: of the noise.
        motion: ``(B, L, D)`` normalised; what follows the ends is replaced already.
        drawn: the windows' random numbers.
        inputs: what they are made from; which frames are real follows from the draws.
    """
    frame = torch.arange(motion.shape[1], device=motion.device)
    valid = None if drawn.ends is None else frame < drawn.ends[:, None]
    conditions = denoiser.prepare(replace(inputs, valid=valid), drawn.speech_dropped, drawn.style_dropped)
    x_n = add_noise(motion, drawn.noise_step, drawn.eps, schedule)
    return denoiser(x_n, drawn.noise_step, conditions)


def two_window_terms(
    speaker: Speaker,
    batch: SpeechBatch,
    options: TwoWindows,
    schedule: NoiseSchedule,
    geometry: Geometry,
    draws: Draws,
    names: tuple[str, ...],
    style_of: StyleOf | None = None,
    target: Target | str = "sample",
) -> dict[str, Tensor]:
    """Compute the loss terms of a training step.

    Both windows go through the networks as one batch. The first has the learned start before it; the second the true
    end of the first and, without gradient, the features of its whole speech. The person is that of the first frame.

    Args:
        speaker: what learns.
        batch: two windows of each video.
        options: how.
        schedule: of the noise.
        geometry: for the vertex terms.
        draws: random numbers.
        names: terms to compute; see `paper_losses`.
        style_of: the style of each window; None for a model without.
        target: what the denoiser predicts.

    Returns:
        Terms by name, averaged over the windows.

    Source: DiffPoseTalk (arXiv:2310.00434), sections 3.2 and 3.3, and its released code.
    """
    denoiser, device = speaker.denoiser, batch.motion.device
    config = denoiser.config
    n, n_before = batch.motion.shape[1], config.context
    shape = tuple(batch.motion.shape[1:])
    shares = (options.truncated_first, options.truncated_second)
    drawn = [draw_window(draws, shape, schedule, config.droppable, options.guidance, k, device) for k in shares]
    motion, features, past = _truncated(speaker, batch, options, [window.ends for window in drawn])
    identity = batch.identity[0, :, 0]
    previous = batch.motion[0, :, -n_before:]

    def start(learned: Tensor, before: Tensor) -> Tensor:
        return torch.cat([learned.expand(n, -1, -1).to(before.dtype), before])

    predicted = denoised(
        denoiser,
        schedule,
        motion.flatten(0, 1),
        _joined(drawn, shape[1]),
        WindowInput(
            features.flatten(0, 1),
            None if style_of is None else torch.cat([style_of(batch, window) for window in range(2)]),
            identity.repeat(2, 1) if config.identity_dim else None,
            start(denoiser.start_motion, previous),
            start(denoiser.start_speech, past),
        ),
    ).unflatten(0, (2, n))
    terms = [
        window_terms(
            predicted[window],
            WindowTruth(motion[window], drawn[window].eps, previous if window else None, drawn[window].ends, identity),
            geometry,
            target=target,
            criterion=options.criterion,
            constrain_previous=options.constrain_previous,
            names=names,
        )
        for window in range(2)
    ]
    return averaged(terms[0], terms[1], names)


def _truncated(
    speaker: Speaker, batch: SpeechBatch, options: TwoWindows, ends: list[Tensor | None]
) -> tuple[Tensor, Tensor, Tensor]:
    """End windows where asked and encode their speech.

    Returns:
        Motion ``(2, B, L, D)``, features ``(2, B, L, F)`` and those before the second window ``(B, P, F)``, which carry
        no gradient and know the whole first window.
    """
    encoder, n_before = speaker.speech_encoder, speaker.denoiser.config.context
    n, n_frames = batch.motion.shape[1:3]
    samples = speech_input(batch, encoder)
    cut = [
        (batch.motion[k], samples[k]) if end is None else truncate(batch.motion[k], samples[k], end, options.padding)
        for k, end in enumerate(ends)
    ]
    motion = torch.stack([item[0] for item in cut])
    if not options.joint_speech:
        features = encoder(torch.cat([item[1] for item in cut]), n_frames).unflatten(0, (2, n))
        past = features[0]
        if ends[0] is not None:
            with torch.no_grad():
                past = encoder(samples[0], n_frames)
        return motion, features, past[:, -n_before:].detach()
    whole = encoder(torch.cat([samples[0], samples[1]], dim=1), 2 * n_frames)
    windows = [whole[:, :n_frames], whole[:, n_frames:]]
    if ends[0] is not None:
        windows[0] = encoder(cut[0][1], n_frames)
    if ends[1] is not None:
        windows[1] = encoder(torch.cat([samples[0], cut[1][1]], dim=1), 2 * n_frames)[:, n_frames:]
    return motion, torch.stack(windows), whole[:, n_frames - n_before : n_frames].detach()


def speech_input(batch: SpeechBatch, encoder: AnySpeechEncoder) -> Tensor:
    """Return the batch's sound as an encoder expects it: ``(2, B, n)``."""
    sound = batch.samples * (batch.std[:, None] + STANDARD_EPS) + batch.mean[:, None]
    both = encoder.standardise(torch.cat([sound[0], sound[1]], dim=-1))
    return torch.stack(both.chunk(2, dim=-1))


def _joined(drawn: list[WindowDraws], n_frames: int) -> WindowDraws:
    """Return the draws of both windows as those of one batch."""
    n = len(drawn[0].eps)

    def both(name: str) -> Tensor | None:
        values = [getattr(window, name) for window in drawn]
        if name == "ends" and any(value is not None for value in values):
            values = [drawn[0].noise_step.new_full((n,), n_frames) if value is None else value for value in values]
        return None if values[0] is None else torch.cat(values)

    return WindowDraws(**{name: both(name) for name in WindowDraws.__dataclass_fields__})  # type: ignore[arg-type]
