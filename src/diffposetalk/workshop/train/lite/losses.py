"""Every loss term of the bundled model's denoiser, on one window of motion.

The speech encoder's terms are in `lite.speech`, the style encoder's in `train.style`.

| name | unit | formula, with p the predicted and t the true motion |
|---|---|---|
| ``simple`` | none (normalised) | mean of (p - t)^2 over all columns of the motion vector |
| ``vertex_mm2`` | mm^2 | sum over regions: region weight x mean squared distance of the vertices v(p) from v(t) |
| ``vertex_velocity_mm2`` | mm^2 / frame^2 | as ``vertex_mm2``, of the first differences along time |
| ``vertex_smoothness_mm2`` | mm^2 / frame^4 | as ``vertex_mm2``, of the second differences of v(p) alone |
| ``lip_gap_mm2`` | mm^2 | mean of (g(p) - g(t))^2 over the lip gaps g |
| ``join_error`` | none (normalised) | velocity and acceleration of p - t, squared, in the first 3 frames after context |
| ``head`` | none (normalised) | mean of (p - t)^2 over ``head_x, head_y, head_z`` |
| ``head_velocity`` | 1 / frame^2 | as ``head``, of the first differences along time |
| ``head_smoothness`` | 1 / frame^4 | as ``head``, of the second differences of p alone |

Each is a mean over real frames, but for ``join_error``, which is a mean over windows that continue one before.

The vertices v are those of the head at rest, folded into a `LinearSurface`; the region weights are
`DenoiserStage.regions`. The ``head`` terms are absent for a model without head pose.

The weight of each term stands under ``[denoiser.weights]`` in ``configs/lite.toml``, ``base.toml`` and ``people.toml``. The
training loop applies it (`loop.total_loss`); a term without a weight, or a weight without a term, is refused.

Source: DiffPoseTalk (arXiv:2310.00434), section 3.3; ``lip_gap_mm2`` is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.losses import LinearSurface, difference_loss, join_error_loss, smoothness_loss

RENAMED = {
    "x_0": "simple",
    "vertex": "vertex_mm2",
    "vertex_velocity": "vertex_velocity_mm2",
    "smoothness": "vertex_smoothness_mm2",
    "gap": "lip_gap_mm2",
    "join": "join_error",
}
"""Earlier names of loss terms, which did not say their units."""


@dataclass(frozen=True)
class Geometry:
    """What turns normalised motion into vertices and lip gaps."""

    space: MotionSpace
    """Of the motion."""
    surface: LinearSurface
    """Vertices for the vertex terms."""
    gaps: Tensor
    """``(E, G)`` millimetres of lip opening per unit of each expression weight, at G places along the lips."""

    @staticmethod
    def of(space: MotionSpace, surface: LinearSurface, gaps: np.ndarray) -> Geometry:
        """Make it from lip gaps ``(E, G)`` in metres."""
        return Geometry(space, surface, torch.from_numpy(gaps.astype(np.float32)) * 1000)


def window_terms(
    predicted: Tensor, truth: Tensor, previous: Tensor, continues: Tensor, valid: Tensor, geometry: Geometry
) -> dict[str, Tensor]:
    """Compute the unweighted loss terms of a window by name; the module's docstring lists them.

    Args:
        predicted: ``(B, L, D)`` normalised motion.
        truth: same shape.
        previous: ``(B, P, D)`` true motion before the window.
        continues: ``(B,)`` True where the window follows that motion.
        valid: ``(B, L)`` True where the frame is real.
        geometry: layout of the motion vector, vertices and lip gaps.
    """
    where = geometry.space.parts
    std = torch.from_numpy(geometry.space.std).to(predicted.device)
    # The mean is left out: it cancels in all differences.
    expression, true_expression = ((x * std)[..., where["expression"]] for x in (predicted, truth))
    surface, true_surface = geometry.surface(expression), geometry.surface(true_expression)
    gaps = geometry.gaps.to(predicted.device)
    terms = {
        "simple": difference_loss(predicted, truth, valid),
        "vertex_mm2": difference_loss(surface, true_surface, valid),
        "vertex_velocity_mm2": difference_loss(surface, true_surface, valid, order=1),
        "vertex_smoothness_mm2": smoothness_loss(surface, valid),
        "lip_gap_mm2": difference_loss(expression @ gaps, true_expression @ gaps, valid),
        "join_error": join_error_loss(predicted, truth, previous, continues),
    }
    if "head_pose" in where:
        head, true_head = predicted[..., where["head_pose"]], truth[..., where["head_pose"]]
        terms |= {
            "head": difference_loss(head, true_head, valid),
            "head_velocity": difference_loss(head, true_head, valid, order=1),
            "head_smoothness": smoothness_loss(head, valid),
        }
    return terms
