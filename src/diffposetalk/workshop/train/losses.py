"""Loss terms of the paper on windows of motion, and the contrastive loss of the style encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffposetalk.errors import UsageError

Criterion: TypeAlias = Literal["l2", "l1"]
"""Squared or absolute errors."""


def check_renamed(names: Iterable[str], renamed: Mapping[str, str]) -> None:
    """Refuse earlier names of loss terms.

    Every name of a term says its unit: a weight for square millimetres is a million times too small for square metres.

    Args:
        names: as a recipe gives them.
        renamed: earlier name -> name.

    Raises:
        UsageError: an earlier name is among them; the message gives the new one.
    """
    for name in names:
        if name in renamed:
            raise UsageError(f"loss weights: {name!r} is now called {renamed[name]!r}")


def error_size(error: Tensor, criterion: Criterion = "l2") -> Tensor:
    """Return squared ("l2") or absolute ("l1") errors."""
    return error.square() if criterion == "l2" else error.abs()


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of ``values (B, T, ...)`` over real frames ``valid (B, T)``; 0 if there is none."""
    per_frame = values.flatten(2).mean(-1) if values.dim() > 2 else values
    weight = valid.to(per_frame.dtype)
    return (per_frame * weight).sum() / weight.sum().clamp(min=1)


def difference_loss(
    predicted: Tensor, truth: Tensor, valid: Tensor, order: int = 0, criterion: Criterion = "l2"
) -> Tensor:
    """Penalise values (order 0), velocities (1) or accelerations (2) that differ from the truth.

    Args:
        predicted: ``(B, T, ...)``.
        truth: same shape.
        valid: ``(B, T)``; a difference counts if its last frame is real, as the real frames come first.
        order: how many times both are differenced along time.
        criterion: "l2" squared or "l1" absolute errors.

    Returns:
        Scalar mean error, 0 if nothing is valid.

    Source: DiffPoseTalk (arXiv:2310.00434), simple, vertex and velocity losses. Its smoothness loss penalises the
    predicted acceleration itself; use `smoothness_loss` for that.
    """
    error = predicted - truth
    for _ in range(order):
        error = error[:, 1:] - error[:, :-1]
    return masked_mean(error_size(error, criterion), valid[:, order:])


def smoothness_loss(predicted: Tensor, valid: Tensor) -> Tensor:
    """Penalise acceleration: mean squared second difference of ``predicted (B, T, ...)`` over real frames."""
    return difference_loss(predicted, torch.zeros_like(predicted), valid, order=2)


def join_error_loss(predicted: Tensor, truth: Tensor, previous: Tensor, continues: Tensor, n_frames: int = 3) -> Tensor:
    """Penalise the error of velocity and acceleration across a window's start, compared with the truth.

    Args:
        predicted: ``(B, L, D)``.
        truth: same shape.
        previous: ``(B, P, D)`` true frames before the window.
        continues: ``(B,)`` True where the window follows its context.
        n_frames: frames on either side of the join.

    Returns:
        Scalar, 0 if no window continues. Prediction and truth share the frames before the join, so only the frames
        after it differ. The paper's term compares no truth: see `paper.losses.join_change_loss`.
    """
    before = previous[:, -n_frames:]
    joined = torch.cat([before, predicted[:, :n_frames]], 1) - torch.cat([before, truth[:, :n_frames]], 1)
    velocity = joined[:, n_frames:] - joined[:, n_frames - 1 : -1]
    acceleration = joined[:, 2:] - 2 * joined[:, 1:-1] + joined[:, :-2]
    per_sample = velocity.square().mean((1, 2)) + acceleration.square().mean((1, 2))
    weight = continues.to(per_sample.dtype)
    return (per_sample * weight).sum() / weight.sum().clamp(min=1)


@dataclass(frozen=True)
class LinearSurface:
    """Vertices of chosen regions as a linear map of expression weights, folded into a small factor.

    For blend shapes, the squared distance between two faces is ``(w - v) G (w - v)`` with the Gram matrix G of the
    shapes, so a vertex loss over thousands of points costs one product with a factor of G. Equal to the sum over the
    vertices themselves (tested).
    """

    factor: Tensor
    """``(E, E)``, mm: ``|w @ factor|^2`` is the mean squared vertex displacement of expression weights w, in mm^2,
    summed over the regions with their weights."""

    @staticmethod
    def of(bases: list[tuple[np.ndarray, float]]) -> LinearSurface:
        """Fold weighted regions.

        Args:
            bases: for each region ``(E, n, 3)`` displacements in metres per unit weight, and its
                weight; the weights need not add up to 1.
        """
        gram = sum(
            weight * np.einsum("enk,fnk->ef", basis.astype(np.float64), basis.astype(np.float64)) / basis.shape[1] * 1e6
            for basis, weight in bases
        )
        values, vectors = np.linalg.eigh(np.asarray(gram))
        return LinearSurface(torch.from_numpy(vectors * np.sqrt(np.maximum(values, 0))).float())

    def __call__(self, expression: Tensor) -> Tensor:
        """Return ``(..., E)`` coordinates in mm of expression weights ``(..., E)``.

        The mean of their squares, as `difference_loss` takes it, is ``|w @ factor|^2``: the factor sqrt(E) makes up for the
        mean over E coordinates.
        """
        return expression @ self.factor.to(expression.device) * self.factor.shape[0] ** 0.5


def nt_xent(first: Tensor, second: Tensor, speaker: Tensor, temperature: float = 0.1) -> Tensor:
    """Contrast styles: two views of a clip attract, views of other speakers repel.

    Args:
        first: ``(B, S)`` styles of one window of each clip.
        second: ``(B, S)`` styles of another window of the same clips.
        speaker: ``(B,)`` whole numbers; further clips of the same speaker are left out of the negatives.
        temperature: of the softmax over cosine similarities.

    Returns:
        Scalar mean cross-entropy over the 2 B views.

    Source: Chen et al. 2020 (NT-Xent), as in DiffPoseTalk, whose code counts a speaker's other clips as negatives.
    """
    styles = functional.normalize(torch.cat([first, second]), dim=-1)
    n_views = len(styles)
    similarity = styles @ styles.T / temperature
    speakers = speaker.repeat(2)
    positive = (torch.arange(n_views, device=styles.device) + n_views // 2) % n_views
    excluded = speakers[:, None] == speakers[None, :]
    excluded[torch.arange(n_views), positive] = False
    return functional.cross_entropy(similarity.masked_fill(excluded, float("-inf")), positive)
