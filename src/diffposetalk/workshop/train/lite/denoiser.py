"""Stage 3: the denoiser learns motion from speech features and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.diffusion.guidance import condition_dropout
from diffposetalk.diffusion.noise import NoiseSchedule, ScheduleKind, add_noise
from diffposetalk.model.checkpoint import load_weights, weights
from diffposetalk.model.configs import DenoiserConfig
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.networks import WindowInput
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.lite.losses import RENAMED, Geometry, window_terms
from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowBatch, WindowConfig, Windows
from diffposetalk.workshop.train.loop import LoopConfig, Turn, train
from diffposetalk.workshop.train.losses import LinearSurface, check_renamed
from diffposetalk.workshop.train.run import StageRun


@dataclass(frozen=True)
class DenoiserStage:
    """Configuration of the denoiser's training."""

    RENAMED_KEYS: ClassVar = {"denoiser": "network"}
    network: DenoiserConfig
    loop: LoopConfig
    weights: dict[str, float]
    """Weight of each loss term; `workshop.train.lite.losses` lists the terms."""
    windows: WindowConfig = field(default_factory=WindowConfig)
    regions: dict[str, float] = field(default_factory=lambda: {"lips": 0.6, "eyelids": 0.2, "upper_face": 0.2})
    """Weight of each region of the head in the vertex losses; the weights need not add up to 1."""
    schedule: ScheduleKind = "cosine"
    """Noise schedule."""
    noise_steps: int = 500
    """Steps N of the schedule."""
    independent_share: float = 0.0
    """Share of samples whose conditions are dropped independently, as `independent` guidance asks for; the others
    are dropped incrementally, as in the paper."""

    def __post_init__(self) -> None:
        check_renamed(self.weights, RENAMED)

    @property
    def used_weights(self) -> dict[str, float]:
        """Return the weights of the terms that count: a term of weight 0 is left out, and need not exist."""
        return {name: weight for name, weight in self.weights.items() if weight}


class DenoiserLosses:
    """Draws a batch and computes its loss terms, which `losses` lists."""

    def __init__(
        self,
        stage: DenoiserStage,
        windows: Windows,
        style_encoder: StyleEncoder | None,
        geometry: Geometry,
    ) -> None:
        self.stage, self.windows, self.style_encoder, self.geometry = stage, windows, style_encoder, geometry
        self.schedule = NoiseSchedule.make(stage.schedule, stage.noise_steps)

    def __call__(self, network: nn.Module, turn: Turn) -> dict[str, Tensor]:
        """Draw a batch and return the loss terms by name."""
        assert isinstance(network, Denoiser)
        device, rng, n = next(network.parameters()).device, turn.rng, turn.n
        batch = self.windows.draw(rng, n).to(device)
        no_speech, no_style = self._dropped(rng, n)
        continues = batch.continues[:, None, None]
        inputs = WindowInput(
            batch.features,
            self._style(batch),
            None,
            torch.where(continues, batch.previous_motion, network.start_motion),
            torch.where(continues, batch.previous_features, network.start_speech),
            batch.valid,
        )
        conditions = network.prepare(inputs, no_speech.to(device), no_style.to(device))
        noise_step = torch.from_numpy(rng.integers(1, self.schedule.n_steps + 1, n)).to(device)
        eps = torch.from_numpy(rng.standard_normal(tuple(batch.motion.shape), np.float32)).to(device)
        x_n = add_noise(batch.motion, noise_step, eps, self.schedule)
        predicted = network(x_n, noise_step, conditions)[:, network.config.context :].float()
        terms = window_terms(
            predicted, batch.motion, batch.previous_motion, batch.continues, batch.valid, self.geometry
        )
        return {name: term for name, term in terms.items() if self.stage.weights.get(name) != 0}

    def _style(self, batch: WindowBatch) -> Tensor | None:
        """Return the styles ``(B, S)`` of windows; None for a model without styles."""
        style_dim = self.stage.network.style_dim
        if self.style_encoder is None:
            return one_hot_styles(batch.speaker, style_dim) if style_dim else None
        with torch.no_grad():
            style: Tensor = self.style_encoder(batch.reference)
        return style

    def _dropped(self, rng: np.random.Generator, n: int) -> tuple[Tensor, Tensor]:
        uniform = torch.from_numpy(rng.random((n, 3)))
        incremental = condition_dropout(uniform[:, 0], "incremental")
        independent = condition_dropout(uniform[:, :2], "independent")
        chosen = uniform[:, 2] < self.stage.independent_share
        return (
            torch.where(chosen, independent.speech, incremental.speech),
            torch.where(chosen, independent.style, incremental.style),
        )


def one_hot_styles(speakers: Tensor, n_speakers: int) -> Tensor:
    """Return styles ``(B, n_speakers)`` of speakers ``(B,)``: a 1 at the speaker's place.

    A speaker whom the training did not have, with a number from ``n_speakers`` on, gets the mean of all styles.
    """
    styles = torch.full((len(speakers), n_speakers), 1 / n_speakers, device=speakers.device)
    known = speakers < n_speakers
    styles[known] = torch.nn.functional.one_hot(speakers[known], n_speakers).to(styles)
    return styles


def train_denoiser(
    stage: DenoiserStage,
    training: Sequence[EncodedClip],
    validation: Sequence[EncodedClip],
    style_encoder: StyleEncoder | None,
    space: MotionSpace,
    surface: LinearSurface,
    gaps: np.ndarray,
    run: StageRun,
    start: Denoiser | None = None,
) -> Denoiser:
    """Train the denoiser; the style encoder stays as it is.

    Args:
        stage: configuration.
        training: clips to learn from.
        validation: clips of other speakers.
        style_encoder: from stage 2; None for one-hot styles, or none if ``style_dim`` is 0.
        space: of the clips' motion.
        surface: vertices for the geometric losses.
        gaps: ``(E, G)`` metres of lip opening per unit of each expression weight, at G places along the lips.
        run: where to train.
        start: the denoiser whose weights it begins from; None for fresh weights.

    Raises:
        ModelError: the weights to begin from are of another size.
    """
    if style_encoder is not None:
        style_encoder = style_encoder.to(run.device).eval().requires_grad_(False)
    torch.manual_seed(stage.loop.seed)
    denoiser = Denoiser(stage.network)
    if start is not None:
        load_weights(denoiser, weights(start), "the denoiser to start from")
    denoiser.to(run.device)
    geometry = Geometry.of(space, surface, gaps)
    losses = [
        DenoiserLosses(stage, Windows(clips, stage.windows, space), style_encoder, geometry)
        for clips in (training, validation)
    ]
    train(denoiser, losses[0], losses[1], stage.used_weights, stage.loop, run)
    return denoiser
