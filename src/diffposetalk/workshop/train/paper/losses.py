"""Every loss term of the paper on one window, with the masks of its released code.

The weight of each term stands in ``configs/paper/denoiser.toml`` under ``[denoiser.weights]``; a recipe without that table
uses `PAPER_WEIGHTS`. `workshop.train.loop.total_loss` applies the weights in training.

A window's prediction has P context frames before its L own frames. For the first of two windows only the latter count;
for the second the context is the true motion before it, and the whole is compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffposetalk.diffusion.noise import Target
from diffposetalk.errors import UsageError
from diffposetalk.motion import IdentitySpace, MotionSpace
from diffposetalk.workshop.train.losses import Criterion, check_renamed, difference_loss, error_size, masked_mean
from diffposetalk.workshop.train.paper.surface import Surface

HEAD_TERMS = ("head", "head_velocity", "head_smoothness", "join_change")
"""Terms of the head pose."""
VERTEX_TERMS = ("vertex_m2", "vertex_velocity_m2", "vertex_smoothness_m2")
TERMS = ("simple", *VERTEX_TERMS, *HEAD_TERMS)
"""Names of the terms, in the paper's order."""
PAPER_WEIGHTS: Mapping[str, float] = {
    "simple": 1.0,
    "vertex_m2": 2e6,
    "vertex_velocity_m2": 1e7,
    "vertex_smoothness_m2": 1e5,
    "head": 0.05,
    "head_velocity": 5.0,
    "head_smoothness": 0.5,
    "join_change": 0.5,
}
"""Factors of the terms in the paper's training."""
RENAMED = {
    "vertex": "vertex_m2",
    "vertex_velocity": "vertex_velocity_m2",
    "smoothness": "vertex_smoothness_m2",
    "join": "join_change",
}
"""Earlier names of terms, which did not say their units."""
JOIN_FRAMES = 3
"""Frames on either side of the join between two windows."""


@dataclass(frozen=True)
class Geometry:
    """What turns normalised motion into a surface."""

    space: MotionSpace
    """Of the motion."""
    surface: Surface
    """Of the head at rest."""
    identity_space: IdentitySpace | None = None
    """Of the identity; None if it is given unnormalised."""

    def coordinates(self, motion: Tensor, identity: Tensor | None) -> Tensor:
        """Return the surface's coordinates ``(B, T, C)`` of normalised motion ``(B, T, D)``, identity ``(B, I)``."""
        where = self.space.parts

        def constant(values: np.ndarray | tuple[float, ...]) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float32, device=motion.device)

        values = motion.float() * constant(self.space.std) + constant(self.space.mean)
        jaw = values[..., where["jaw_pose"]] if "jaw_pose" in where else values.new_zeros(*values.shape[:-1], 1)
        rest = constant(self.space.jaw_rest)[jaw.shape[-1] - 1 :]
        jaw = torch.cat([jaw, rest.expand(*jaw.shape[:-1], -1)], dim=-1)
        if identity is not None and self.identity_space is not None:
            identity = identity.float() * constant(self.identity_space.std) + constant(self.identity_space.mean)
        return self.surface(values[..., where["expression"]], jaw, identity)


@dataclass(frozen=True)
class WindowTruth:
    """What one window's prediction is compared with."""

    motion: Tensor
    """``(B, L, D)`` true normalised motion of the whole window; `ends` says how many of its frames count."""
    eps: Tensor
    """``(B, L, D)`` the noise that was added, the truth for the target "noise"."""
    previous: Tensor | None = None
    """``(B, P, D)`` true motion before the window; None for the first window."""
    ends: Tensor | None = None
    """``(B,)`` number of real frames; None for all."""
    identity: Tensor | None = None
    """``(B, I)``."""

    def valid(self) -> Tensor:
        """Return ``(B, L)`` True where the window's frame is real."""
        n_batch, n_frames = self.motion.shape[:2]
        frame = torch.arange(n_frames, device=self.motion.device)
        if self.ends is None:
            return frame.expand(n_batch, -1) >= 0
        return frame < self.ends[:, None].to(frame.device)


def window_terms(
    predicted: Tensor,
    truth: WindowTruth,
    geometry: Geometry,
    *,
    target: Target | str = "sample",
    criterion: Criterion = "l2",
    constrain_previous: bool = True,
    names: Collection[str] = TERMS,
) -> dict[str, Tensor]:
    """Compute the loss terms of one window.

    Args:
        predicted: ``(B, P + L, D)`` from the network.
        truth: what it should have been.
        geometry: layout of the motion vector, and the surface for the vertex terms.
        target: what the network predicts; with "noise" there is the simple term alone.
        criterion: "l2" squared or "l1" absolute errors.
        constrain_previous: whether the second window's context frames count as well; otherwise the true ones stand in
            their place, so that velocities across the join still count.
        names: terms to compute.

    Returns:
        Unweighted terms by name, each a mean over real frames. ``simple`` compares the normalised motion or the noise;
        ``vertex_m2`` and ``vertex_velocity_m2`` compare the surface with the head at rest and its velocity (square metres,
        per square frame); ``vertex_smoothness_m2`` is the predicted surface's squared acceleration; ``head``,
        ``head_velocity`` and ``head_smoothness`` are value, velocity and smoothness of the normalised head pose;
        ``join_change`` is the change of the head's velocity and acceleration across the window's start. Terms without a
        real frame, and those that do not apply (head terms without head pose, ``join_change`` in a first window), are
        absent.

    Source: DiffPoseTalk (arXiv:2310.00434), section 3.3, with the masks of its released code: a velocity counts if its
    later frame is real, an acceleration if its last is.
    """
    n_frames = truth.motion.shape[1]
    own = predicted[:, -n_frames:].float()
    valid = truth.valid()
    if target == "noise":
        terms = _present({"simple": (own, truth.eps, 0)}, valid, criterion)
        return {name: value for name, value in terms.items() if name in names}
    motion, joined_valid = truth.motion, valid
    whole = own
    if truth.previous is not None:
        motion = torch.cat([truth.previous, motion], dim=1)
        before = predicted[:, : truth.previous.shape[1]].float() if constrain_previous else truth.previous
        whole = torch.cat([before, own], dim=1)
        counted = torch.full_like(valid[:, :1], constrain_previous).expand(-1, truth.previous.shape[1])
        joined_valid = torch.cat([counted, valid], dim=1)
    compared: dict[str, tuple[Tensor, Tensor | None, int]] = {"simple": (whole, motion, 0)}
    head = geometry.space.parts.get("head_pose")
    if head is not None:
        compared |= {
            "head": (whole[..., head], motion[..., head], 0),
            "head_velocity": (whole[..., head], motion[..., head], 1),
            "head_smoothness": (whole[..., head], None, 2),
        }
    compared = {name: value for name, value in compared.items() if name in names}
    terms = _present(compared, joined_valid, criterion)
    if set(VERTEX_TERMS) & set(names):
        terms |= _vertex_terms(whole, motion, truth.identity, geometry, joined_valid, criterion, names)
    if head is not None and truth.previous is not None and "join_change" in names:
        terms["join_change"] = join_change_loss(truth.previous[..., head], own[..., head], valid, criterion)
    return {name: terms[name] for name in TERMS if name in terms}


def _present(
    compared: Mapping[str, tuple[Tensor, Tensor | None, int]], valid: Tensor, criterion: Criterion
) -> dict[str, Tensor]:
    """Compute those comparisons (values, truth or None, order) that have a real frame."""
    counted = valid.any(0).tolist()
    terms = {}
    for name, (values, truth, order) in compared.items():
        if any(counted[order:]):
            truth = torch.zeros_like(values) if truth is None else truth
            terms[name] = difference_loss(values, truth, valid, order, criterion)
    return terms


def _vertex_terms(
    predicted: Tensor,
    motion: Tensor,
    identity: Tensor | None,
    geometry: Geometry,
    valid: Tensor,
    criterion: Criterion,
    names: Collection[str],
) -> dict[str, Tensor]:
    """Compute the terms of the surface in single precision, without a gradient through the truth."""
    with torch.autocast(predicted.device.type, enabled=False):
        surface = geometry.coordinates(predicted, identity)
        with torch.no_grad():
            true_surface = geometry.coordinates(motion, identity)
        compared: dict[str, tuple[Tensor, Tensor | None, int]] = {
            "vertex_m2": (surface, true_surface, 0),
            "vertex_velocity_m2": (surface, true_surface, 1),
            "vertex_smoothness_m2": (surface, None, 2),
        }
        share = surface.shape[-1] / geometry.surface.n_values
        terms = _present({k: v for k, v in compared.items() if k in names}, valid, criterion)
        return {name: value * share for name, value in terms.items()}


def join_change_loss(previous: Tensor, predicted: Tensor, valid: Tensor, criterion: Criterion = "l2") -> Tensor:
    """Penalise the change of velocity and acceleration from frame to frame across a window's start.

    The truth of the window is not used. The bundled model's term is `workshop.train.losses.join_error_loss`.

    Args:
        previous: ``(B, P, 3)`` true head pose before the window, at least 3 frames.
        predicted: ``(B, L, 3)`` predicted head pose, at least 3 frames.
        valid: ``(B, L)`` real frames.
        criterion: of the errors.

    Returns:
        Scalar: with velocities v_0 ... v_4 and accelerations a_0 ... a_3 of three frames on either side, the mean error
        between v_1, v_2 and v_2, v_3 plus that between a_0 ... a_2 and a_1 ... a_3, where the window's frames are real.
    """
    frames = torch.cat([previous[:, -JOIN_FRAMES:], predicted[:, :JOIN_FRAMES]], dim=1)
    velocity = frames.diff(dim=1)
    acceleration = velocity.diff(dim=1)
    return masked_mean(error_size(velocity[:, 2:4] - velocity[:, 1:3], criterion), valid[:, :2]) + masked_mean(
        error_size(acceleration.diff(dim=1), criterion), valid[:, :3]
    )


def averaged(first: Mapping[str, Tensor], second: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Average the terms of two windows; ``join_change`` exists in the second alone and is not halved.

    Args:
        first: terms of the first window.
        second: terms of the second.
        names: all terms expected; one that is absent counts as 0.
    """
    like = next(iter({**first, **second}.values()))
    zero = like.detach() * 0
    return {
        name: (first.get(name, zero) + second.get(name, zero)) / (1 if name == "join_change" else 2)
        for name in TERMS
        if name in names
    }


def used_weights(weights: Mapping[str, float], target: Target | str, head_pose: bool) -> dict[str, float]:
    """Return the weights of the terms to compute: those above 0.

    Raises:
        UsageError: a name is unknown or missing, or a weight above 0 belongs to a term that this model cannot have.
    """
    check_renamed(weights, RENAMED)
    if set(weights) != set(TERMS):
        odd = sorted(set(weights) ^ set(TERMS))[0]
        raise UsageError(
            f"loss weights: {odd!r} is {'missing' if odd in TERMS else 'unknown'}; name {', '.join(TERMS)}"
        )
    chosen = {name: float(weights[name]) for name in TERMS if weights[name]}
    if not chosen:
        raise UsageError("loss weights: at least one must be above 0")
    for name in chosen:
        if target == "noise" and name != "simple":
            raise UsageError(f"loss weights: {name} needs the target 'sample'; set it to 0 for the target 'noise'")
        if name in HEAD_TERMS and not head_pose:
            raise UsageError(f"loss weights: {name} needs head pose in the motion; set it to 0")
    return chosen


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float] = PAPER_WEIGHTS) -> Tensor:
    """Weigh and add the terms that are present, for comparisons; training uses `loop.total_loss`."""
    return torch.stack([value * weights[name] for name, value in terms.items()]).sum()
