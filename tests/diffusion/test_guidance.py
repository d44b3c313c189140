"""Guidance, thresholding and condition dropout against the formulas written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffposetalk.diffusion.guidance import (
    RELEASED_INDEPENDENT,
    condition_dropout,
    dynamic_threshold,
    guidance_entries,
    guided,
    with_same_evaluations,
)
from diffposetalk.errors import UsageError

scales = st.floats(0, 8)

# A prediction for each (speech given, style given).
PREDICTIONS = {
    key: torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for seed, key in enumerate([(False, False), (True, False), (False, True), (True, True)])
}


def combine(speech_scale: float | None, style_scale: float | None, mode: str) -> Tensor:
    entries = guidance_entries(speech_scale, style_scale, mode)
    return guided([PREDICTIONS[entry.speech, entry.style] for entry in entries], entries)


def plain(a: float, s: float, mode: str) -> Tensor:
    r0, r1 = PREDICTIONS[False, False], PREDICTIONS[True, False]
    if mode == "incremental":
        return r0 + a * (r1 - r0) + s * (PREDICTIONS[True, True] - r1)
    r2 = PREDICTIONS[False, True]
    if mode == "independent":
        return r0 + a * (r1 - r0) + s * (r2 - r0)
    y = r0 + a * (r1 - r0)
    return y + s * (r2 - y)


@pytest.mark.parametrize("mode", ["incremental", "independent", RELEASED_INDEPENDENT])
@settings(deadline=None, derandomize=True, max_examples=50)
@given(a=scales, s=scales)
def test_guidance_equals_the_formula(mode: str, a: float, s: float) -> None:
    torch.testing.assert_close(combine(a, s, mode), plain(a, s, mode), rtol=1e-6, atol=1e-6)
    assert sum(entry.weight for entry in guidance_entries(a, s, mode)) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(
    ("a", "s", "mode", "needed"),
    [
        (1.15, 3, "incremental", "-- a- as"),
        (1, 1, "incremental", "as"),
        (1, 3, "incremental", "a- as"),
        (1.5, 1.5, "incremental", "-- as"),
        (1.15, 0, "incremental", "-- a-"),
        (1, 0, "incremental", "a-"),
        (0, 0, "incremental", "--"),
        (1.15, 3, "independent", "-- a- -s"),
        (0.7, 0.3, "independent", "a- -s"),
        (1, 0, "independent", "a-"),
        (0, 1, "independent", "-s"),
        (1.5, None, "incremental", "-s as"),
        (1, None, "incremental", "as"),
        (None, 3, "independent", "a- as"),
        (None, None, "incremental", "as"),
    ],
)
def test_only_needed_evaluations_are_listed(a: float | None, s: float | None, mode: str, needed: str) -> None:
    entries = guidance_entries(a, s, mode)
    assert " ".join(("-a"[e.speech]) + ("-s"[e.style]) for e in entries) == needed


@pytest.mark.parametrize(("a", "s", "mode"), [(1.6, 2, "incremental"), (2, 2, "incremental"), (1.15, 3, "independent")])
def test_one_pass_serves_two_style_scales(a: float, s: float, mode: str) -> None:
    by = {(speech, style): torch.randn(1, 4, 3) for speech in (True, False) for style in (True, False)}
    asked, at_one = guidance_entries(a, s, mode), guidance_entries(a, 1, mode)
    for same, own in zip(with_same_evaluations(asked, at_one), (asked, at_one), strict=True):
        predictions = torch.stack([by[entry.speech, entry.style] for entry in same])
        alone = torch.stack([by[entry.speech, entry.style] for entry in own])
        torch.testing.assert_close(guided(predictions, same), guided(alone, own))


def test_guidance_refuses_what_does_not_fit() -> None:
    with pytest.raises(UsageError, match="joint"):
        guidance_entries(1, 1, "joint")
    with pytest.raises(ValueError, match="2 predictions for 3"):
        guided(torch.zeros(2, 1, 4, 3), guidance_entries(1.15, 3))


def test_threshold_equals_the_released_formula() -> None:
    x_0 = 3 * torch.randn(3, 30, 6, generator=torch.Generator().manual_seed(1))
    got = dynamic_threshold(x_0, (0.9, 1.0, 4.0), last_frames=20)
    for sample, result in zip(x_0.numpy(), got.numpy(), strict=True):
        limit = np.clip(np.quantile(np.abs(sample[-20:]), 0.9), 1.0, 4.0)
        np.testing.assert_allclose(result, np.clip(sample, -limit, limit), rtol=1e-6)
    small = 0.01 * x_0
    assert torch.equal(dynamic_threshold(small, (0.9, 1.0, 4.0)), small)
    assert float(dynamic_threshold(100 * x_0, (0.9, 1.0, 4.0)).abs().max()) == 4


def test_threshold_ignores_padding_and_keeps_the_type() -> None:
    x_0 = torch.randn(2, 30, 6, generator=torch.Generator().manual_seed(1))
    padded = torch.cat([x_0, torch.full((2, 10, 6), 50.0)], dim=1)
    valid = torch.arange(40).expand(2, 40) < 30
    got = dynamic_threshold(padded, (0.95, 0.5, 60.0), valid=valid)
    torch.testing.assert_close(got[:, :30], dynamic_threshold(x_0, (0.95, 0.5, 60.0)))
    nothing = dynamic_threshold(padded, (0.95, 0.5, 60.0), valid=torch.zeros_like(valid))
    assert float(nothing.abs().max()) == 0.5
    assert dynamic_threshold(x_0.bfloat16(), (0.95, 0.5, 4.0)).dtype == torch.bfloat16


def test_only_the_threshold_after_guidance_bounds_the_result() -> None:
    entries = guidance_entries(1.15, 3)
    predictions = 5 * torch.stack([PREDICTIONS[e.speech, e.style] for e in entries])
    bounds = (0.99, 1.0, 4.0)
    after = guided(predictions, entries, threshold=bounds)
    assert float(after.abs().max()) == pytest.approx(4)
    before = guided(predictions, entries, threshold=bounds, threshold_each=True)
    assert float(before.abs().max()) > 8
    want = sum(e.weight * dynamic_threshold(p, bounds) for e, p in zip(entries, predictions, strict=True))
    torch.testing.assert_close(before, want)


def test_incremental_dropout_shares() -> None:
    drop = condition_dropout((torch.arange(1000) + 0.5) / 1000)
    assert int(drop.style.sum()) == 450 and int(drop.speech.sum()) == 100
    assert not (drop.speech & ~drop.style).any()  # never style without speech
    custom = condition_dropout((torch.arange(1000) + 0.5) / 1000, no_style=0.1, neither=0.2)
    assert int(custom.style.sum()) == 300 and int(custom.speech.sum()) == 200


def test_independent_dropout_shares() -> None:
    drop = condition_dropout(torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0)), "independent")
    for dropped in (drop.speech, drop.style, drop.speech ^ drop.style):
        assert float(dropped.float().mean()) == pytest.approx(0.5, abs=0.02)


def test_dropout_refuses_nonsense() -> None:
    with pytest.raises(UsageError):
        condition_dropout(torch.rand(3), RELEASED_INDEPENDENT)
    with pytest.raises(UsageError):
        condition_dropout(torch.rand(3), no_style=0.8, neither=0.3)
    with pytest.raises(ValueError, match="shape"):
        condition_dropout(torch.rand(3), "independent")
    with pytest.raises(ValueError, match="shape"):
        condition_dropout(torch.rand(3, 2), "incremental")


def test_dropout_takes_the_reference_draws(reference: Path) -> None:
    with np.load(reference / "train_forward.npz") as recorded:
        u = torch.from_numpy(recorded["incremental_draw0_rand"])
        pair = torch.from_numpy(np.stack([recorded[f"independent_draw{i}_rand"] for i in (0, 1)], axis=1))
    drop = condition_dropout(u)
    assert torch.equal(drop.style, u > 0.55) and torch.equal(drop.speech, u > 0.9)
    drop = condition_dropout(pair, "independent")
    assert torch.equal(drop.style, pair[:, 0] < 0.5) and torch.equal(drop.speech, pair[:, 1] < 0.5)
