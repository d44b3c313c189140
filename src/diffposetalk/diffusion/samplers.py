"""Samplers, as functions that know nothing about networks, speech or guidance.

Notation, with n the noise step, 0 (clean) to N (noise), and `alpha_bar_n = (1 - beta_1) ... (1 - beta_n)`:

    a_n = sqrt(alpha_bar_n)            scale of the signal; a_0 = 1
    sigma_n = sqrt(1 - alpha_bar_n)    standard deviation of the noise; sigma_0 = 0
    x_n = a_n x_0 + sigma_n eps        noisy sample, eps ~ N(0, I)
    lambda_n = log(a_n / sigma_n)      half the log signal-to-noise ratio; lambda_0 = +inf

The paper of DPM-Solver++ writes alpha for a_n. `NoiseSchedule.alphas` is 1 - beta_n, as in Ho et al. 2020.

Coefficients are computed in double precision on the host, so that no step waits for a device. All samplers share these
arguments:

    denoise     ``(x_n, noise_step) -> prediction``, all ``(B, ...)``, already guided
    x_T         ``(B, ...)`` standard normal noise to start from
    schedule    the noise schedule that the denoiser was trained with
    target      what the denoiser predicts: x_0 ("sample") or eps ("noise")
    on_step     called after each step with (next noise step, x at that step)

They return ``(B, ...)`` samples of x_0. Arrays are numpy arrays or torch tensors; a sampler only adds and scales them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias, TypedDict, Unpack, get_args

import numpy as np

from diffposetalk.diffusion.noise import Array, NoiseSchedule, Target, check_target, predicted_x_0
from diffposetalk.errors import UsageError

Denoise: TypeAlias = Callable[[Array, int], Array]
OnStep: TypeAlias = Callable[[int, Array], None]
Sampler: TypeAlias = Literal["dpmpp", "ddim", "ddpm"]
Spacing: TypeAlias = Literal["time", "log_snr"]


class AddedNoise(TypedDict, total=False):
    """Arguments of `sample_ddpm` alone: the noise that is added in each step."""

    noises: Iterable[Array] | None
    flexibility: float


SAMPLERS: tuple[str, ...] = get_args(Sampler)
SPACINGS: tuple[str, ...] = get_args(Spacing)

DEFAULT_STEPS = {"dpmpp": 10, "ddim": 25}
"""Default evaluations of a window; ddpm always takes every step of its schedule."""

LAMBDA_LOWEST = (-2.25, -2.5)
"""Lambda of the second evaluation with the spacing "log_snr", with up to 10 steps and with 20 or more; the first is at N."""
LAMBDA_HIGHEST = 2.5
"""Highest lambda of the spacing "log_snr", before `LAMBDA_PER_STEP` is added for each step."""
LAMBDA_PER_STEP = 0.1
"""What each step adds to the highest lambda."""
LAMBDA_OF_FEW = (-0.2, 0.35)
"""With few steps the highest lambda is at most this constant and so much for each step: what a step decides at the noisy end
(slow motion, blinks) would be lost if steps went to the clean end, where little is left to decide."""


def standard_normal(shape: Sequence[int], generators: Sequence[np.random.Generator]) -> np.ndarray:
    """Draw standard normal noise ``shape = (B, ...)`` in float32 with one generator for each entry.

    So an entry's noise depends neither on the others of its batch nor on the machine.

    Raises:
        ValueError: a number of generators other than `B`.
    """
    if len(generators) != shape[0]:
        raise ValueError(f"{len(generators)} generators for a batch of {shape[0]}")
    return np.stack([generator.standard_normal(tuple(shape[1:]), np.float32) for generator in generators])


def endless_noise(shape: Sequence[int], generators: Sequence[np.random.Generator]) -> Iterator[np.ndarray]:
    """Yield draws of `standard_normal` without end."""
    while True:
        yield standard_normal(shape, generators)


def generators_of(seed: int, n: int) -> list[np.random.Generator]:
    """Return the generators of the seeds ``seed, seed + 1, ...`` of n samples."""
    return [np.random.Generator(np.random.PCG64(seed + k)) for k in range(n)]


def sample_ddpm(
    denoise: Denoise,
    x_T: Array,
    schedule: NoiseSchedule,
    *,
    noises: Iterable[Array] | None = None,
    flexibility: float = 0.0,
    target: Target | str = "sample",
    on_step: OnStep | None = None,
) -> Array:
    """Sample by the ancestral chain, through every step of the schedule.

    Args:
        denoise, x_T, schedule, target, on_step: see the module.
        noises: the noise that is added at steps N .. 2, N - 1 arrays in the order of use (or an endless source).
        flexibility: 0 adds noise of the posterior's variance, 1 of variance beta (see `NoiseSchedule.posterior_std`).

    Raises:
        UsageError: an unknown target.
        ValueError: no noises, or too few.

    Source: Ho et al. 2020, algorithm 2; with target "sample" the posterior mean of their equation 7.
    """
    check_target(target)
    draw = _recorded(noises)
    alpha_bar: list[float] = schedule.alpha_bar.tolist()
    alphas: list[float] = schedule.alphas.tolist()
    stds: list[float] = schedule.posterior_std(flexibility).tolist()
    x = x_T
    for n in range(schedule.n_steps, 0, -1):
        prediction = denoise(x, n)
        alpha, now, after = alphas[n], alpha_bar[n], alpha_bar[n - 1]
        if target == "sample":
            keep = (1 - after) * math.sqrt(alpha) / (1 - now)
            move = (1 - alpha) * math.sqrt(after) / (1 - now)
            x = keep * x + move * prediction
        else:
            x = (x - (1 - alpha) / math.sqrt(1 - now) * prediction) / math.sqrt(alpha)
        if n > 1:
            x = x + stds[n] * next(draw)
        if on_step is not None:
            on_step(n - 1, x)
    return x


def sample_ddim(
    denoise: Denoise,
    x_T: Array,
    schedule: NoiseSchedule,
    steps: int,
    *,
    eta: float = 0.0,
    noises: Iterable[Array] | None = None,
    target: Target | str = "sample",
    spacing: Spacing | str = "time",
    on_step: OnStep | None = None,
) -> Array:
    """Sample with a subset of the noise steps, with a share `eta` of the ancestral chain's noise.

    Args:
        denoise, x_T, schedule, target, on_step: see the module.
        steps: number of evaluations, 1 .. N.
        eta: 0 is deterministic; 1 with every step is `sample_ddpm` (flexibility 0).
        noises: if ``eta`` > 0 the noise that is added, ``steps - 1`` arrays in the order of use.
        spacing: how the steps are chosen; see `step_sequence`.

    Raises:
        UsageError: steps outside 1 .. N, an unknown target or spacing.
        ValueError: `eta` > 0 without noises, or with too few.

    Source: Song et al. 2021 (DDIM), equations 12 and 16.
    """
    sequence = step_sequence(schedule, steps, spacing)
    check_target(target)
    draw = _recorded(noises) if eta > 0 else iter(())
    alpha_bar: list[float] = schedule.alpha_bar.tolist()
    x = x_T
    for n, n_next in zip(sequence, [*sequence[1:], 0], strict=True):
        x_0 = predicted_x_0(denoise(x, n), x, n, schedule, target)
        now, after = alpha_bar[n], alpha_bar[n_next]
        std = eta * math.sqrt((1 - after) / (1 - now)) * math.sqrt(max(1 - now / after, 0.0))
        along = math.sqrt(max(1 - after - std**2, 0.0) / (1 - now))  # times the noise predicted to be in x
        x = (math.sqrt(after) - along * math.sqrt(now)) * x_0 + along * x
        if std > 0:
            x = x + std * next(draw)
        if on_step is not None:
            on_step(n_next, x)
    return x


def sample_dpmpp(
    denoise: Denoise,
    x_T: Array,
    schedule: NoiseSchedule,
    steps: int,
    *,
    target: Target | str = "sample",
    spacing: Spacing | str = "log_snr",
    on_step: OnStep | None = None,
) -> Array:
    """Sample with the second-order multistep solver DPM-Solver++(2M), deterministically.

    A step goes from noise step n to the next smaller one, m; p is the noise step before n, so p > n > m:

        h = lambda_m - lambda_n
        h_p = lambda_n - lambda_p
        c = h / (2 h_p)
        D = (1 + c) x_0(n) - c x_0(p)
        x_m = (sigma_m / sigma_n) x_n - a_m (exp(-h) - 1) D

    x_0(n) is the denoiser's prediction of x_0 at step n (converted if the target is "noise"). The module's docstring
    defines a, sigma and lambda.

    The first step has no step before it, and the last goes to the clean end m = 0, where lambda is infinite. Both are of
    first order: D = x_0(n). In the last step sigma_0 = 0, a_0 = 1 and exp(-h) = 0, so the result is x_0(n) itself.

    Args:
        denoise, x_T, schedule, target, on_step: see the module.
        steps: number of evaluations, 1 .. N.
        spacing: how the steps are chosen; see `step_sequence`.

    Raises:
        UsageError: steps outside 1 .. N, an unknown target or spacing.

    Source: Lu et al. 2022, DPM-Solver++ (arXiv:2211.01095), algorithm 2.
    """
    sequence = step_sequence(schedule, steps, spacing)
    check_target(target)
    alpha_bar: list[float] = schedule.alpha_bar.tolist()
    lambdas: list[float] = schedule.lambdas().tolist()
    x = x_T
    before: tuple[float, Array] | None = None  # h and x_0 of the step before
    for n, n_next in zip(sequence, [*sequence[1:], 0], strict=True):
        x_0 = predicted_x_0(denoise(x, n), x, n, schedule, target)
        h = lambdas[n_next] - lambdas[n]
        if before is None or n_next == 0:
            direction = x_0
        else:
            h_before, x_0_before = before
            c = h / (2 * h_before)
            direction = (1 + c) * x_0 - c * x_0_before  # D
        sigma_ratio = math.sqrt((1 - alpha_bar[n_next]) / (1 - alpha_bar[n]))
        x = sigma_ratio * x - math.sqrt(alpha_bar[n_next]) * math.expm1(-h) * direction
        before = (h, x_0)
        if on_step is not None:
            on_step(n_next, x)
    return x


def sample(
    sampler: Sampler | str,
    denoise: Denoise,
    x_T: Array,
    schedule: NoiseSchedule,
    steps: int | None = None,
    *,
    target: Target | str = "sample",
    on_step: OnStep | None = None,
    **added: Unpack[AddedNoise],
) -> Array:
    """Sample with the sampler of that name: "dpmpp", "ddim" (eta 0) or "ddpm".

    Args:
        sampler: the sampler's name.
        denoise, x_T, schedule, target, on_step: see the module.
        steps: number of evaluations; None for the sampler's default (see `n_evaluations`).
        added: for "ddpm"; the other two samplers add no noise.

    Raises:
        UsageError: an unknown sampler or target, or steps that the sampler cannot take with this schedule.
        ValueError: ddpm without noises.
    """
    steps = n_evaluations(sampler, steps, schedule)
    if sampler == "ddpm":
        return sample_ddpm(denoise, x_T, schedule, target=target, on_step=on_step, **added)
    if sampler == "ddim":
        return sample_ddim(denoise, x_T, schedule, steps, target=target, on_step=on_step)
    return sample_dpmpp(denoise, x_T, schedule, steps, target=target, on_step=on_step)


# --------------------------------------------------------------------------------------------------
# Which steps to take


def n_evaluations(sampler: Sampler | str, steps: int | None, schedule: NoiseSchedule) -> int:
    """Return how many times a sampler evaluates the denoiser.

    Args:
        sampler: the sampler's name.
        steps: number of evaluations; None for the default: 10 for dpmpp, 25 for ddim (never more than the
            schedule has), every step of the schedule for ddpm.
        schedule: the noise schedule.

    Raises:
        UsageError: an unknown sampler; fewer than 1 or more than N steps; ddpm with other than N.
    """
    if sampler not in SAMPLERS:
        raise UsageError(f"unknown sampler {sampler!r}: choose from {', '.join(SAMPLERS)}")
    if steps is None:
        return min(DEFAULT_STEPS.get(sampler, schedule.n_steps), schedule.n_steps)
    if sampler == "ddpm" and steps != schedule.n_steps:
        raise UsageError(
            f"the ddpm sampler takes all {schedule.n_steps} steps of the model's schedule, not {steps}: "
            "leave the number of steps out, or choose dpmpp or ddim"
        )
    _check_steps(steps, schedule)
    return steps


def step_sequence(schedule: NoiseSchedule, steps: int, spacing: Spacing | str) -> list[int]:
    """Choose the noise steps at which a short sampler evaluates the denoiser.

    Args:
        schedule: the noise schedule.
        steps: how many, 1 .. N.
        spacing: "time": equal strides of the noise step (N, N - N / steps, ..., N / steps; Lin et al. 2024 call it
            trailing). "log_snr": the first evaluation is at N, the others at equal strides of lambda between -2.25
            (mostly noise; -2.5 with many steps) and the smaller of 2.5 + 0.1 steps and 0.35 steps - 0.2, clipped to the
            schedule. Without the first bound too many steps would fall on the almost clean end: a quarter of the lambda
            range of a cosine schedule lies in its first noise step. The second bound keeps few steps where slow motion
            and blinks are decided: with the bundled model, 5 steps then have the spread of 10; without it the head
            moves a fifth less, and 4 steps blink half as often. Compared with the exact solution for Gaussian mixtures,
            "log_snr" halves the error of dpmpp at 6 to 15 steps; ddim is better with "time".

    Returns:
        `steps` distinct noise steps, falling from N to 1 or more.

    Raises:
        UsageError: steps outside 1 .. N or an unknown spacing.
    """
    _check_steps(steps, schedule)
    last = schedule.n_steps
    if spacing == "time":
        sequence = [round(last * (1 - i / steps)) for i in range(steps)]
    elif spacing == "log_snr":
        lambdas = schedule.lambdas()
        low = max(float(np.interp(steps, (10, 20), LAMBDA_LOWEST)), float(lambdas[last]))
        few, per_step = LAMBDA_OF_FEW
        high = min(LAMBDA_HIGHEST + LAMBDA_PER_STEP * steps, few + per_step * steps, float(lambdas[1]))
        targets = np.linspace(max(low, high), low, max(steps - 1, 1))[::-1]
        sequence = [last, *(1 + np.abs(lambdas[1:, None] - targets).argmin(axis=0)).tolist()][:steps]
    else:
        raise UsageError(f"unknown step spacing {spacing!r}: choose from {', '.join(SPACINGS)}")
    sequence[0] = last
    for i in range(1, steps):  # rounding may repeat a step where the schedule is coarse
        sequence[i] = min(sequence[i], sequence[i - 1] - 1)
    return [max(n, steps - i) for i, n in enumerate(sequence)]


# --------------------------------------------------------------------------------------------------


def _recorded(noises: Iterable[Array] | None) -> Iterator[Array]:
    """Yield the noise of each step."""
    if noises is None:
        raise ValueError("a sampler that adds noise needs noises")
    return _all_of(noises)


def _all_of(noises: Iterable[Array]) -> Iterator[Array]:
    yield from noises
    raise ValueError("the recorded noises are fewer than the sampler's steps")


def _check_steps(steps: int, schedule: NoiseSchedule) -> None:
    if not 1 <= steps <= schedule.n_steps:
        raise UsageError(f"steps must lie in 1 .. {schedule.n_steps}, the model's noise steps, not {steps}")
