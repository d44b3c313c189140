"""Noise schedules, forward noising and prediction targets: functions that know nothing about networks or speech.

Notation (Ho et al. 2020, with the schedule indexed from a clean index 0):

    alpha_n = 1 - beta_n,    alpha_bar_n = alpha_1 ... alpha_n,    alpha_bar_0 = 1 (clean)
    x_n = sqrt(alpha_bar_n) x_0 + sqrt(1 - alpha_bar_n) eps,    eps ~ N(0, I),    n = 1 .. N
    lambda_n = log(sqrt(alpha_bar_n) / sqrt(1 - alpha_bar_n)),    +inf at n = 0

A network predicts x_0 (target "sample") or eps (target "noise").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from diffposetalk.errors import UsageError

Array: TypeAlias = Any
"""A numpy array or a torch tensor; the result of a function is of the same kind as its arguments."""
ScheduleKind: TypeAlias = Literal["cosine", "linear", "quadratic", "sigmoid"]
Target: TypeAlias = Literal["sample", "noise"]

SCHEDULE_KINDS: tuple[str, ...] = get_args(ScheduleKind)
TARGETS: tuple[str, ...] = get_args(Target)

MOST_STEPS = 10_000
"""Noise steps that a schedule may have; usual are 50 to 1000."""
BETA_FIRST = 1e-4
"""Smallest beta of a schedule."""
BETA_LAST = 0.02
"""Last beta of the linear, quadratic and sigmoid schedules."""
COSINE_OFFSET = 0.008
"""Offset of the cosine schedule (Nichol and Dhariwal 2021)."""
COSINE_BETA_LIMIT = 0.999
"""Largest beta of the cosine schedule."""


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """How much noise each of the N noise steps holds: arrays ``(N + 1,)`` float32, clean at index 0."""

    kind: str
    """Name of the curve: cosine, linear, quadratic or sigmoid."""
    n_steps: int
    """Number of noise steps, N."""
    betas: np.ndarray
    """Variance added by each step; 0 at index 0."""
    alphas: np.ndarray
    """1 - beta."""
    alpha_bar: np.ndarray
    """Share of the signal's variance left after each step: 1 at index 0, near 0 at index N."""

    @classmethod
    def make(cls, kind: ScheduleKind | str = "cosine", n_steps: int = 500) -> NoiseSchedule:
        """Build one of the four schedules of the released code.

        Args:
            kind: "cosine" (Nichol and Dhariwal 2021, offset 0.008, beta limited to [1e-4, 0.999]), or "linear",
                "quadratic", "sigmoid" between beta 1e-4 and 0.02 (not rescaled when `n_steps` is small).
            n_steps: number of noise steps, at least 1.

        Raises:
            UsageError: an unknown kind, fewer than one step or more than `MOST_STEPS`.

        Source: DiffPoseTalk's released schedules; `alpha_bar` is the exponential of summed single-precision
        logarithms, as there, so that released weights get the same numbers (to a millionth).
        """
        check_steps(n_steps)
        one = np.float32(1)
        if kind == "linear":
            betas = _between(BETA_FIRST, BETA_LAST, n_steps)
        elif kind == "quadratic":
            betas = _between(BETA_FIRST**0.5, BETA_LAST**0.5, n_steps) ** 2
        elif kind == "sigmoid":
            curve = one / (one + np.exp(-_between(-5, 5, n_steps)))
            betas = curve * np.float32(BETA_LAST - BETA_FIRST) + np.float32(BETA_FIRST)
        elif kind == "cosine":
            position = _between(0, n_steps, n_steps + 1) / np.float32(n_steps)
            angle = (position + np.float32(COSINE_OFFSET)) / np.float32(1 + COSINE_OFFSET) * np.float32(np.pi / 2)
            curve = np.cos(angle.astype(np.float64)).astype(np.float32) ** 2
            curve = curve / curve[0]
            betas = np.clip(one - curve[1:] / curve[:-1], np.float32(BETA_FIRST), np.float32(COSINE_BETA_LIMIT))
        else:
            raise UsageError(f"unknown noise schedule {kind!r}: choose from {', '.join(SCHEDULE_KINDS)}")
        betas = np.concatenate([np.zeros(1, np.float32), betas])
        alphas = one - betas
        log_alpha_bar = np.cumsum(np.log(alphas), dtype=np.float32)
        return cls(kind, n_steps, betas, alphas, np.exp(log_alpha_bar))

    def lambdas(self) -> np.ndarray:
        """Return lambda_n, half the log signal-to-noise ratio: ``(N + 1,)`` float64, +inf at the clean end."""
        alpha_bar = self.alpha_bar.astype(np.float64)
        with np.errstate(divide="ignore"):
            return 0.5 * (np.log(alpha_bar) - np.log(1 - alpha_bar))

    def posterior_std(self, flexibility: float = 0.0) -> np.ndarray:
        """Return the standard deviation of the noise an ancestral step adds, ``(N + 1,)`` float32.

        Args:
            flexibility: 0 for the true posterior, sqrt((1 - alpha_bar_{n-1}) / (1 - alpha_bar_n) beta_n); 1 for the
                larger sqrt(beta_n); in between, a linear mix of the two.
        """
        smallest = np.zeros_like(self.betas)
        smallest[1:] = np.sqrt((1 - self.alpha_bar[:-1]) / (1 - self.alpha_bar[1:]) * self.betas[1:])
        mixed: np.ndarray = np.sqrt(self.betas) * np.float32(flexibility) + smallest * np.float32(1 - flexibility)
        return mixed


def _between(first: float, last: float, n: int) -> np.ndarray:
    """Return n equally spaced float32 numbers, computed from both ends in single precision as torch does."""
    step = np.float32((last - first) / max(n - 1, 1))
    place = np.arange(n, dtype=np.float32)
    from_first, from_last = np.float32(first) + step * place, np.float32(last) - step * place[::-1]
    return np.where(place < n // 2, from_first, from_last).astype(np.float32) if n > 1 else from_first


def add_noise(x_0: Array, noise_step: Array | int, eps: Array, schedule: NoiseSchedule) -> Array:
    """Noise clean data to a given step: `x_n = sqrt(alpha_bar_n) x_0 + sqrt(1 - alpha_bar_n) eps`.

    Args:
        x_0: ``(B, ...)`` clean data.
        noise_step: ``(B,)`` integer steps in 0 .. N, or one for all (0 leaves the data clean).
        eps: standard normal noise, shape of `x_0`.
        schedule: the noise schedule.

    Returns:
        ``(B, ...)`` noisy data.

    Source: Ho et al. 2020, equation 4.
    """
    signal, noise = _signal_and_noise(x_0, noise_step, schedule)
    return signal * x_0 + noise * eps


def x_0_from_noise(x_n: Array, noise_step: Array | int, eps: Array, schedule: NoiseSchedule) -> Array:
    """Solve the forward equation for x_0, given x_n and the noise in it.

    At the noisy end of a cosine schedule (alpha_bar about 1e-8) this multiplies errors of `eps` by 1e4: one reason
    why our own models predict x_0.

    Args:
        x_n: ``(B, ...)`` noisy data.
        noise_step: ``(B,)`` integer steps in 0 .. N, or one for all.
        eps: ``(B, ...)`` the noise in `x_n`.
        schedule: the noise schedule.

    Returns:
        ``(B, ...)`` clean data.
    """
    signal, noise = _signal_and_noise(x_n, noise_step, schedule)
    return (x_n - noise * eps) / signal


def predicted_x_0(
    prediction: Array, x_n: Array, noise_step: Array | int, schedule: NoiseSchedule, target: Target | str
) -> Array:
    """Return the clean data a prediction stands for, whichever the target: ``(B, ...)``.

    Raises:
        UsageError: an unknown target.
    """
    check_target(target)
    if target == "sample":
        return prediction
    return x_0_from_noise(x_n, noise_step, prediction, schedule)


def check_steps(n_steps: int) -> None:
    """Raise a `UsageError` unless a schedule can have that many noise steps."""
    if not isinstance(n_steps, int) or not 1 <= n_steps <= MOST_STEPS:
        raise UsageError(f"a noise schedule has 1 to {MOST_STEPS} steps, not {n_steps}")


def check_target(target: str) -> None:
    """Raise a `UsageError` unless the prediction target is known."""
    if target not in TARGETS:
        raise UsageError(f"unknown prediction target {target!r}: choose from {', '.join(TARGETS)}")


def _signal_and_noise(
    x: Array, noise_step: Array | int, schedule: NoiseSchedule
) -> tuple[Array | float, Array | float]:
    """Return sqrt(alpha_bar) and sqrt(1 - alpha_bar), broadcastable against `x`."""
    if isinstance(noise_step, int):
        if not 0 <= noise_step <= schedule.n_steps:
            raise ValueError(f"noise step {noise_step} outside 0 .. {schedule.n_steps}")
        alpha_bar = float(schedule.alpha_bar[noise_step])
        return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
    shares: Array = schedule.alpha_bar
    if not isinstance(x, np.ndarray):
        import torch

        shares = torch.from_numpy(shares).to(x.device)
        noise_step = noise_step.to(x.device)
    shares = shares[noise_step].reshape(-1, *[1] * (x.ndim - 1))
    return shares**0.5, (1 - shares) ** 0.5
