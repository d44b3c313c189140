"""Schedules and samplers: the released numbers, plain transcriptions, and cases with a known exact answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from diffposetalk.diffusion.noise import SCHEDULE_KINDS, NoiseSchedule, add_noise, predicted_x_0, x_0_from_noise
from diffposetalk.diffusion.samplers import (
    SAMPLERS,
    generators_of,
    sample,
    sample_ddim,
    sample_ddpm,
    sample_dpmpp,
    standard_normal,
)
from diffposetalk.errors import UsageError

COSINE = NoiseSchedule.make("cosine", 500)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fresh(like: Tensor, seed: int) -> Iterator[Tensor]:
    """Noise without end, in the shape of `like`."""
    generator = seeded(seed)
    while True:
        yield torch.randn(like.shape, generator=generator)


def quantiles(n: int) -> Tensor:
    """Return n evenly probable values of the standard normal distribution, float64."""
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    return normal.icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n)


class Mixture:
    """A one-dimensional Gaussian mixture: exact denoiser, exact solution of the probability-flow equation."""

    def __init__(self, means: list[float], stds: list[float], weights: list[float], schedule: NoiseSchedule = COSINE):
        self.means, self.stds, self.weights = (
            torch.tensor(values, dtype=torch.float64) for values in (means, stds, weights)
        )
        self.schedule = schedule

    def denoise(self, x_n: Tensor, noise_step: int) -> Tensor:
        """Return the expectation of x_0 given x_n."""
        alpha_bar = float(self.schedule.alpha_bar[noise_step])
        variance = alpha_bar * self.stds**2 + 1 - alpha_bar
        off = x_n.double()[..., None] - math.sqrt(alpha_bar) * self.means
        share = torch.softmax(self.weights.log() - off**2 / (2 * variance) - variance.log() / 2, dim=-1)
        return (share * (self.means + math.sqrt(alpha_bar) * self.stds**2 / variance * off)).sum(-1)

    def denoise_to_noise(self, x_n: Tensor, noise_step: int) -> Tensor:
        """Return the expectation of the noise given x_n."""
        alpha_bar = float(self.schedule.alpha_bar[noise_step])
        return (x_n - math.sqrt(alpha_bar) * self.denoise(x_n, noise_step)) / math.sqrt(1 - alpha_bar)

    def share_below(self, x: Tensor, noise_step: int) -> Tensor:
        alpha_bar = float(self.schedule.alpha_bar[noise_step])
        std = (alpha_bar * self.stds**2 + 1 - alpha_bar).sqrt()
        return (self.weights * torch.special.ndtr((x[..., None] - math.sqrt(alpha_bar) * self.means) / std)).sum(-1)

    def flow(self, x_T: Tensor, noise_step: int = 0) -> Tensor:
        """Return where the probability flow carries x_T by a noise step: in one dimension, to the same quantile."""
        wanted = self.share_below(x_T, self.schedule.n_steps)
        low, high = torch.full_like(x_T, -20.0), torch.full_like(x_T, 20.0)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.share_below(middle, noise_step) < wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2


GAUSSIAN = Mixture([0.4], [0.6], [1.0])
TWO_MODES = Mixture([-1.0, 1.0], [0.3, 0.3], [0.4, 0.6])


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


# --------------------------------------------------------------------------------------------------
# Schedules and the forward process


@pytest.mark.parametrize("n_steps", [500, 20])
@pytest.mark.parametrize("kind", SCHEDULE_KINDS)
def test_schedules_equal_the_released_ones(kind: str, n_steps: int, reference: Path) -> None:
    with np.load(reference / "schedules.npz") as recorded:
        released = {key: recorded[f"{kind}_{n_steps}_{key}"] for key in ("betas", "alphas", "alpha_bars")}
        stds = {f: recorded[f"{kind}_{n_steps}_sigmas_{f}"] for f in ("inflex", "flex", "flexibility0p3")}
    schedule = NoiseSchedule.make(kind, n_steps)
    np.testing.assert_allclose(schedule.betas, released["betas"], rtol=0, atol=4e-7)
    np.testing.assert_allclose(schedule.alphas, released["alphas"], rtol=0, atol=4e-7)
    np.testing.assert_allclose(schedule.alpha_bar, released["alpha_bars"], rtol=1e-6)
    for flexibility, name in ((0.0, "inflex"), (1.0, "flex"), (0.3, "flexibility0p3")):
        np.testing.assert_allclose(schedule.posterior_std(flexibility), stds[name], rtol=2e-3, atol=1e-8)


@pytest.mark.parametrize("kind", SCHEDULE_KINDS)
def test_schedules_start_clean_and_only_get_noisier(kind: str) -> None:
    schedule = NoiseSchedule.make(kind, 50)
    assert schedule.alpha_bar.shape == schedule.betas.shape == schedule.alphas.shape == (51,)
    assert schedule.alpha_bar[0] == 1 and schedule.betas[0] == 0
    assert (np.diff(schedule.alpha_bar) < 0).all() and (schedule.alpha_bar > 0).all()
    lambdas = schedule.lambdas()
    assert lambdas[0] == math.inf and np.isfinite(lambdas[1:]).all() and (np.diff(lambdas) < 0).all()
    assert schedule.posterior_std()[1] == 0  # the last step of the chain adds nothing


@pytest.mark.parametrize(("kind", "n_steps"), [("cosinus", 10), ("linear", 0)])
def test_impossible_schedules_are_refused(kind: str, n_steps: int) -> None:
    with pytest.raises(UsageError):
        NoiseSchedule.make(kind, n_steps)


def test_add_noise_has_the_right_moments_and_inverts() -> None:
    x_0 = torch.full((3, 20_000), 2.0)
    eps = torch.randn(x_0.shape, generator=seeded())
    noise_step = torch.tensor([0, 100, 500])
    x_n = add_noise(x_0, noise_step, eps, COSINE)
    assert torch.equal(x_n[0], x_0[0])
    for row, n in enumerate(noise_step.tolist()):
        alpha_bar = float(COSINE.alpha_bar[n])
        assert float(x_n[row].mean()) == pytest.approx(2 * math.sqrt(alpha_bar), abs=0.03)
        assert float(x_n[row].std()) == pytest.approx(math.sqrt(1 - alpha_bar), abs=0.02)
        torch.testing.assert_close(x_n[row], add_noise(x_0[row], n, eps[row], COSINE))
    back = x_0_from_noise(x_n[:2], noise_step[:2], eps[:2], COSINE)
    torch.testing.assert_close(back, x_0[:2], rtol=1e-4, atol=1e-4)


def test_prediction_targets() -> None:
    x_0, eps = torch.randn(2, 4, 5, generator=seeded()), torch.randn(2, 4, 5, generator=seeded(1))
    noise_step = torch.tensor([7, 300])
    x_n = add_noise(x_0, noise_step, eps, COSINE)
    for target, wanted in (("sample", x_0), ("noise", eps)):
        torch.testing.assert_close(predicted_x_0(wanted, x_n, noise_step, COSINE, target), x_0, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="velocity"):
        predicted_x_0(x_0, x_n, noise_step, COSINE, "velocity")
    with pytest.raises(ValueError, match="501"):
        add_noise(x_0, 501, eps, COSINE)


# --------------------------------------------------------------------------------------------------
# Samplers against plain transcriptions of their formulas


def toy(x_n: Tensor, noise_step: int) -> Tensor:
    """Stand for a network: some smooth function of its input and of the step."""
    return torch.tanh(1.3 * x_n.roll(1, dims=-1) - 0.2 * x_n) + 0.01 * noise_step


def plain_ddpm(
    x: np.ndarray, noises: np.ndarray, kind: str, n_steps: int, flexibility: float, target: str
) -> np.ndarray:
    """Transcribe the reference's sampler as README.md states it."""
    schedule = NoiseSchedule.make(kind, n_steps)
    beta, a, ab = (array.astype(float) for array in (schedule.betas, schedule.alphas, schedule.alpha_bar))
    for t in range(n_steps, 0, -1):
        z = noises[n_steps - t] if t > 1 else 0
        y = toy(torch.from_numpy(x), t).numpy()
        sigma = flexibility * np.sqrt(beta[t]) + (1 - flexibility) * np.sqrt((1 - ab[t - 1]) / (1 - ab[t]) * beta[t])
        if target == "sample":
            x = (
                (1 - ab[t - 1]) * np.sqrt(a[t]) / (1 - ab[t]) * x
                + (1 - a[t]) * np.sqrt(ab[t - 1]) / (1 - ab[t]) * y
                + sigma * z
            )
        else:
            x = (x - (1 - a[t]) / np.sqrt(1 - ab[t]) * y) / np.sqrt(a[t]) + sigma * z
    return x


@pytest.mark.parametrize("target", ["sample", "noise"])
@pytest.mark.parametrize(("kind", "flexibility"), [("cosine", 0.0), ("linear", 0.4), ("sigmoid", 1.0)])
def test_ddpm_equals_its_transcription(kind: str, flexibility: float, target: str) -> None:
    noises = np.random.default_rng(3).standard_normal((20, 2, 6, 4))
    got = sample_ddpm(
        toy,
        torch.from_numpy(noises[0]),
        NoiseSchedule.make(kind, 20),
        noises=list(torch.from_numpy(noises[1:])),
        flexibility=flexibility,
        target=target,
    )
    want = plain_ddpm(noises[0], noises[1:], kind, 20, flexibility, target)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


def test_ddim_with_all_the_noise_and_every_step_is_ddpm() -> None:
    schedule = NoiseSchedule.make("cosine", 30)
    noises = list(torch.randn(30, 2, 6, 4, generator=seeded(), dtype=torch.float64))
    ancestral = sample_ddpm(toy, noises[0], schedule, noises=noises[1:])
    implicit = sample_ddim(toy, noises[0], schedule, 30, eta=1, noises=noises[1:])
    torch.testing.assert_close(implicit, ancestral, rtol=1e-5, atol=1e-5)


def test_dpmpp_of_first_order_is_ddim() -> None:
    """With two steps there is no second-order step, and DDIM is the first-order DPM-Solver."""
    x_T = torch.randn(2, 6, 4, generator=seeded(), dtype=torch.float64)
    for spacing in ("time", "log_snr"):
        implicit = sample_ddim(toy, x_T, COSINE, 2, spacing=spacing)
        torch.testing.assert_close(sample_dpmpp(toy, x_T, COSINE, 2, spacing=spacing), implicit)


@pytest.mark.parametrize("sampler", [sample_ddim, sample_dpmpp])
def test_both_targets_lead_to_the_same_samples(sampler: Callable[..., Tensor]) -> None:
    x_T = quantiles(50)
    as_sample = sampler(TWO_MODES.denoise, x_T, COSINE, 12, target="sample")
    as_noise = sampler(TWO_MODES.denoise_to_noise, x_T, COSINE, 12, target="noise")
    torch.testing.assert_close(as_noise, as_sample, rtol=1e-6, atol=1e-6)


# --------------------------------------------------------------------------------------------------
# Samplers against exact answers


def test_ddpm_reaches_the_mean_and_spread_of_gaussian_data() -> None:
    x_T = torch.randn(20_000, generator=seeded(1))
    samples = sample_ddpm(GAUSSIAN.denoise, x_T, COSINE, noises=fresh(x_T, 2))
    assert float(samples.mean()) == pytest.approx(0.4, abs=0.015)
    assert float(samples.std()) == pytest.approx(0.6, abs=0.015)


def test_ten_steps_of_dpmpp_come_close_to_500_of_ddpm() -> None:
    x_T = torch.randn(20_000, generator=seeded(1), dtype=torch.float64)
    many = sample_ddpm(TWO_MODES.denoise, x_T, COSINE, noises=fresh(x_T, 2))
    few = sample_dpmpp(TWO_MODES.denoise, x_T, COSINE, 10)
    assert float(few.mean()) == pytest.approx(float(many.mean()), abs=0.03)
    assert float(few.std()) == pytest.approx(float(many.std()), abs=0.03)
    assert float((few > 0).double().mean()) == pytest.approx(float((many > 0).double().mean()), abs=0.02)
    apart = (few.sort().values - many.sort().values).abs().mean()  # Wasserstein distance
    assert float(apart) < 0.05


@pytest.mark.parametrize(("steps", "tolerance"), [(10, 0.05), (40, 0.006)])
@pytest.mark.parametrize("kind", SCHEDULE_KINDS)
def test_dpmpp_follows_the_exact_flow(kind: str, steps: int, tolerance: float) -> None:
    mixture = Mixture([-1.0, 1.0], [0.3, 0.3], [0.4, 0.6], NoiseSchedule.make(kind, 500))
    x_T = quantiles(500)
    exact = mixture.flow(x_T)
    assert rms(sample_dpmpp(mixture.denoise, x_T, mixture.schedule, steps) - exact) < tolerance * rms(exact)


def test_dpmpp_converges_faster_than_ddim() -> None:
    """Against the exact flow at one noise step: error of second order in the number of steps, not of first."""
    mixture = Mixture([-1.0, 1.0], [0.5, 0.5], [0.4, 0.6], NoiseSchedule.make("linear", 500))
    x_T = quantiles(200)
    exact = mixture.flow(x_T, 100)

    def error(sampler: Callable[..., Tensor], steps: int) -> float:
        path: dict[int, Tensor] = {}
        sampler(mixture.denoise, x_T, mixture.schedule, steps, spacing="time", on_step=path.__setitem__)
        return rms(path[100] - exact)

    ddim = [error(sample_ddim, steps) for steps in (25, 50, 100)]
    dpmpp = [error(sample_dpmpp, steps) for steps in (25, 50, 100)]
    assert 0.8 < math.log2(ddim[0] / ddim[2]) / 2 < 1.2
    assert 1.7 < math.log2(dpmpp[0] / dpmpp[2]) / 2 < 2.3
    assert dpmpp[0] < ddim[0] / 5


def test_default_spacing_of_dpmpp_is_the_better_one() -> None:
    x_T = quantiles(500)
    for mixture in (GAUSSIAN, TWO_MODES, Mixture([0.5], [0.2], [1.0])):
        exact = mixture.flow(x_T)
        by_snr = rms(sample_dpmpp(mixture.denoise, x_T, COSINE, 10) - exact)
        by_time = rms(sample_dpmpp(mixture.denoise, x_T, COSINE, 10, spacing="time") - exact)
        assert by_snr < 0.9 * by_time


def test_samples_are_finite_in_single_precision_whatever_the_steps() -> None:
    x_T = quantiles(40).float()
    for steps in (1, 2, 3, 4, 7, 100, 500):
        for sampler in (sample_ddim, sample_dpmpp):
            for spacing in ("time", "log_snr"):
                samples = sampler(TWO_MODES.denoise, x_T, COSINE, steps, spacing=spacing)
                assert torch.isfinite(samples).all() and float(samples.abs().max()) < 3


# --------------------------------------------------------------------------------------------------
# Noise, determinism, steps


def test_eta_adds_noise_and_zero_needs_none() -> None:
    x_T = torch.randn(5000, generator=seeded())
    for eta in (0.5, 1.0):
        samples = sample_ddim(GAUSSIAN.denoise, x_T, COSINE, 100, eta=eta, noises=fresh(x_T, 5))
        assert float(samples.std()) == pytest.approx(0.6, abs=0.05)
        other = sample_ddim(GAUSSIAN.denoise, x_T, COSINE, 100, eta=eta, noises=fresh(x_T, 6))
        assert rms(samples - other) > 0.1
    with pytest.raises(ValueError, match="noises"):
        sample_ddim(GAUSSIAN.denoise, x_T, COSINE, 10, eta=0.5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_bytes(sampler: str) -> None:
    schedule = NoiseSchedule.make("cosine", 40)

    def run(seed: int) -> Tensor:
        return sample(sampler, toy, drawn([seed]), schedule, noises=[drawn([seed + 1])] * 40)

    def drawn(seeds: list[int]) -> Tensor:
        return torch.from_numpy(standard_normal((1, 6, 4), generators_of(seeds[-1], 1)))

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_a_generator_for_each_entry_frees_it_from_its_batch() -> None:
    pair = standard_normal((2, 6, 4), generators_of(7, 2))
    alone = standard_normal((1, 6, 4), generators_of(8, 1))
    np.testing.assert_array_equal(pair[1:], alone)
    assert pair.dtype == np.float32 and np.abs(pair[0] - pair[1]).max() > 0.1
    with pytest.raises(ValueError, match="2 generators for a batch of 3"):
        standard_normal((3, 4), generators_of(7, 2))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_numpy_and_torch_give_the_same_samples(sampler: str) -> None:
    schedule, generators = NoiseSchedule.make("cosine", 30), generators_of(3, 2)
    draws = [standard_normal((2, 6, 4), generators) for _ in range(30)]

    def smooth(x_n: np.ndarray, noise_step: int) -> np.ndarray:
        return toy(torch.from_numpy(x_n), noise_step).numpy()

    plain = sample(sampler, smooth, draws[0], schedule, noises=draws[1:])
    tensors = list(map(torch.from_numpy, draws))
    np.testing.assert_allclose(plain, sample(sampler, toy, tensors[0], schedule, noises=tensors[1:]), atol=1e-5)
    assert isinstance(plain, np.ndarray) and plain.dtype == np.float32


def test_there_is_noise_and_enough_of_it() -> None:
    schedule, x_T = NoiseSchedule.make("cosine", 5), torch.zeros(1, 3)
    noises = [torch.zeros(1, 3)] * 4
    with pytest.raises(ValueError, match="needs noises"):
        sample_ddpm(toy, x_T, schedule)
    with pytest.raises(ValueError, match="fewer"):
        sample_ddpm(toy, x_T, schedule, noises=noises[:3])
    sample_ddpm(toy, x_T, schedule, noises=noises)


def test_every_step_is_reported_and_the_denoiser_called_that_often() -> None:
    schedule = NoiseSchedule.make("cosine", 30)
    for sampler, steps, count in (("dpmpp", None, 10), ("ddim", 8, 8), ("ddpm", None, 30)):
        asked: list[int] = []
        reached: list[int] = []

        def denoise(x_n: Tensor, noise_step: int, asked: list[int] = asked) -> Tensor:
            asked.append(noise_step)
            return toy(x_n, noise_step)

        def on_step(noise_step: int, x: Tensor, reached: list[int] = reached) -> None:
            reached.append(noise_step)

        sample(sampler, denoise, torch.zeros(1, 3), schedule, steps, noises=[torch.zeros(1, 3)] * 29, on_step=on_step)
        assert len(asked) == count and asked[0] == 30
        assert reached == [*asked[1:], 0]
