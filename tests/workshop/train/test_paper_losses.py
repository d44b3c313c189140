"""Every loss term against the reference, with a plain formulation of the head's vertices beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffposetalk.errors import UsageError
from diffposetalk.motion import IdentitySpace, MotionSpace, flame_channels
from diffposetalk.workshop.train.paper.losses import (
    PAPER_WEIGHTS,
    TERMS,
    Geometry,
    WindowTruth,
    averaged,
    total,
    used_weights,
    window_terms,
)
from diffposetalk.workshop.train.paper.surface import JawSurface


class PlainSurface:
    """All vertices, frame by frame, with rotation matrices from the matrix exponential."""

    def __init__(self, head: dict[str, np.ndarray]) -> None:
        self.head = {key: torch.from_numpy(value) for key, value in head.items()}
        self.n_values = 3 * len(head["template"])

    def __call__(self, expression: Tensor, jaw_pose: Tensor, identity: Tensor | None) -> Tensor:
        head, (n_batch, n_frames) = self.head, expression.shape[:2]
        rows = []
        for b in range(n_batch):
            for t in range(n_frames):
                e, j, i = expression[b, t].double(), jaw_pose[b, t].double(), identity[b].double()
                shaped = head["template"] + head["shapes"][..., :100] @ i + head["shapes"][..., 300:350] @ e
                zero = j[0] * 0
                cross = torch.stack([zero, -j[2], j[1], j[2], zero, -j[0], -j[1], j[0], zero]).reshape(3, 3)
                turn = torch.matrix_exp(cross)
                joint = head["regressor"][2] @ shaped
                posed = shaped + head["poses"][..., 9:18] @ (turn - torch.eye(3)).flatten()
                weight = head["weights"][:, 2:3]
                rows.append((1 - weight) * posed + weight * ((posed - joint) @ turn.T + joint))
        return torch.stack(rows).reshape(n_batch, n_frames, -1).float()


def surface_of(head: dict[str, np.ndarray], fold: bool) -> JawSurface:
    shapes, poses = np.moveaxis(head["shapes"], -1, 0), np.moveaxis(head["poses"], -1, 0)
    return JawSurface.of(
        head["template"],
        shapes[:100],
        shapes[300:350],
        poses[9:18],
        head["regressor"][2],
        head["weights"][:, 2],
        fold,
    )


@pytest.fixture(scope="module")
def sparse_head(flame_head: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A head of 300 vertices of which, as in a real one, a third moves with the jaw and some never do."""
    head = {
        key: value[:300].copy() if len(value) == 5023 else value[:, :300].copy() for key, value in flame_head.items()
    }
    head["regressor"] /= head["regressor"].sum(1, keepdims=True)
    head["weights"][:200, 2] = 0
    head["shapes"][150:200, :, 300:] = 0
    head["poses"][150:200] = 0
    return head


def geometry(reference: Path, surface: Any) -> Geometry:
    stats = np.load(reference / "stats_train.npz")
    mean = np.concatenate([stats["exp_mean"], stats["pose_mean"][:4]])
    std = np.concatenate([stats["exp_std"], stats["pose_std"][:4]])
    space = MotionSpace("flame", 25.0, flame_channels(), mean, std, tuple(stats["pose_mean"][4:]))
    return Geometry(space, surface, IdentitySpace(stats["shape_mean"], stats["shape_std"]))


def case(reference: Path, name: str) -> tuple[Tensor, WindowTruth, dict[str, Any]]:
    """Return prediction, truth and options of a reference case."""
    data = np.load(reference / "losses.npz")

    def tensor(key: str) -> Tensor:
        return torch.from_numpy(data[key])

    target, criterion, window, end, *rest = name.split("_")
    end = end.removeprefix("end")
    truth = WindowTruth(
        tensor("gt"),
        tensor("noise"),
        tensor("prev") if window == "second" else None,
        None if end == "none" else tensor(f"end_{end}"),
        tensor("shape"),
    )
    options = {"target": target, "criterion": criterion, "constrain_previous": not rest}
    return tensor("target"), truth, options


CASES = [
    f"{target}_{criterion}_{window}_end{end}{rest}"
    for target in ("sample", "noise")
    for criterion in ("l2", "l1")
    for window in ("first", "second")
    for end in ("none", "a", "b", "c")
    for rest in ("", "_ncp")
    if not rest or (target, criterion, window) == ("sample", "l2", "second")
]


@pytest.mark.parametrize("name", CASES)
def test_terms_equal_the_reference(reference: Path, flame_head: dict[str, np.ndarray], name: str) -> None:
    data = np.load(reference / "losses.npz")
    own = geometry(reference, surface_of(flame_head, False))
    predicted, truth, options = case(reference, name)
    predicted.requires_grad_()
    terms = window_terms(predicted, truth, own, **options)
    expected = dict(zip(TERMS, data[name]))
    assert list(terms) == [key for key in TERMS if not np.isnan(expected[key])]
    for key, value in terms.items():
        assert value.item() == pytest.approx(expected[key], rel=1e-4), key
    if f"{name}_total" in data:
        loss = total(terms)
        assert loss.item() == pytest.approx(float(data[f"{name}_total"]), rel=1e-4)
        (gradient,) = torch.autograd.grad(loss, predicted)
        expected_gradient = data[f"{name}_grad_target"]
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-3 * np.abs(expected_gradient).max(), rtol=0)


@pytest.mark.parametrize("criterion", ["l2", "l1"])
def test_left_out_and_folded_vertices_change_nothing(
    reference: Path, sparse_head: dict[str, np.ndarray], criterion: str
) -> None:
    predicted, truth, options = case(reference, f"sample_{criterion}_second_enda")
    results = []
    for surface in (PlainSurface(sparse_head), surface_of(sparse_head, criterion == "l2")):
        own = geometry(reference, surface)
        guess = predicted.clone().requires_grad_()
        terms = window_terms(guess, truth, own, **options)
        results.append((terms, torch.autograd.grad(total(terms), guess)[0]))
    (plain, plain_gradient), (ours, gradient) = results
    for key in TERMS:
        torch.testing.assert_close(ours[key], plain[key], rtol=1e-4, atol=0)
    torch.testing.assert_close(gradient, plain_gradient, rtol=0, atol=1e-4 * float(plain_gradient.abs().max()))


def test_only_what_can_differ_is_computed(sparse_head: dict[str, np.ndarray]) -> None:
    every, folded = surface_of(sparse_head, False), surface_of(sparse_head, True)
    assert len(every.weight) == 250 and every.rigid.shape[1] == 0 and every.n_values == 900
    assert len(folded.weight) <= 100 and 0 < folded.rigid.shape[1] <= 59


def test_smooth_heads_need_few_modes(reference: Path, sparse_head: dict[str, np.ndarray]) -> None:
    """Shapes that vary slowly over the face, as real ones do, span few directions; losses stay what they were."""
    head = dict(sparse_head)
    place = np.linspace(0, np.pi, 300)
    waves = np.cos(place[:, None] * np.arange(8))
    rng = np.random.default_rng(0)
    for name in ("shapes", "poses"):
        head[name] = np.einsum("vw,wkf->vkf", waves, rng.standard_normal((8, *head[name].shape[1:])) * 0.002)
    head["template"] = waves @ rng.standard_normal((8, 3)) * 0.08
    head["weights"] = np.where(place[:, None] < 1, 0, np.sin(place[:, None]) ** 2) * np.ones(5)
    folded = surface_of(head, True)
    assert len(folded.weight) < 40 < (head["weights"][:, 2] != 0).sum()
    predicted, truth, options = case(reference, "sample_l2_second_enda")
    found = [
        window_terms(predicted, truth, geometry(reference, surface), **options)
        for surface in (PlainSurface(head), folded)
    ]
    for key in TERMS:
        torch.testing.assert_close(found[1][key], found[0][key], rtol=1e-4, atol=0)


def test_no_gradient_flows_through_the_truth(reference: Path, sparse_head: dict[str, np.ndarray]) -> None:
    own = geometry(reference, surface_of(sparse_head, True))
    predicted, truth, options = case(reference, "sample_l2_first_endnone")
    motion = truth.motion.clone().requires_grad_()
    terms = window_terms(
        predicted.requires_grad_(), WindowTruth(motion, truth.eps, identity=truth.identity), own, **options
    )
    assert torch.autograd.grad(terms["vertex_m2"], motion, allow_unused=True, retain_graph=True)[0] is None


def test_without_head_pose_there_are_no_head_terms(reference: Path, sparse_head: dict[str, np.ndarray]) -> None:
    stats = np.load(reference / "stats_train.npz")
    channels = flame_channels(head_pose=False)
    mean = np.concatenate([stats["exp_mean"], stats["pose_mean"][3:4]])
    std = np.concatenate([stats["exp_std"], stats["pose_std"][3:4]])
    own = Geometry(MotionSpace("flame", 25.0, channels, mean, std), surface_of(sparse_head, True))
    torch.manual_seed(0)
    motion = torch.randn(2, 8, 51)
    truth = WindowTruth(motion, motion, torch.randn(2, 4, 51), None, torch.zeros(2, 100))
    assert list(window_terms(torch.randn(2, 12, 51), truth, own)) == list(TERMS[:4])


def test_terms_are_averaged_over_the_windows_but_for_the_join() -> None:
    one = torch.tensor(1.0)
    mean = averaged({"simple": one, "vertex_m2": one}, {"simple": 3 * one, "join_change": 5 * one}, TERMS)
    assert list(mean) == list(TERMS)
    assert (mean["simple"], mean["vertex_m2"], mean["join_change"], mean["head"]) == (2, 0.5, 5, 0)


def test_weights_must_fit_the_model() -> None:
    assert used_weights(PAPER_WEIGHTS, "sample", True) == PAPER_WEIGHTS
    with pytest.raises(UsageError, match="'vertices' is unknown"):
        used_weights({**PAPER_WEIGHTS, "vertices": 1.0}, "sample", True)
    with pytest.raises(UsageError, match="'vertex' is now called 'vertex_m2'"):
        used_weights({"vertex": 2e6, **PAPER_WEIGHTS}, "sample", True)
    with pytest.raises(UsageError, match="'join_change' is missing"):
        used_weights(dict.fromkeys(TERMS[:-1], 1.0), "sample", True)
    with pytest.raises(UsageError, match="vertex_m2 needs the target 'sample'"):
        used_weights(PAPER_WEIGHTS, "noise", True)
    with pytest.raises(UsageError, match="head needs head pose"):
        used_weights(PAPER_WEIGHTS, "sample", False)
    only = {**dict.fromkeys(TERMS, 0.0), "simple": 1.0}
    assert used_weights(only, "noise", False) == {"simple": 1.0}
