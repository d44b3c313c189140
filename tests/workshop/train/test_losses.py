"""Loss terms against plain formulations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from diffposetalk.workshop.train.losses import (
    LinearSurface,
    difference_loss,
    join_error_loss,
    masked_mean,
    nt_xent,
    smoothness_loss,
)


def test_masked_means_and_differences() -> None:
    torch.manual_seed(0)
    predicted, truth = torch.randn(2, 6, 3), torch.randn(2, 6, 3)
    valid = torch.tensor([[True] * 6, [True, True, True, True, False, False]])
    error = (predicted - truth).square()
    expected = torch.cat([error[0], error[1, :4]]).mean()
    torch.testing.assert_close(difference_loss(predicted, truth, valid), expected)
    step = ((predicted[:, 1:] - predicted[:, :-1]) - (truth[:, 1:] - truth[:, :-1])).square()
    torch.testing.assert_close(
        difference_loss(predicted, truth, valid, order=1), torch.cat([step[0], step[1, :3]]).mean()
    )
    bend = (predicted[:, 2:] - 2 * predicted[:, 1:-1] + predicted[:, :-2]).square()
    torch.testing.assert_close(smoothness_loss(predicted, valid), torch.cat([bend[0], bend[1, :2]]).mean())
    assert masked_mean(error, torch.zeros(2, 6, dtype=torch.bool)) == 0


def test_frames_beyond_the_end_have_no_gradient() -> None:
    predicted = torch.randn(1, 8, 2, requires_grad=True)
    valid = torch.arange(8)[None] < 5
    truth = torch.randn(1, 8, 2)
    loss = sum(difference_loss(predicted, truth, valid, order) for order in (0, 1, 2)) + smoothness_loss(
        predicted, valid
    )
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert gradient[0, :5].abs().min() > 0 and not gradient[0, 5:].any()


def test_surface_equals_the_vertices_themselves() -> None:
    rng = np.random.default_rng(0)
    bases = [(rng.normal(0, 0.01, (7, 40, 3)), 0.7), (rng.normal(0, 0.01, (7, 11, 3)), 0.3)]
    surface = LinearSurface.of(bases)
    first, second = rng.random((2, 5, 7)), rng.random((2, 5, 7))
    expected = 0.0
    for basis, share in bases:
        apart = np.einsum("bte,enk->btnk", first - second, basis) * 1000
        expected += share * (apart**2).sum(-1).mean()
    ours = difference_loss(
        surface(torch.from_numpy(first).float()),
        surface(torch.from_numpy(second).float()),
        torch.ones(2, 5, dtype=torch.bool),
    )
    np.testing.assert_allclose(float(ours), expected, rtol=1e-4)


def test_join_loss_sees_a_jump_only_where_the_window_continues() -> None:
    previous = torch.zeros(2, 4, 1)
    truth, jump = torch.zeros(2, 6, 1), torch.ones(2, 6, 1)
    yes, no = torch.tensor([True, True]), torch.tensor([False, False])
    assert join_error_loss(truth, truth, previous, yes) == 0
    assert join_error_loss(jump, truth, previous, yes) > 0
    assert join_error_loss(jump, truth, previous, no) == 0


def test_nt_xent_without_repeated_speakers_is_the_usual_one() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(4, 8), torch.randn(4, 8)
    styles = functional.normalize(torch.cat([first, second]), dim=-1)
    similarity = (styles @ styles.T / 0.1).fill_diagonal_(float("-inf"))
    expected = functional.cross_entropy(similarity, torch.tensor([4, 5, 6, 7, 0, 1, 2, 3]))
    torch.testing.assert_close(nt_xent(first, second, torch.arange(4), 0.1), expected)


def test_nt_xent_never_pushes_a_speakers_own_clips_apart() -> None:
    torch.manual_seed(0)
    first = torch.randn(4, 8, requires_grad=True)
    second = torch.randn(4, 8)
    speaker = torch.tensor([0, 0, 1, 2])
    alone = nt_xent(first, second, speaker)
    changed = first.detach().clone()
    changed[1] = torch.randn(8)
    rows = torch.tensor([0, 2, 3])
    kept = nt_xent(first[rows], second[rows], speaker[rows])
    (gradient,) = torch.autograd.grad(alone, first)
    assert gradient.abs().max() > 0
    # sample 0 is compared with 2 and 3 only: its own share of the loss ignores its sister clip 1
    styles = functional.normalize(torch.cat([first, second]), dim=-1)
    logits = (styles @ styles.T / 0.1)[0]
    own = functional.cross_entropy(logits[[4, 2, 3, 6, 7]][None], torch.tensor([0]))
    other = functional.cross_entropy((styles @ styles.T / 0.1)[0][[4, 2, 3, 6, 7, 1, 5]][None], torch.tensor([0]))
    assert own < other and kept.isfinite()


@pytest.mark.parametrize("case", ["c0", "c1", "c2"])
def test_nt_xent_equals_the_reference(reference: Path, case: str) -> None:
    data = np.load(reference / "nt_xent.npz")
    first, second = (torch.from_numpy(data[f"{case}_{view}"]).requires_grad_() for view in "ab")
    loss = nt_xent(first, second, torch.arange(len(first)), float(data[f"{case}_temperature"]))
    assert loss.item() == pytest.approx(float(data[f"{case}_loss"]), rel=1e-4)
    for gradient, view in zip(torch.autograd.grad(loss, [first, second]), "ab"):
        expected = data[f"{case}_grad_{view}"]
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-3 * np.abs(expected).max())
