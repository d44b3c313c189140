"""What a training step of the paper's recipes costs, and what the vertex losses do in it, against the plain formulation.

Plain: all vertices of both windows, the identity blended anew in every frame, and a graph for automatic differentiation
through the truth as well. Ours: `train.surface.JawSurface`. Both give the same loss and gradient, which is checked.

python benchmarks/training_step.py [--size small|paper] [--batch 16] [--jaw 0.35] [--head flame.pkl] [--rounds 5]

The head is random, of FLAME's layout, unless one is given; `--jaw` is the share of its vertices that turn with the jaw.
Times are medians of interleaved rounds, one process, as many threads as OMP_NUM_THREADS says.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffposetalk.config import load_config
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.head import load_head
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.motion import IdentitySpace, MotionSpace, flame_channels
from diffposetalk.workshop.train.paper.batches import SpeechBatch
from diffposetalk.workshop.train.paper.losses import (
    PAPER_WEIGHTS,
    TERMS,
    VERTEX_TERMS,
    Geometry,
    WindowTruth,
    total,
    window_terms,
)
from diffposetalk.workshop.train.paper.recipe import PaperRecipe
from diffposetalk.workshop.train.paper.run import initial_speech_encoder
from diffposetalk.workshop.train.paper.step import GeneratorDraws, Speaker, two_window_terms
from diffposetalk.workshop.train.paper.surface import HeadSurface, surface_of

ROOT = Path(__file__).resolve().parents[1]
N_FRAMES, N_BEFORE, N_VERTICES = 100, 10, 5023


class PlainGeometry(Geometry):
    """The surface with an identity for each frame and a graph through the truth."""

    def coordinates(self, motion: Tensor, identity: Tensor | None) -> Tensor:
        """See `Geometry`; the surface is a `HeadSurface`."""
        with torch.enable_grad():
            values = motion * torch.from_numpy(self.space.std) + torch.from_numpy(self.space.mean)
            values = values if values.requires_grad else values.requires_grad_()
            where = self.space.parts
            jaw = torch.nn.functional.pad(values[..., where["jaw_pose"]], (0, 2))
            assert identity is not None and isinstance(self.surface, HeadSurface)
            each = identity[:, None].expand(*values.shape[:2], -1).contiguous()
            return self.surface.head.vertices(values[..., where["expression"]], None, jaw, each).flatten(-2)


def random_head(share: float) -> FlameHead:
    """Return a head of FLAME's size with random shapes, of which a share turns with the jaw."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=(N_VERTICES, 5)) ** 6
    weights[int(share * N_VERTICES) :, 2] = 0
    path = Path("/tmp") / f"random_flame_{share}.npz"
    regressor = rng.uniform(size=(5, N_VERTICES)) ** 4
    np.savez(
        path,
        v_template=rng.standard_normal((N_VERTICES, 3)) * 0.08,
        shapedirs=rng.standard_normal((N_VERTICES, 3, 400)) * 0.002,
        posedirs=rng.standard_normal((N_VERTICES, 3, 36)) * 0.003,
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True),
        kintree_table=np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        f=rng.integers(0, N_VERTICES, (9976, 3)),
    )
    return FlameHead.load(path)


def medians(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each work, in rounds of all."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=("small", "paper"), default="small")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--jaw", type=float, default=0.35)
    parser.add_argument("--head")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    head = load_head(options.head) if options.head else random_head(options.jaw)
    assert isinstance(head, FlameHead)
    rng = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    spread = np.full(54, 0.5, np.float32)
    spread[50:] = 0.1
    space = MotionSpace("flame", 25.0, flame_channels(), np.zeros(54, np.float32), spread)
    people = IdentitySpace(np.zeros(100, np.float32), np.ones(100, np.float32))
    ours = Geometry(space, surface_of(head, 100, 50, fold=True), people)
    plain = PlainGeometry(space, HeadSurface.of(head), people)
    n = options.batch
    predicted, previous = normal(n, N_BEFORE + N_FRAMES, 54), normal(n, N_BEFORE, 54)
    truth = WindowTruth(normal(n, N_FRAMES, 54), normal(n, N_FRAMES, 54), previous, None, normal(n, 100))

    def vertex_losses(geometry: Geometry) -> tuple[Tensor, Tensor]:
        guess = predicted.clone().requires_grad_()
        loss = total(window_terms(guess, truth, geometry, names=VERTEX_TERMS), PAPER_WEIGHTS)
        return loss.detach(), torch.autograd.grad(loss, guess)[0]

    (plain_loss, plain_gradient), (loss, gradient) = vertex_losses(plain), vertex_losses(ours)
    apart = float((gradient - plain_gradient).abs().max() / plain_gradient.abs().max())
    print(f"loss {float(loss):.6g} against {float(plain_loss):.6g}; gradients apart by {apart:.1e} of the largest")
    found = medians({"plain": lambda: vertex_losses(plain), "ours": lambda: vertex_losses(ours)}, options.rounds)
    coordinates = ours.surface.n_coordinates  # type: ignore[attr-defined]
    print(f"vertex losses of one window, batch {n}, {coordinates} of {ours.surface.n_values} numbers a frame:")
    print(
        f"  plain {found['plain']:.3f} s, ours {found['ours']:.3f} s: {found['plain'] / found['ours']:.1f} times less"
    )

    name = "denoiser" if options.size == "paper" else "small"
    changes = ["speech.encoder.source=''"] if options.size == "paper" else []
    recipe = load_config(PaperRecipe, ROOT / "configs" / "paper" / f"{name}.toml", changes)
    assert recipe.denoiser is not None and recipe.speech is not None
    torch.manual_seed(0)
    speaker = Speaker(initial_speech_encoder(recipe.speech), Denoiser(recipe.denoiser.network)).train()
    batch = SpeechBatch(
        normal(2, n, 640 * N_FRAMES), normal(2, n, 1, 100), normal(2, n, N_FRAMES, 54), torch.zeros(n), torch.ones(n)
    )
    schedule, style = NoiseSchedule.make("cosine", 500), normal(n, 128)
    windows = recipe.denoiser.windows

    def step(geometry: Geometry, names: tuple[str, ...] = TERMS) -> None:
        draws = GeneratorDraws(np.random.default_rng(1))
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.denoiser.loop.precision == "bf16"):  # type: ignore[union-attr]
            terms = two_window_terms(speaker, batch, windows, schedule, geometry, draws, names, lambda *_: style)
        total(terms, PAPER_WEIGHTS).backward()
        speaker.zero_grad()

    works = {
        "plain": lambda: step(plain),
        "ours": lambda: step(ours),
        "networks alone": lambda: step(ours, ("simple",)),
    }
    found = medians(works, options.rounds)
    print(f"a whole step of {options.size} size (without the optimiser):")
    for key, seconds in found.items():
        print(f"  {key:15s} {seconds:.3f} s")
    print(f"  {found['plain'] / found['ours']:.2f} times less")


if __name__ == "__main__":
    main()
