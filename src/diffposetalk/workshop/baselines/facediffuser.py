"""After FaceDiffuser: diffusion over the whole sequence with a recurrent decoder and a one-hot style.

Kept: the network predicts the clean motion from noisy motion, speech and noise step; recurrent layers (GRU); the style of
the speaker multiplies their output; squared error alone; neither guidance nor windows. Smaller: our frozen speech features
in place of HuBERT; sampled in 25 evaluations of DPM-Solver++ in place of all steps.

Source: Stan et al., "FaceDiffuser: Speech-Driven 3D Facial Animation Synthesis Using Diffusion" (MIG 2023,
arXiv:2309.11306).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from diffposetalk.diffusion.noise import NoiseSchedule, ScheduleKind, add_noise
from diffposetalk.diffusion.samplers import sample
from diffposetalk.model.layers import sinusoid
from diffposetalk.workshop.baselines.network import Baseline, Batch, RecurrentSizes, StageName, Widths, motion_terms


@dataclass(frozen=True, kw_only=True)
class FaceDiffuserConfig(RecurrentSizes):
    """Sizes."""

    schedule: ScheduleKind = "cosine"
    """Noise schedule."""
    noise_steps: int = 500
    """Steps of the schedule."""
    evaluations: int = 25
    """Evaluations of the network when motion is made."""
    kind: Literal["facediffuser"] = "facediffuser"
    """Tells it from the other baselines."""


class FaceDiffuser(Baseline):
    """Diffusion over whole sequences."""

    def __init__(self, config: FaceDiffuserConfig, widths: Widths) -> None:
        super().__init__()
        self.config, self.motion_dim = config, widths.motion
        self.noise = NoiseSchedule.make(config.schedule, config.noise_steps)
        self.speech = nn.Linear(widths.speech, config.dim)
        self.motion = nn.Linear(widths.motion, config.dim)
        self.step = nn.Sequential(nn.Linear(config.dim, config.dim), nn.SiLU(), nn.Linear(config.dim, config.dim))
        self.recurrent = nn.GRU(2 * config.dim, config.dim, config.n_layers, batch_first=True, dropout=config.dropout)
        self.style = nn.Linear(widths.style, config.dim)
        nn.init.ones_(self.style.bias)
        self.out = nn.Linear(config.dim, widths.motion)

    def forward(self, x_n: Tensor, noise_step: Tensor, features: Tensor, styles: Tensor) -> Tensor:
        """Predict the clean motion ``(B, T, D)`` of noisy motion; ``noise_step`` is ``(B,)``."""
        step = self.step(sinusoid(noise_step, self.config.dim).to(x_n))[:, None]
        hidden, _ = self.recurrent(torch.cat([self.motion(x_n) + step, self.speech(features) + step], -1))
        predicted: Tensor = self.out(hidden * self.style(styles)[:, None])
        return predicted

    def terms(self, stage: StageName, batch: Batch) -> dict[str, Tensor]:
        """Compare the predicted clean motion with the truth, at random noise steps."""
        motion = batch.windows.motion
        noise_step = torch.randint(1, self.noise.n_steps + 1, (len(motion),)).to(motion.device)
        x_n = add_noise(motion, noise_step, torch.randn_like(motion), self.noise)
        return motion_terms(self(x_n, noise_step, batch.windows.features, batch.style), batch)

    def generate(self, features: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
        """Sample motion."""
        shape = (1, len(features), self.motion_dim)
        start = torch.randn(shape, generator=generator, device=generator.device).to(features)

        def denoise(x_n: Tensor, noise_step: int) -> Tensor:
            step = torch.full((1,), noise_step, device=x_n.device)
            return self(x_n, step, features[None], style[None])  # type: ignore[no-any-return]

        return sample("dpmpp", denoise, start, self.noise, self.config.evaluations)[0]
