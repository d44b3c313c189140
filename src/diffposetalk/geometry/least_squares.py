"""Bounded least squares over a whole sequence, for retargeting and for tracking.

Given a basis `B_t` and wanted displacements `d_t` of each frame `t`, find the weights `w_t` that minimise

    sum_t |B_t w_t - d_t|^2 + sum_e ridge_e (w_te - toward_te)^2 + sum_e temporal_e sum_t (w_te - w_(t-1)e)^2
          + symmetry sum_(l, r) sum_t (w_tl - w_tr)^2 + 2 sparsity sum_te w_te     subject to low <= w <= high.

The sparsity term is used only for weights with ``low`` 0. So the problem is a quadratic programme. It is solved exactly by
block principal pivoting over all frames at once: guess which weights are at a bound, solve for the others, exchange the
weights that were guessed wrong, and repeat.

Source: Portugal, Judice, Vicente: A comparison of block pivoting and interior-point algorithms for linear least squares
problems with nonnegative variables (1994). Here: two bounds, many frames, and coupling in time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffposetalk.errors import UsageError

BLOCK, AHEAD = 512, 32
"""Frames solved together, and further frames after them that are solved only for the coupling in time."""
ROUNDS = 60
"""Largest number of exchanges; after that coordinate descent is used."""
PATIENCE = 3
"""Number of exchanges of a frame without progress after which its weights are exchanged one at a time."""


def solve_weights(
    basis: np.ndarray,
    displacement: np.ndarray,
    low: np.ndarray | float = 0.0,
    high: np.ndarray | float = 1.0,
    ridge: np.ndarray | float = 0.0,
    temporal: np.ndarray | float = 0.0,
    sparsity: float = 0.0,
    symmetry: float = 0.0,
    pairs: Sequence[tuple[int, int]] = (),
    start: np.ndarray | None = None,
    toward: np.ndarray | None = None,
) -> np.ndarray:
    """Find the weights whose blend is nearest to wanted displacements; frames may be coupled in time.

    Args:
        basis: ``(E, n, 3)`` or ``(E, N)`` displacements per unit of each weight, or ``(T, E, N)`` if they differ
            between frames, as in a camera's view. To weight a row, multiply both sides by the square root of its weight.
            If ``(E, n, 3)`` and ``(T, E, N)`` are both possible, the first is assumed.
        displacement: ``(T, n, 3)`` or ``(T, N)`` wanted displacements, in the same unit.
        low: lower bounds, broadcast to ``(T, E)``; may be -inf.
        high: upper bounds likewise; may be inf.
        ridge: strength of the prior toward `toward`, one number or one per weight; a small value makes the result unique.
        temporal: strength of the prior toward the previous frame, one number or one per weight.
        sparsity: cost per unit of each weight with lower bound 0.
        symmetry: strength of the prior toward equal weights of a pair.
        pairs: indices of left and right weights.
        start: ``(T, E)`` initial guess; it changes only the number of rounds.
        toward: ``(T, E)`` or ``(E,)`` centre of the ridge prior; None: 0.

    Returns:
        ``(T, E)`` float64 within the bounds.

    Raises:
        UsageError: shapes do not fit, a lower bound is above its upper bound, a strength is negative, or a number is not
            finite.
    """
    targets, moves = np.asarray(displacement, np.float64), np.asarray(basis, np.float64)
    same_points = targets.ndim == 3 and moves.shape[1:] == targets.shape[1:]
    targets = targets.reshape(len(targets), int(np.prod(targets.shape[1:])))
    per_frame = moves.ndim == 3 and moves.shape[::2] == targets.shape and not same_points
    if not per_frame:
        moves = moves.reshape(len(moves), int(np.prod(moves.shape[1:])))
    if moves.shape[-1] != targets.shape[1]:
        raise UsageError(f"the basis has {moves.shape[-1]} rows per weight, the displacements have {targets.shape[1]}")
    n_frames, n_weights = len(targets), moves.shape[-2]
    lows, highs, pulls = (np.broadcast_to(np.asarray(v, np.float64), (n_frames, n_weights)) for v in (low, high, 0.0))
    if (lows > highs).any():
        raise UsageError("a lower bound of the weights is above its upper bound")
    ridges, couplings = (np.broadcast_to(np.asarray(v, np.float64), (n_weights,)) for v in (ridge, temporal))
    if min(sparsity, symmetry, ridges.min(initial=0), couplings.min(initial=0)) < 0:
        raise UsageError("ridge, temporal, sparsity and symmetry must be 0 or more")
    if per_frame:
        gram = moves @ moves.transpose(0, 2, 1)
        pulls = (moves @ targets[:, :, None])[..., 0]
    else:
        gram, pulls = moves @ moves.T, targets @ moves.T
    if not (np.isfinite(gram).all() and np.isfinite(pulls).all()):
        raise UsageError("the basis or the displacements hold numbers that are not finite")
    same = np.zeros((n_weights, n_weights))
    for one, other in pairs:
        same[[one, other], [one, other]] += symmetry
        same[[one, other], [other, one]] -= symmetry
    scale = max(float(np.trace(gram, axis1=-2, axis2=-1).mean()) / max(n_weights, 1), 1e-30)
    gram = gram + same + np.diag(ridges + 1e-9 * scale)
    pulls = pulls - sparsity * (lows == 0)
    if toward is not None:
        pulls = pulls + ridges * toward
    return solve_programme(gram, pulls, lows, highs, couplings, start)


def solve_programme(
    gram: np.ndarray,
    pull: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    temporal: np.ndarray,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Minimise ``w @ gram @ w / 2 - pull @ w`` per frame plus ``temporal / 2`` times squared steps between frames, in bounds.

    Long sequences are solved in blocks; each block also includes some frames after it.

    Args:
        gram: ``(E, E)`` or ``(T, E, E)``, positive definite.
        pull: ``(T, E)`` linear term.
        low: ``(T, E)`` lower bounds.
        high: ``(T, E)`` upper bounds.
        temporal: ``(E,)``.
        start: ``(T, E)`` initial guess, or None.

    Returns:
        ``(T, E)`` weights.
    """
    solution = np.zeros_like(pull)
    for first in range(0, len(pull), BLOCK):
        keep = min(BLOCK, len(pull) - first)
        part = slice(first, first + keep + (AHEAD if temporal.any() else 0))
        block = _Block(
            gram if gram.ndim == 2 else gram[part],
            pull[part],
            low[part],
            high[part],
            np.zeros_like(temporal),
            solution[0],
        )
        weights = block.solve(None if start is None else start[part])
        if temporal.any():
            before = solution[first - 1] if first else None
            weights = _Block(block.gram, block.pull, block.low, block.high, temporal, before).solve(weights)
        solution[first : first + keep] = weights[:keep]
    return solution


class _Block:
    """One stretch of frames: the programme, and the ways to solve it."""

    def __init__(
        self,
        gram: np.ndarray,
        pull: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        temporal: np.ndarray,
        before: np.ndarray | None,
    ) -> None:
        self.gram, self.pull, self.low, self.high = gram, pull, low, high
        self.temporal = temporal
        self.coupled = bool(temporal.any())
        self.degree = np.zeros_like(pull)  # what the coupling adds to the diagonal
        self.push = pull  # with the pull of the frame before the first
        if self.coupled:
            self.degree[1:] += temporal
            self.degree[:-1] += temporal
            if before is not None:
                self.degree[0] += temporal
                self.push = pull.copy()
                self.push[0] += temporal * before
        self.tolerance = 1e-8 * max(float(np.abs(pull).max(initial=0)), 1e-12)

    def solve(self, start: np.ndarray | None) -> np.ndarray:
        """Exchange weights between free and bound until none is wrong; use coordinate descent if this does not end."""
        side = np.zeros(self.pull.shape, np.int8)  # -1 at the lower bound, 1 at the upper, 0 free
        if start is not None:
            side[start <= self.low + 1e-9], side[start >= self.high - 1e-9] = -1, 1
        weights = np.zeros_like(self.pull)
        fewest = np.full(len(side), self.pull.shape[1] + 1)
        patience = np.full(len(side), PATIENCE)
        open_frames = np.arange(len(side))
        for _ in range(ROUNDS):
            if self.coupled:
                weights = self._along(side)
            else:
                weights[open_frames] = self._apart(side, open_frames)
            gradient = self.gradient(weights)
            to_low = (side == 0) & (weights < self.low - 1e-10)
            to_high = (side == 0) & (weights > self.high + 1e-10)
            freed = ((side < 0) & (gradient < -self.tolerance)) | ((side > 0) & (gradient > self.tolerance))
            wrong = to_low | to_high | freed
            count = wrong.sum(1)
            open_frames = np.flatnonzero(count)
            if not len(open_frames):
                return np.clip(weights, self.low, self.high)
            better = count < fewest
            patience = np.where(better, PATIENCE, patience - 1)
            fewest = np.minimum(fewest, count)
            single = (patience < 0) & (count > 0)
            if single.any():
                last = self.pull.shape[1] - 1 - wrong[single][:, ::-1].argmax(1)
                only = np.zeros_like(wrong[single])
                only[np.arange(len(last)), last] = True
                wrong[single] &= only
            side[wrong & to_low], side[wrong & to_high], side[wrong & freed] = -1, 1, 0
        return self._descend(np.clip(weights, self.low, self.high))

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """Return the gradient ``(T, E)``."""
        along = weights @ self.gram if self.gram.ndim == 2 else (self.gram @ weights[..., None])[..., 0]
        along = along - self.push
        if self.coupled:
            along += self.degree * weights
            along[1:] -= self.temporal * weights[:-1]
            along[:-1] -= self.temporal * weights[1:]
        return along

    def _apart(self, side: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Solve for the free weights of some frames, each frame on its own."""
        free = side[frames] == 0
        at = np.where(side[frames] < 0, self.low[frames], self.high[frames])
        at = np.where(free, 0.0, at)
        gram = self.gram if self.gram.ndim == 2 else self.gram[frames]
        fixed = at @ gram if gram.ndim == 2 else (gram @ at[..., None])[..., 0]
        right = np.where(free, self.push[frames] - fixed, at)
        system = gram * (free[:, :, None] & free[:, None, :])
        index = np.arange(side.shape[1])
        system[:, index, index] += ~free
        return np.linalg.solve(system, right[..., None])[..., 0]

    def _along(self, side: np.ndarray) -> np.ndarray:
        """Solve for the free weights of all frames, coupled in time: block tridiagonal elimination."""
        free = side == 0
        at = np.where(free, 0.0, np.where(side < 0, self.low, self.high))
        right = np.where(free, -self.gradient(at), at)
        n_frames, n_weights = side.shape
        index = np.arange(n_weights)
        inverse = np.empty((n_frames, n_weights, n_weights))
        for frame in range(n_frames):
            gram = self.gram if self.gram.ndim == 2 else self.gram[frame]
            system = gram * np.outer(free[frame], free[frame])
            system[index, index] += np.where(free[frame], self.degree[frame], 1.0)
            if frame:
                link = self.temporal * (free[frame] & free[frame - 1])
                system -= link[:, None] * inverse[frame - 1] * link
                right[frame] += link * (inverse[frame - 1] @ right[frame - 1])
            inverse[frame] = np.linalg.inv(system)
        solution = np.empty_like(right)
        for frame in range(n_frames - 1, -1, -1):
            if frame + 1 < n_frames:
                right[frame] += self.temporal * (free[frame] & free[frame + 1]) * solution[frame + 1]
            solution[frame] = inverse[frame] @ right[frame]
        return solution

    def _descend(self, weights: np.ndarray, sweeps: int = 500) -> np.ndarray:
        """Coordinate descent from weights within the bounds; every step decreases the objective."""
        steep = np.diagonal(self.gram, axis1=-2, axis2=-1) + self.degree
        halves = [slice(0, None, 2), slice(1, None, 2)] if self.coupled else [slice(None)]
        for _ in range(sweeps):
            largest = 0.0
            for frames in halves:
                gradient = self.gradient(weights)[frames]
                gram = self.gram if self.gram.ndim == 2 else self.gram[frames]
                for channel in range(weights.shape[1]):
                    old = weights[frames, channel].copy()
                    new = old - gradient[:, channel] / steep[frames, channel]
                    new = np.clip(new, self.low[frames, channel], self.high[frames, channel])
                    change = new - old
                    weights[frames, channel] = new
                    gradient += change[:, None] * gram[..., channel, :]
                    gradient[:, channel] += change * self.degree[frames, channel]
                    largest = max(largest, float(np.abs(change).max(initial=0)))
            if largest < 1e-7:
                break
        return weights
