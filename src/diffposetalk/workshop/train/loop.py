"""The training loop shared by all stages: batches by (seed, step), EMA, bf16, log, resumable checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.model.checkpoint import load_weights, read_tensors, weights, write_tensors
from diffposetalk.workshop.train.rates import RateSchedule, learning_rate
from diffposetalk.workshop.train.run import StageRun


@dataclass(frozen=True)
class Turn:
    """All that a batch may depend on: the same turn always gives the same batch."""

    index: int
    """Number of the batch, from 0; a step has `LoopConfig.accumulate` of them."""
    n: int
    """Samples in it."""
    rng: np.random.Generator
    """Random numbers of this step."""


Losses = Callable[[nn.Module, Turn], dict[str, Tensor]]
"""``(network, turn) -> named terms``: draws its own batch."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to learn."""

    steps: int
    """Optimiser steps."""
    batch: int
    """Samples a step."""
    learning_rate: float = 3e-4
    """Peak rate of AdamW."""
    schedule: RateSchedule = "cosine"
    """How the rate changes; see `learning_rate`."""
    warmup: int = 200
    """Steps of linear warm-up."""
    floor: float = 0.05
    """Last rate of a cosine over the peak."""
    weight_decay: float = 0.01
    """Of AdamW, on matrices only; 0 makes it Adam, as in the paper."""
    beta2: float = 0.99
    """Decay of AdamW's squared gradients; the paper's Adam has 0.999."""
    clip: float = 1.0
    """Largest gradient norm; 0 for no limit, as in the paper."""
    ema: float = 0.999
    """Decay of the averaged weights that validation and the result use; 0 for the last weights."""
    accumulate: int = 1
    """Batches averaged in one optimiser step."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward pass."""
    validate_every: int = 500
    """Steps between validations."""
    validation_batches: int = 4
    """Batches of a validation, always the same ones."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    seed: int = 0
    """Same seed, same batches, same result."""
    tensorboard: bool = False
    """Whether figures are also logged for TensorBoard, in the folder ``tensorboard`` of the stage."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "validate_every", "validation_batches", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"training: {name} must be at least 1, got {getattr(self, name)}")
        for name in ("floor", "ema", "beta2"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"training: {name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("learning_rate", "warmup", "weight_decay", "clip"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"training: {name} must not be negative, got {getattr(self, name)}")


def total_loss(terms: Mapping[str, Tensor], factors: Mapping[str, float]) -> Tensor:
    """Weigh and add loss terms.

    Raises:
        UsageError: the names of terms and weights differ; a misspelt weight never goes unnoticed.
    """
    if set(terms) != set(factors):
        odd = sorted(set(terms) ^ set(factors))[0]
        raise UsageError(f"loss weights name {', '.join(sorted(factors))}; {odd!r} is on one side only")
    return torch.stack([terms[name] * factor for name, factor in factors.items()]).sum()


def train(
    network: nn.Module,
    losses: Losses,
    validation: Losses,
    factors: Mapping[str, float],
    config: LoopConfig,
    run: StageRun,
) -> nn.Module:
    """Train ``network`` in place and return it with the averaged weights, in evaluation mode.

    Starts from ``state.safetensors`` in the run's folder where one of the same header exists. Every random draw of step s
    comes from ``(seed, s)``, so a resumed run continues with the very losses of an uninterrupted one.

    Args:
        network: to train; already on its device.
        losses: named loss terms of one training batch.
        validation: the same on held-out data; called with the same turns every time.
        factors: weight of each term.
        config: lengths and rates.
        run: its folder receives ``state.safetensors``, ``log.jsonl`` and ``tensorboard``; a checkpoint with another header
            is refused; its progress is called after each step with the step, the number of steps and the loss.
    """
    out, header, progress = run.folder, run.header, run.progress
    out.mkdir(parents=True, exist_ok=True)
    average = averaged_copy(network)
    optimizer = _optimizer(network, config)
    state_path = out / "state.safetensors"
    done = 0
    if state_path.exists():
        done = _load_state(state_path, header, network, average, optimizer)
    log = _log(out, done, config.tensorboard)
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    device = next(network.parameters()).device
    started, started_step = time.monotonic(), done
    for step in range(done, config.steps):
        rate = learning_rate(step, config.schedule, config.learning_rate, config.warmup, config.steps, config.floor)
        for group in optimizer.param_groups:
            group["lr"] = rate
        rng = _seed(config.seed, step)
        network.train()
        parts: list[Tensor] = []
        for part in range(config.accumulate):
            with _precision(config, device):
                terms = losses(network, Turn(step * config.accumulate + part, config.batch, rng))
            loss = total_loss(terms, factors)
            (loss / config.accumulate).backward()
            parts.append(torch.stack([value.detach().float() for value in (*terms.values(), loss)]))
        norm = nn.utils.clip_grad_norm_(learned, config.clip or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        update_average(average, network, min(config.ema, (1 + step) / (10 + step)))
        means = torch.stack(parts).mean(0) if len(parts) > 1 else parts[0]
        *means_read, norm_read = torch.cat([means, norm.detach().float().reshape(1)]).tolist()  # one wait a step
        sums = dict(zip((*terms, "loss"), means_read, strict=True))
        values = {"step": step + 1, "lr": rate, "grad_norm": norm_read, **sums}
        last = step + 1 == config.steps
        if last or (step + 1) % config.validate_every == 0:
            values |= {f"val_{k}": v for k, v in _validate(average, validation, config, device).items()}
            values["steps_per_s"] = (step + 1 - started_step) / (time.monotonic() - started)
        log(values)
        if last or (step + 1) % config.checkpoint_every == 0:
            _save_state(state_path, header, step + 1, network, average, optimizer)
        if progress:
            progress(step + 1, config.steps, f"loss {values['loss']:.3g}")
    network.load_state_dict(average.module.state_dict())
    return network.eval()


def last_logged(folder: Path) -> dict[str, float]:
    """Return the figures of the last step that was logged in a stage's folder; empty without a log."""
    path = folder / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    figures: dict[str, float] = json.loads(lines[-1]) if lines else {}
    return figures


def averaged_copy(network: nn.Module) -> AveragedModel:
    """Return a copy of a network for the running average of its weights and buffers, in evaluation mode."""
    average = AveragedModel(network, use_buffers=True)
    average.n_averaged.fill_(1)  # the first update averages, too, and does not copy
    return average.eval().requires_grad_(False)


def update_average(average: AveragedModel, network: nn.Module, decay: float) -> None:
    """Move the average toward the network's weights: ``decay`` times itself and the rest the network's."""
    average.multi_avg_fn = get_ema_multi_avg_fn(decay)
    average.update_parameters(network)


def _validate(average: AveragedModel, validation: Losses, config: LoopConfig, device: torch.device) -> dict[str, float]:
    """Return the mean loss terms of the averaged weights over fixed batches."""
    sums: dict[str, float] = {}
    for index in range(config.validation_batches):
        turn = Turn(index, config.batch, _seed(config.seed + 1_000_003, index))
        with torch.no_grad(), _precision(config, device):
            terms = validation(average.module, turn)
        values = torch.stack([value.float() for value in terms.values()]).tolist()
        for key, value in zip(terms, values, strict=True):
            sums[key] = sums.get(key, 0.0) + value / config.validation_batches
    return sums


def _seed(seed: int, step: int) -> np.random.Generator:
    torch.manual_seed((seed * 1_000_003 + step) % 2**63)
    return np.random.default_rng([seed, step])


def _precision(config: LoopConfig, device: torch.device) -> Any:
    return torch.autocast(device.type, torch.bfloat16) if config.precision == "bf16" else nullcontext()


def _log(out: Path, done: int, tensorboard: bool) -> Callable[[dict[str, float]], None]:
    """Return a function that appends the figures of a step to ``log.jsonl`` and, if requested, to TensorBoard's files."""
    board = None
    if tensorboard:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError:
            raise DiffPoseTalkError("TensorBoard logs need tensorboard: pip install 'diffposetalk[train]'") from None
        board = SummaryWriter(str(out / "tensorboard"), purge_step=done + 1)

    def write(values: dict[str, float]) -> None:
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(values) + "\n")
        if board is not None:
            for key, value in values.items():
                group = "validation" if key.startswith("val_") else "training"
                board.add_scalar(f"{group}/{key.removeprefix('val_')}", value, values["step"])
            if any(key.startswith("val_") for key in values):
                board.flush()

    return write


def _optimizer(network: nn.Module, config: LoopConfig) -> torch.optim.AdamW:
    learned = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learned if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), fused=True)


def _save_state(
    path: Path,
    header: Mapping[str, str],
    step: int,
    network: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.AdamW,
) -> None:
    tensors = {f"network.{key}": value for key, value in weights(network).items()}
    tensors |= {f"average.{key}": value for key, value in weights(average.module).items()}
    for name, parameter in network.named_parameters():
        for key in ("exp_avg", "exp_avg_sq", "step"):
            if key in (moments := optimizer.state.get(parameter, {})):
                tensors[f"{key}.{name}"] = moments[key].detach().cpu().contiguous()
    write_tensors(path, tensors, {**header, "kind": "diffposetalk.training", "step": str(step)})


def _load_state(
    path: Path,
    header: Mapping[str, str],
    network: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.AdamW,
) -> int:
    tensors, stored = read_tensors(path, "diffposetalk.training")
    for key, value in header.items():
        if stored.get(key) != value:
            raise UsageError(
                f"{path} belongs to a run with another {key}; choose another folder with -o, or remove this file"
            )

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    load_weights(network, part("network."), path)
    load_weights(average.module, part("average."), path)
    for name, parameter in network.named_parameters():
        if f"exp_avg.{name}" in tensors:
            optimizer.state[parameter] = {
                "step": tensors[f"step.{name}"],
                "exp_avg": tensors[f"exp_avg.{name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"exp_avg_sq.{name}"].to(parameter.device),
            }
    return int(stored["step"])
