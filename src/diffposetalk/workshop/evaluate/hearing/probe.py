"""A linear probe: multinomial logistic regression from what belongs to a step to the phone that is said."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from diffposetalk.progress import Progress, over
from diffposetalk.workshop.evaluate.hearing.inputs import Inputs

STEPS = 1500
"""Steps of the optimiser."""
BATCH = 1024
"""Steps of speech in each."""
LEARNING_RATE = 3e-3
"""At the start; it falls to 0 along a cosine."""
WEIGHT_DECAY = 0.1
"""Decay of the weights, so that what helps no phone ends at 0."""
SEED = 0
"""Of the draws."""


@dataclass(frozen=True)
class Probe:
    """A fitted probe."""

    mean: Tensor
    """``(width,)`` subtracted first."""
    spread: Tensor
    """``(width,)`` divided by then."""
    weight: Tensor
    """``(P, width)``."""
    bias: Tensor
    """``(P,)``."""

    def phones(self, inputs: Inputs) -> Tensor:
        """Return the number of the most probable phone at each step: ``(N,)`` int64."""
        steps = torch.arange(len(inputs)).split(BATCH)
        return torch.cat([self._scores(inputs.at(some)).argmax(1) for some in steps])

    def _scores(self, values: Tensor) -> Tensor:
        return functional.linear((values - self.mean) / self.spread, self.weight, self.bias)


def fit_probe(inputs: Inputs, phones: Tensor, n_phones: int, progress: Progress | None = None) -> Probe:
    """Fit a probe with cross-entropy; the same inputs give the same probe.

    Args:
        inputs: of N steps.
        phones: ``(N,)`` int64 numbers of the phones said.
        n_phones: numbers that there are.
        progress: called after each step.
    """
    spoken = inputs.rows[inputs.centres].float()
    repeats = 2 * inputs.reach + 1
    mean, spread = spoken.mean(0).repeat(repeats), spoken.std(0).clamp(min=1e-3).repeat(repeats)
    weight = torch.zeros(n_phones, inputs.width, requires_grad=True)
    bias = torch.zeros(n_phones, requires_grad=True)
    groups = [{"params": [weight], "weight_decay": WEIGHT_DECAY}, {"params": [bias], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, LEARNING_RATE)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    generator = torch.Generator().manual_seed(SEED)
    for _ in over(range(STEPS), progress, "fitting"):
        steps = torch.randint(len(inputs), (BATCH,), generator=generator)
        values = (inputs.at(steps) - mean) / spread
        loss = functional.cross_entropy(functional.linear(values, weight, bias), phones[steps])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    return Probe(mean, spread, weight.detach(), bias.detach())
