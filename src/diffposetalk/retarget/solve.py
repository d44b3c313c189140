"""Motion on one head -> motion on another: weights that give corresponding points the same displacements.

The displacements of points on the source, without head rotation, are scaled to the size of the target. Bounded least
squares finds the weights of the target. The head rotation is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.least_squares import solve_weights
from diffposetalk.motion import Motion
from diffposetalk.retarget.contact import Contact
from diffposetalk.retarget.controls import MM, Controls, eye_turns
from diffposetalk.retarget.correspondence import Correspondence, neutral_of
from diffposetalk.retarget.options import Options
from diffposetalk.retarget.prior import NamePrior

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel

__all__ = ["Correspondence", "Options", "Residual", "retarget", "solve_weights", "to_arkit"]

EYEBALL_MM = 12.0
"""Radius in mm that converts a rotation of an eye to a displacement, for comparison with points of the skin."""
GAZE = 0.05
"""Weight of the rotation of each eye; the weights of all points sum to 1."""
COPIED = ("eyeLook", "tongueOut")
"""Channels copied by name if both heads have them, because points of the skin hardly show them."""
GAPS = 2.0
"""Weight of the gaps between lips and lids, relative to that of all points."""
FIRMNESS = {"jawOpen": 0.4, "mouthClose": 0.5}
"""Factor on `by_name` for the channels that open and close the mouth: they follow the points more than other channels."""
FIRM = 1.5
"""Factor on `by_name` for all other channels."""
STRETCH, AROUND = 1024, 64
"""Frames solved at a time, and extra frames solved on either side, so that smoothing over time has no seam."""
CHUNK = 64
"""Frames whose vertices are in memory at a time."""
JAW_ROUNDS = 4
"""Number of solves of a head with a jaw joint; each corrects for the difference between rotation and tangent."""


@dataclass(frozen=True)
class Residual:
    """Distance of the target's points from the positions that the motion demands, millimetres on the target."""

    mean_mm: float
    p95_mm: float
    worst_mm: float
    regions_mm: dict[str, float] = field(default_factory=dict)
    """Mean by region."""
    moved_mm: float = 0.0
    """Mean displacement that the motion demands, for comparison."""

    @staticmethod
    def of(distance_mm: np.ndarray, regions: tuple[str, ...], moved_mm: np.ndarray) -> Residual:
        """Summarise distances ``(T, n)`` of points of the given regions."""
        if not distance_mm.size:
            return Residual(0.0, 0.0, 0.0)
        names = np.array(regions)
        by_region = {name: float(distance_mm[:, names == name].mean()) for name in sorted(set(regions))}
        return Residual(
            float(distance_mm.mean()),
            float(np.percentile(distance_mm, 95)),
            float(distance_mm.max()),
            by_region,
            float(moved_mm.mean()),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for the metadata of an output, rounded."""
        return {
            "mean_mm": round(self.mean_mm, 4),
            "p95_mm": round(self.p95_mm, 4),
            "worst_mm": round(self.worst_mm, 4),
            "moved_mm": round(self.moved_mm, 4),
            "regions_mm": {name: round(value, 4) for name, value in self.regions_mm.items()},
        }


def retarget(
    motion: Motion,
    source: HeadModel,
    target: HeadModel,
    correspondence: Correspondence | None = None,
    options: Options | None = None,
    identity: np.ndarray | None = None,
) -> tuple[Motion, Residual]:
    """Convert the motion of one head to another head.

    Args:
        motion: motion of the source head.
        source: head of the motion.
        target: head of the result: ARKit weights stay in [0, 1]; a FLAME head gets coefficients, jaw and eyes.
        correspondence: corresponding points of the heads; None: computed from the heads.
        options: weights of the solver's regularisers.
        identity: ``(I,)`` identity coefficients of the source; None for its mean face.

    Returns:
        The motion on the target, with the same head rotation and frame rate, and the remaining error of its points.

    Raises:
        ModelError: the motion does not belong to the source, or no corresponding points are found.
    """
    options = options or Options()
    points = correspondence or Correspondence.between(source, target)
    controls = Controls.of(target, points.target)
    prior = NamePrior.between(source, controls, points)
    motions, distances, lengths = [], [], []
    for start in range(0, max(len(motion), 1), STRETCH):
        before = min(start, AROUND)
        solved = slice(before, before + STRETCH)
        stretch = motion.slice(start - before, start + STRETCH + AROUND)
        displacements, turns = _displacements(stretch, source, points.source, identity)
        displacements = MM * points.scale * (displacements @ points.rotation.T)
        if turns is not None:
            turns = (turns.reshape(-1, 2, 3) @ points.rotation.T).reshape(-1, 6)
        weights, reached = _solve(stretch, displacements, turns, controls, prior, points, options)
        motions.append(controls.motion(weights[solved], stretch.slice(solved.start, solved.stop)))
        distances.append(np.linalg.norm(reached[solved] - displacements[solved], axis=-1).astype(np.float32))
        lengths.append(np.linalg.norm(displacements[solved], axis=-1).astype(np.float32))
    return Motion.joined(motions), Residual.of(np.concatenate(distances), points.regions, np.concatenate(lengths))


def _solve(
    motion: Motion,
    wanted: np.ndarray,
    turns: np.ndarray | None,
    controls: Controls,
    prior: NamePrior,
    points: Correspondence,
    options: Options,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the controls' weights ``(T, C)`` for displacements ``(T, n, 3)``, mm, and the displacements that they give."""

    def rows(values: np.ndarray, eyes: np.ndarray | None) -> np.ndarray:
        """Return the weighted rows of the least squares: points, gaps, and rotations of the eyes."""
        parts = [values * np.sqrt(points.weights)[:, None]]
        if points.gaps:
            upper, lower = np.array(points.gaps).T
            parts.append((values[:, upper] - values[:, lower]) * np.sqrt(GAPS / len(upper)))
        if eyes is not None:
            parts.append(eyes.reshape(len(eyes), 2, 3) * (EYEBALL_MM * np.sqrt(GAZE)))
        stacked = np.concatenate(parts, 1)
        return stacked.reshape(len(stacked), 3 * stacked.shape[1])

    eyes = turns is not None and controls.turns is not None
    moves = rows(controls.basis_mm, controls.turns if eyes else None)
    toward, known = prior.weights(motion), prior.known
    own = (moves**2).sum(1)
    firm = np.array([FIRMNESS.get(name, FIRM) for name in controls.names])
    named = options.by_name * known * firm * np.sqrt(own * own.mean())
    ridge = options.ridge * controls.stiffness + named
    copied = np.array([name.startswith(COPIED) for name in controls.names]) & (known > 0)
    start = np.clip(toward, controls.low, controls.high)
    low, high = np.where(copied, start, controls.low), np.where(copied, start, controls.high)
    weights, missed = start, np.zeros_like(wanted)
    contact = Contact.of(wanted, controls, points)
    for _ in range(JAW_ROUNDS if controls.has_joints else 1):
        weights = solve_weights(
            *contact.joined(moves, rows(wanted + missed, turns if eyes else None), wanted + missed),
            low,
            high,
            ridge,
            options.temporal * controls.stiffness,
            options.sparsity,
            options.symmetry,
            controls.pairs,
            weights,
            toward * named / np.maximum(ridge, 1e-12),
        )
        reached = controls.place(weights)
        if controls.has_joints:
            missed = np.tensordot(weights, controls.basis_mm, 1) - reached
    return weights, reached


def to_arkit(
    motion: Motion,
    head: HeadModel | None = None,
    arkit_head: HeadModel | None = None,
    options: Options | None = None,
    identity: np.ndarray | None = None,
    correspondence: Correspondence | None = None,
) -> tuple[Motion, Residual]:
    """Convert a motion to the 52 ARKit channels.

    The solver converts the rotation of the jaw to jawOpen, jawLeft, jawRight and jawForward, and that of the eyes to the gaze
    channels. The head rotation is copied. If the motion has ARKit channels, they are only put in the order of the 52.

    Args:
        motion: motion of any head, such as FLAME.
        head: head of the motion; None: loaded by the name in `motion.head`.
        arkit_head: head with the ARKit shapes; None: the free head.
        options: weights of the solver's regularisers.
        identity: ``(I,)`` identity coefficients; None for the mean face.
        correspondence: from `head` to `arkit_head`; None: computed from the heads.

    Returns:
        The motion for the ARKit head, and the remaining error of its points; zeros if nothing was solved.

    Raises:
        ModelError: the motion does not belong to the head.
        InputError: the file of the head is missing.
    """
    if set(motion.expression_names) <= set(INDEX):
        full = np.zeros((len(motion), len(CHANNELS)), np.float32)
        full[:, [INDEX[name] for name in motion.expression_names]] = motion.expression
        same = Motion(full, CHANNELS, motion.head_pose, motion.fps, "anny")
        return same, Residual(0.0, 0.0, 0.0)
    from diffposetalk.head import load_head

    head = head or load_head(motion.head)
    return retarget(motion, head, arkit_head or load_head("anny"), correspondence, options, identity)


def _displacements(
    motion: Motion, head: HeadModel, points: Landmarks, identity: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return displacements of points ``(T, n, 3)``, metres, and eye rotations ``(T, 6)``, radians, or None; both without the
    head rotation."""
    rest = neutral_of(head, identity)
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    moved, turned = [np.zeros((0, len(points), 3))], []
    for vertices in head.iter_vertices(still, identity, CHUNK):
        moved.append(points.of(vertices.astype(np.float64)) - points.of(rest))
        turned.append(eye_turns(head, vertices, rest))
    turns = [each for each in turned if each is not None]
    return np.concatenate(moved), np.concatenate(turns) if turns else None
