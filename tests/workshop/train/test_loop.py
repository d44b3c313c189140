"""The loop: resumed equals uninterrupted, misspelt weights stop it, the loss falls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from diffposetalk.errors import ModelError, UsageError
from diffposetalk.model.checkpoint import weights
from diffposetalk.workshop.train.loop import LoopConfig, Turn, total_loss, train
from diffposetalk.workshop.train.run import StageRun

HEADER = {"config": "a test"}


def losses(network: nn.Module, turn: Turn) -> dict[str, torch.Tensor]:
    x = torch.from_numpy(turn.rng.normal(size=(turn.n, 4)).astype(np.float32))
    y = network(x)
    return {"fit": (y - x.sum(1, keepdim=True)).square().mean(), "size": y.square().mean()}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.3), nn.Linear(8, 1))


FACTORS = {"fit": 1.0, "size": 0.01}


class Stop(Exception):
    pass


def run(out: Path, steps: int = 12, stop_at: int | None = None, **changes: object) -> nn.Module:
    def progress(step: float, steps: float | None = None, what: str | None = None) -> None:
        if step == stop_at:
            raise Stop

    config = LoopConfig(
        **{"steps": steps, "batch": 8, "warmup": 2, "validate_every": 4, "checkpoint_every": 3, **changes}
    )  # type: ignore[arg-type]
    return train(network(), losses, losses, FACTORS, config, StageRun(out, HEADER, progress=progress))


def log(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "parts", stop_at=7)
    parts = run(tmp_path / "parts")
    for key, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[key], value, rtol=0, atol=0)
    steps = {row["step"]: row["loss"] for row in log(tmp_path / "parts")}
    assert steps == {row["step"]: row["loss"] for row in log(tmp_path / "whole")}


def test_loss_falls_and_validation_is_logged(tmp_path: Path) -> None:
    run(tmp_path, steps=150, learning_rate=1e-2, accumulate=2)
    rows = log(tmp_path)
    assert rows[-1]["val_fit"] < 0.3 * rows[3]["val_fit"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(UsageError, match="another config"):
        train(network(), losses, losses, FACTORS, LoopConfig(12, 8), StageRun(tmp_path, {"config": "other"}))
    (tmp_path / "state.safetensors").write_bytes(b"junk" * 10)
    with pytest.raises(ModelError, match=r"state\.safetensors"):
        run(tmp_path)


def test_misspelt_loss_weights_stop_the_run() -> None:
    terms = {"fit": torch.tensor(1.0), "size": torch.tensor(2.0)}
    assert total_loss(terms, {"fit": 2.0, "size": 0.5}) == 3.0
    with pytest.raises(UsageError, match=r"'sise' is on one side only|'size' is on one side only"):
        total_loss(terms, {"fit": 2.0, "sise": 0.5})


@pytest.mark.parametrize("field", ["steps", "batch", "accumulate"])
def test_zero_counts_are_refused(field: str) -> None:
    with pytest.raises(UsageError, match=field):
        LoopConfig(**{"steps": 1, "batch": 1, field: 0})  # type: ignore[arg-type]


def test_tensorboard_gets_the_same_figures(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(tmp_path, steps=8, tensorboard=True)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    losses = [event.value for event in events.Scalars("training/loss")]
    assert losses == pytest.approx([row["loss"] for row in log(tmp_path)], rel=1e-6)
    assert [event.step for event in events.Scalars("validation/fit")] == [4, 8]


def test_accumulated_batches_count_as_one_larger_batch(tmp_path: Path) -> None:
    """Two batches of 4 make the step that one batch of 8 makes: divided, and one optimiser step."""

    def halves(network: nn.Module, turn: Turn) -> dict[str, torch.Tensor]:
        x = torch.from_numpy(turn.rng.normal(size=(turn.n, 4)).astype(np.float32))
        return {"fit": (network(x) - x.sum(1, keepdim=True)).square().mean()}

    results = []
    for name, changes in (("one", {"batch": 8}), ("two", {"batch": 4, "accumulate": 2})):
        torch.manual_seed(0)
        learner = nn.Linear(4, 1)
        config = LoopConfig(**{"steps": 3, "warmup": 0, "ema": 0.0, **changes})  # type: ignore[arg-type]
        train(learner, halves, halves, {"fit": 1.0}, config, StageRun(tmp_path / name, HEADER))
        results.append(learner.weight.detach())
        assert [row["step"] for row in log(tmp_path / name)] == [1, 2, 3]
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-7)


def test_a_rate_of_zero_changes_nothing(tmp_path: Path) -> None:
    """The released warm-up begins with a rate of 0, so its first step is lost."""
    torch.manual_seed(0)
    before = network()[0].weight.detach().clone()
    after = run(tmp_path, steps=1, schedule="released-warmup", warmup=5, ema=0.0)
    torch.testing.assert_close(after[0].weight.detach(), before, rtol=0, atol=0)
    assert log(tmp_path)[0]["lr"] == 0
