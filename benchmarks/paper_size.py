"""What the paper-size model costs: our sampling against a plain transcription of the paper's network, in one run.

The transcription uses torch's own decoder layers and computes everything anew in every step, as the formulas read. Both
have the same random weights, so the outputs of the same noise must agree.

python benchmarks/paper_size.py [--steps 500] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.window import ReleasedQuirks, sample_window
from diffposetalk.model.checkpoint import Model, build_model
from diffposetalk.model.configs import DenoiserConfig, ModelConfig, PretrainedSpeechConfig
from diffposetalk.model.layers import alignment_mask, sinusoid
from diffposetalk.model.networks import WindowInput, arrays_of
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.motion import IdentitySpace, MotionSpace, flame_channels

SCALES = (1.15, 3.0)


class Plain(nn.Module):
    """The paper's denoiser as the formulas read."""

    def __init__(self, ours: Model) -> None:
        super().__init__()
        denoiser, config = ours.denoiser, ours.config.denoiser
        self.denoiser, self.config = denoiser, config
        layer = nn.TransformerDecoderLayer(
            config.dim, config.n_heads, config.dim * config.feed_forward_factor, 0.0, "gelu", batch_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.n_layers)
        for theirs, block in zip(self.decoder.layers, denoiser.blocks, strict=True):
            for attention, own in ((theirs.self_attn, block.attention), (theirs.multihead_attn, block.cross_attention)):
                for part in ("weight", "bias"):
                    joint = torch.cat([getattr(getattr(own, name), part) for name in ("query", "key", "value")])
                    getattr(attention, f"in_proj_{part}").data.copy_(joint)
                attention.out_proj.load_state_dict(own.out.state_dict())
            theirs.linear1.load_state_dict(block.feed_forward[0].state_dict())
            theirs.linear2.load_state_dict(block.feed_forward[3].state_dict())
            for index in range(3):
                getattr(theirs, f"norm{index + 1}").load_state_dict(block.norms[index].state_dict())

    def forward(self, x_n: Tensor, step: Tensor, speech: Tensor, person: Tensor) -> Tensor:
        net, config, n = self.denoiser, self.config, len(x_n)
        head = net.person_projection(person) + net.step_embedding(sinusoid(step, config.dim))
        motion = torch.cat([net.start_motion.expand(n, -1, -1), x_n], 1)
        real = torch.ones(n, config.window, 1)
        indicator = torch.cat([torch.zeros(n, config.context, 1), real], 1)
        tokens = (
            torch.cat([head[:, None], net.motion_projection(torch.cat([motion, indicator], -1))], 1) + net.positions
        )
        memory = torch.cat([net.start_speech.expand(n, -1, -1), speech], 1)
        mask = alignment_mask(config.context + config.window, config.align_width)
        return net.out(self.decoder(tokens, memory, memory_mask=mask)[:, 1:])


@torch.inference_mode()
def plain_sample(
    plain: Plain,
    schedule: NoiseSchedule,
    noises: list[Tensor],
    speech: Tensor,
    style: Tensor,
    identity: Tensor,
    on_step: Callable[[int, Tensor], None] = lambda n, x: None,
) -> Tensor:
    """Ancestral sampling with incremental guidance, three rows a step."""
    net, config = plain.denoiser, plain.config
    null = net.null_speech.expand_as(speech)
    heard = torch.cat([null, speech, speech])
    null_style = net.null_style.expand_as(style)
    person = torch.cat([torch.cat([identity, s], -1) for s in (null_style, null_style, style)])
    bars, alphas, stds = map(torch.from_numpy, (schedule.alpha_bar, schedule.alphas, schedule.posterior_std()))
    x = noises[0]
    for n in range(schedule.n_steps, 0, -1):
        step = torch.full((3,), n)
        r = plain(x.repeat(3, 1, 1), step, heard, person)[:, config.context :]
        y = r[0] + SCALES[0] * (r[1] - r[0]) + SCALES[1] * (r[2] - r[1])
        keep = (1 - bars[n - 1]) * alphas[n].sqrt() / (1 - bars[n])
        move = (1 - alphas[n]) * bars[n - 1].sqrt() / (1 - bars[n])
        x = keep * x + move * y
        if n > 1:
            x = x + stds[n] * noises[schedule.n_steps - n + 1]
        on_step(n - 1, x)
    return x


def paper_model(noise_steps: int) -> Model:
    """Return the paper's model with random weights, spread so that conditions matter."""
    torch.manual_seed(0)
    channels = flame_channels()
    dim = len(channels)
    config = ModelConfig(
        "paper",
        PretrainedSpeechConfig(512),
        DenoiserConfig(motion_dim=dim, speech_dim=512, style_dim=128, identity_dim=100, out_hidden=256, dropout=0.0),
        noise_steps=noise_steps,
    )
    space = MotionSpace("flame", 25.0, channels, np.zeros(dim), np.ones(dim))
    model = build_model(config, space, IdentitySpace(np.zeros(100), np.ones(100)))
    for network in model.networks.values():
        network.eval().requires_grad_(False)
    return model


def timed(function: Callable[[], Tensor]) -> tuple[float, Tensor]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500, help="noise steps of the schedule (the paper's: 500)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repetitions")
    args = parser.parse_args()
    torch.set_num_threads(2)
    model = paper_model(args.steps)
    schedule, plain = NoiseSchedule.make("cosine", args.steps), Plain(model).eval()
    fast = replace(model, denoiser=OnnxDenoiser(model.config.denoiser, arrays_of(model.denoiser)))  # as a Talker does
    config = model.config.denoiser
    noises = list(torch.randn(args.steps, 1, config.window, config.motion_dim))
    speech, style, identity = torch.randn(1, 100, 512), torch.randn(1, 128), torch.randn(1, 100)
    samples = torch.randn(1, 64000)

    ticks: dict[str, list[float]] = {"plain": [], "ddpm": []}

    def clock(name: str) -> Callable[[int, Tensor], None]:
        """Note when each step ends, so that a neighbour's burst spoils some steps and not the median."""
        last = time.perf_counter()

        def tick(n: int, x: Tensor) -> None:
            nonlocal last
            now = time.perf_counter()
            ticks[name].append(now - last)
            last = now

        return tick

    def ours(sampler: str) -> Tensor:
        steps = 10 if sampler == "dpmpp" else None
        options = SamplingOptions(sampler=sampler, steps=steps, speech_scale=SCALES[0], style_scale=SCALES[1])
        extra = (
            {"quirks": ReleasedQuirks(noises=[noise.numpy() for noise in noises[1:]]), "on_step": clock("ddpm")}
            if sampler == "ddpm"
            else {}
        )
        inputs = WindowInput(speech.numpy(), style.numpy(), identity.numpy())
        return torch.from_numpy(sample_window(fast, schedule, options, noises[0].numpy(), inputs, **extra))  # type: ignore[arg-type]

    @torch.inference_mode()
    def encoded() -> Tensor:
        return model.speech_encoder(model.speech_encoder.standardise(samples), 100)

    def plainly() -> Tensor:
        return plain_sample(plain, schedule, noises, speech, style, identity, clock("plain"))

    ours("dpmpp"), encoded(), plain_sample(plain, NoiseSchedule.make("cosine", 2), noises, speech, style, identity)
    seconds: dict[str, list[float]] = {"plain": [], "ddpm": [], "dpmpp": [], "speech": []}
    worst = 0.0
    for _ in range(args.rounds):
        results = {}
        for name, function in (
            ("plain", plainly),
            ("ddpm", lambda: ours("ddpm")),
            ("dpmpp", lambda: ours("dpmpp")),
            ("speech", encoded),
        ):
            spent, results[name] = timed(function)
            seconds[name].append(spent)
        error = (results["plain"] - results["ddpm"]).abs().max() / results["plain"].abs().max()
        worst = max(worst, float(error))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(
        json.dumps(
            {
                "steps": args.steps,
                "rounds": args.rounds,
                "median_s": {name: round(value, 3) for name, value in median.items()},
                "ddpm_times_faster": [round(p / d, 2) for p, d in zip(seconds["plain"], seconds["ddpm"])],
                "dpmpp_times_faster": [round(p / d, 1) for p, d in zip(seconds["plain"], seconds["dpmpp"])],
                "dpmpp_with_speech_times_faster": [
                    round((p + s) / (d + s), 1)
                    for p, d, s in zip(seconds["plain"], seconds["dpmpp"], seconds["speech"])
                ],
                "median_step_ms": {name: round(statistics.median(times) * 1e3, 1) for name, times in ticks.items()},
                "median_step_times_faster": round(
                    statistics.median(ticks["plain"]) / statistics.median(ticks["ddpm"]), 2
                ),
                "largest_relative_difference": worst,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
