"""Bounded least squares over a sequence, against scipy and against what an optimum must satisfy."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.geometry import least_squares
from diffposetalk.geometry.least_squares import solve_weights


def problem(n_frames: int = 30, n_weights: int = 12, n_rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A badly conditioned basis, and displacements that ask for weights beyond the bounds."""
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((n_weights, n_rows)) @ rng.standard_normal((n_rows, n_rows))
    basis *= np.geomspace(1, 0.1, n_weights)[:, None]
    weights = 0.6 * rng.standard_normal((n_frames, n_weights))
    return basis, weights @ basis + 0.1 * rng.standard_normal((n_frames, n_rows))


def by_scipy(system: np.ndarray, wanted: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    optimize = pytest.importorskip("scipy.optimize")
    return optimize.lsq_linear(system, wanted, (low, high), method="bvls", tol=1e-14).x


def test_every_frame_is_scipys_answer() -> None:
    basis, wanted = problem()
    found = solve_weights(basis, wanted, ridge=0.3)
    rows = np.concatenate([basis.T, np.sqrt(0.3) * np.eye(len(basis))])
    truth = [by_scipy(rows, np.concatenate([each, np.zeros(len(basis))])) for each in wanted]
    assert np.abs(found - truth).max() < 1e-6
    assert ((found == 0) | (found == 1)).mean() > 0.3, "the bounds should matter in this test"


@pytest.mark.parametrize("block", [512, 9], ids=["whole", "in blocks"])
def test_pulls_in_time_and_between_sides(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """All terms at once are one large least-squares problem."""
    basis, wanted = problem(20, 6, 10)
    n_frames, n = len(wanted), len(basis)
    rng = np.random.default_rng(1)
    toward, ridge, temporal, symmetry = rng.uniform(0, 1, (n_frames, n)), 0.7, 2.0, 3.0
    monkeypatch.setattr(least_squares, "BLOCK", block)
    found = solve_weights(basis, wanted, 0.0, 1.0, ridge, temporal, 0.0, symmetry, [(0, 1)], toward=toward)
    frame = np.eye(n_frames)
    step = (np.eye(n_frames, k=1) - np.eye(n_frames))[:-1]
    apart = np.zeros((1, n))
    apart[0, :2] = 1, -1
    rows = [
        np.kron(frame, basis.T),
        np.sqrt(ridge) * np.eye(n * n_frames),
        np.sqrt(temporal) * np.kron(step, np.eye(n)),
        np.sqrt(symmetry) * np.kron(frame, apart),
    ]
    sides = [wanted.reshape(-1), np.sqrt(ridge) * toward.reshape(-1), np.zeros(n * (n_frames - 1)), np.zeros(n_frames)]
    truth = by_scipy(np.concatenate(rows), np.concatenate(sides)).reshape(n_frames, n)
    assert np.abs(found - truth).max() < (1e-6 if block > n_frames else 5e-3)


def test_sparsity_takes_weights_away() -> None:
    basis, wanted = problem()
    few, many = (solve_weights(basis, wanted, sparsity=cost, ridge=1e-3) for cost in (30.0, 0.0))
    assert (few > 1e-6).sum() < (many > 1e-6).sum()
    free = solve_weights(basis, wanted, -np.inf, np.inf, sparsity=30.0)
    assert np.allclose(free, np.linalg.lstsq(basis.T, wanted.T, rcond=None)[0].T, atol=1e-5), "signed weights cost none"


def test_a_start_saves_work_but_changes_nothing() -> None:
    basis, wanted = problem()
    plain = solve_weights(basis, wanted, ridge=0.1, temporal=0.5)
    for start in (plain, np.zeros_like(plain), np.ones_like(plain)):
        assert np.abs(solve_weights(basis, wanted, ridge=0.1, temporal=0.5, start=start) - plain).max() < 1e-7


def test_a_basis_of_every_frame() -> None:
    """As a camera sees it; bounds may differ between frames too."""
    basis, wanted = problem(8)
    scales = np.linspace(0.5, 2, 8)
    found = solve_weights(scales[:, None, None] * basis, scales[:, None] * wanted, ridge=0.0)
    assert np.abs(found - solve_weights(basis, wanted)).max() < 1e-5
    high = np.linspace(0.1, 1, 8)[:, None]
    assert (solve_weights(basis, wanted, 0.0, high) <= high + 1e-12).all()
    held = solve_weights(basis, wanted, 0.25, 0.25)
    assert (held == 0.25).all()


def test_as_many_weights_as_frames_for_one_point() -> None:
    """A basis of points is no basis of every frame, whatever the numbers."""
    basis, wanted = problem(4, 4, 3)
    found = solve_weights(basis[:, None], wanted[:, None], ridge=0.1)
    assert np.array_equal(found, solve_weights(basis, wanted, ridge=0.1)) and found.shape == (4, 4)


def test_descent_when_exchanges_do_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    basis, wanted = problem()
    truth = solve_weights(basis, wanted, ridge=1.0, temporal=1.0)
    monkeypatch.setattr(least_squares, "ROUNDS", 1)
    assert np.abs(solve_weights(basis, wanted, ridge=1.0, temporal=1.0) - truth).max() < 1e-3


def test_hidden_weights_and_no_frames() -> None:
    """A weight that moves nothing stays at 0; no frames give none."""
    basis, wanted = problem()
    basis[3] = 0
    assert np.abs(solve_weights(basis, wanted)[:, 3]).max() == 0
    assert solve_weights(basis, wanted[:0]).shape == (0, len(basis))


def test_wrong_requests() -> None:
    basis, wanted = problem()
    with pytest.raises(UsageError, match="rows"):
        solve_weights(basis, wanted[:, :-1])
    with pytest.raises(UsageError, match="bound"):
        solve_weights(basis, wanted, 1.0, 0.0)
    with pytest.raises(UsageError, match="0 or more"):
        solve_weights(basis, wanted, ridge=-1.0)
    with pytest.raises(UsageError, match="not finite"):
        solve_weights(basis, np.where(np.eye(*wanted.shape) == 1, np.nan, wanted))
