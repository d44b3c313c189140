"""Guidance in one pass: a denoiser learns what its teacher gives after guidance, with the scales as inputs.

Guidance costs up to three evaluations a step. The student begins with the teacher's weights and a new input for both scales
that changes nothing at first. Its target is the teacher's guided prediction, left and right evened as in sampling
(`generate.sides`). A share of the samples learns the teacher's plain predictions instead, with and without each condition, at
scales of 1. So other kinds of guidance, which need several evaluations, work as before.

A noisy window is either real motion with noise, or one that the student itself would reach: it takes a step from a noisier
window to this one. Guided windows are not where real ones are, and the student has to be right there.

Source: Meng et al. 2023, "On distillation of guided diffusion models", stage one; windows of the student's own as in imitation
learning (Ross et al. 2011).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.diffusion.noise import NoiseSchedule, add_noise
from diffposetalk.generate.sides import uneven_part
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.networks import WindowInput
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.lite.windows import Windows
from diffposetalk.workshop.train.loop import Turn
from diffposetalk.workshop.train.losses import difference_loss
from diffposetalk.workshop.train.shares import Shares

SETS = ((False, False), (True, False), (True, True))
"""Evaluations of incremental guidance: with or without speech, with or without style."""
PLAIN_SETS = (*SETS, (False, True))
"""Evaluations of all kinds of guidance."""


@dataclass(frozen=True)
class FoldConfig(Shares):
    """Which scales are learned, and how windows are drawn."""

    speech: float = 2.5
    """Largest scale of speech."""
    style: float = 3.5
    """Largest scale of style."""
    usual_share: float = 0.5
    """Share of samples with the model's own scales."""
    plain_share: float = 0.15
    """Share of samples that learn plain predictions."""
    no_style_share: float = 0.1
    """Share of samples without a style."""
    own_share: float = 0.6
    """Share of noisy windows that the student reaches itself."""


class FoldLosses:
    """Draws windows and compares the student with its teacher: terms ``guided``, ``guided_velocity`` and ``plain``."""

    def __init__(
        self,
        config: FoldConfig,
        teacher: Denoiser,
        usual: tuple[float, float],
        windows: Windows,
        style_encoder: StyleEncoder,
        schedule: NoiseSchedule,
        space: MotionSpace,
    ) -> None:
        """Take what a batch is made of.

        Args:
            config: see `FoldConfig`.
            teacher: predicts motion (not noise).
            usual: the model's own scales of speech and style.
            windows: to draw from.
            style_encoder: reads the styles.
            schedule: noise schedule of the teacher.
            space: of the motion.
        """
        self.config, self.teacher, self.usual, self.windows = config, teacher, usual, windows
        self.style_encoder, self.schedule = style_encoder, schedule
        uneven = uneven_part(space)
        self.uneven = None if uneven is None else torch.from_numpy(uneven)

    def __call__(self, network: nn.Module, turn: Turn) -> dict[str, Tensor]:
        """Draw a batch and return the loss terms by name."""
        assert isinstance(network, Denoiser)
        device, rng, n = next(network.parameters()).device, turn.rng, turn.n
        batch = self.windows.draw(rng, n).to(device)
        n_plain = round(self.config.plain_share * n)
        scales = torch.from_numpy(self.drawn_scales(rng, n)).to(device)
        scales[n - n_plain :] = 1
        continues = batch.continues[:, None, None]
        with torch.no_grad():
            style = self.style_encoder(batch.reference)
            absent = torch.from_numpy(rng.random(n) < self.config.no_style_share).to(device)
            assert network.null_style is not None
            inputs = WindowInput(
                batch.features,
                torch.where(absent[:, None], network.null_style, style),
                None,
                torch.where(continues, batch.previous_motion, network.start_motion),
                torch.where(continues, batch.previous_features, network.start_speech),
                batch.valid,
                scales,
            )
            scales[absent, 1] = 1
            x_n, noise_step = self._noisy(network, inputs, batch.motion, rng)
            guided, plain = _rows(inputs, slice(0, n - n_plain)), _rows(inputs, slice(n - n_plain, n))
            target = self.guided(guided, x_n[: n - n_plain], noise_step[: n - n_plain])
            chosen = np.array(PLAIN_SETS)[rng.integers(len(PLAIN_SETS), size=n_plain)]
            dropped = [torch.from_numpy(~given).to(device) for given in chosen.T]
            plain_target = self._predicted(self.teacher, x_n[n - n_plain :], noise_step[n - n_plain :], plain, *dropped)
        all_dropped = [torch.cat([torch.zeros(n - n_plain, dtype=torch.bool, device=device), drop]) for drop in dropped]
        predicted = self._predicted(network, x_n, noise_step, inputs, *all_dropped).float()
        first, rest = predicted[: n - n_plain], predicted[n - n_plain :]
        assert guided.valid is not None and plain.valid is not None
        return {
            "guided": difference_loss(first, target, guided.valid),
            "guided_velocity": difference_loss(first, target, guided.valid, order=1),
            "plain": difference_loss(rest, plain_target, plain.valid),
        }

    def drawn_scales(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw scales ``(n, 2)`` float32: the model's own, or any up to the largest."""
        drawn = rng.random((n, 2)) * (self.config.speech, self.config.style)
        usual = rng.random(n) < self.config.usual_share
        return np.where(usual[:, None], self.usual, drawn).astype(np.float32)

    def guided(self, inputs: WindowInput, x_n: Tensor, noise_step: Tensor) -> Tensor:
        """Return the teacher's guided predictions ``(B, L, D)`` at the scales of the inputs."""
        assert inputs.scales is not None
        conditions = self.teacher.prepare_sets(inputs, SETS)
        neither, speech, both = self.teacher.predict_window(x_n, noise_step, conditions).float()
        a, s = (scale[:, None, None] for scale in inputs.scales.T)
        result = neither * (1 - a) + speech * (a - s) + both * s
        if self.uneven is not None:
            at_one = neither * (1 - a) + speech * (a - 1) + both
            evened = result - (result - at_one) @ self.uneven.to(result)
            result = torch.where(s > 1, evened, result)
        return result

    def _noisy(
        self, network: Denoiser, inputs: WindowInput, motion: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return noisy windows ``(B, L, D)`` and their noise steps ``(B,)``."""
        n, last = len(motion), self.schedule.n_steps
        noise_step = rng.integers(1, last + 1, n)
        noisier = rng.integers(noise_step, last + 1)
        eps = torch.from_numpy(rng.standard_normal(tuple(motion.shape), np.float32)).to(motion.device)
        own = torch.from_numpy(rng.random(n) < self.config.own_share).to(motion.device)[:, None, None]
        steps, before = (torch.from_numpy(each).to(motion.device) for each in (noise_step, noisier))
        x_before = add_noise(motion, before, eps, self.schedule)
        x_0 = self._predicted(network, x_before, before, inputs).float()
        signal, noise = (
            torch.from_numpy(part[noisier]).to(motion.device)[:, None, None]
            for part in (self.schedule.alpha_bar**0.5, (1 - self.schedule.alpha_bar) ** 0.5)
        )
        reached = add_noise(x_0, steps, (x_before - signal * x_0) / noise, self.schedule)
        return torch.where(own, reached, add_noise(motion, steps, eps, self.schedule)), steps

    @staticmethod
    def _predicted(network: Denoiser, x_n: Tensor, noise_step: Tensor, inputs: WindowInput, *dropped: Tensor) -> Tensor:
        """Predict windows ``(B, L, D)`` with one evaluation."""
        return network.predict_window(x_n, noise_step, network.prepare(inputs, *dropped))[0]


def _rows(inputs: WindowInput, rows: slice) -> WindowInput:
    return inputs.mapped(lambda value: value[rows])


def student_of(teacher: Denoiser, config: FoldConfig, seed: int = 0) -> Denoiser:
    """Return a denoiser with the teacher's weights and inputs for the scales, which change nothing yet."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        student = Denoiser(replace(teacher.config, folded_speech=config.speech, folded_style=config.style))
    student.load_state_dict(teacher.state_dict(), strict=False)
    return student
