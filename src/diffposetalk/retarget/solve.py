"""Motion on one head -> motion on another: the weights that move corresponding points alike.

Displacements of points on the source, with the head at rest, are scaled to the target's size; bounded least squares
finds the target's weights. Head rotation passes through.
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
"""Radius on which a turn of the eyes is weighed against displacements of the skin."""
GAZE = 0.05
"""Importance of each eye's turn beside that of the points, which is 1 in all."""
PASSED = ("eyeLook", "tongueOut")
"""Channels copied by name if both heads have them, because points of the skin hardly show them."""
GAPS = 2.0
"""Importance of how far lips and lids are apart, beside where they are."""
FIRMNESS = {"jawOpen": 0.4, "mouthClose": 0.5}
"""Factor on `by_name` of the channels that open and close the mouth, which yield to the points most."""
FIRM = 1.5
"""Factor on `by_name` of all other channels."""
STRETCH, AROUND = 1024, 64
"""Frames solved at a time, and extra frames solved on either side, so that smoothing over time has no seam."""
CHUNK = 64
"""Frames whose vertices are in memory at a time."""
JAW_ROUNDS = 4
"""Times that what a turning jaw adds to its tangent is taken into account."""


@dataclass(frozen=True)
class Residual:
    """How far the target's points are from where the source's motion would have them, millimetres on the target."""

    mean_mm: float
    p95_mm: float
    worst_mm: float
    regions_mm: dict[str, float] = field(default_factory=dict)
    """Mean by region."""
    moved_mm: float = 0.0
    """Mean displacement that was asked for, to judge the others by."""

    @staticmethod
    def of(distance_mm: np.ndarray, regions: tuple[str, ...], moved_mm: np.ndarray) -> Residual:
        """Sum up distances `(T, n)` of points of the given regions."""
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
        """Return what an output's metadata keeps."""
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
    """Find the motion of one head that moves its face as another's moves.

    Args:
        motion: of the source head.
        source: the head that the motion is for.
        target: the head to move: ARKit weights stay in [0, 1]; a FLAME head gets coefficients, jaw and eyes.
        correspondence: which points are which; found from the heads when not given.
        options: weights of the solver's regularisers.
        identity: `(I,)` of the source's person; none for its mean face.

    Returns:
        The motion on the target, head rotation and frame rate as they were, and how far its points are off.

    Raises:
        ModelError: the motion does not fit the source, or the heads have nothing in common.
    """
    options = options or Options()
    points = correspondence or Correspondence.between(source, target)
    controls = Controls.of(target, points.target)
    prior = NamePrior.between(source, controls, points)
    found, distances, asked = [], [], []
    for start in range(0, max(len(motion), 1), STRETCH):
        before = min(start, AROUND)
        kept = slice(before, before + STRETCH)
        stretch = motion.slice(start - before, start + STRETCH + AROUND)
        wanted, turns = _displacements(stretch, source, points.source, identity)
        wanted = MM * points.scale * (wanted @ points.rotation.T)
        if turns is not None:
            turns = (turns.reshape(-1, 2, 3) @ points.rotation.T).reshape(-1, 6)
        weights, reached = _solve(stretch, wanted, turns, controls, prior, points, options)
        found.append(controls.motion(weights[kept], stretch.slice(kept.start, kept.stop)))
        distances.append(np.linalg.norm(reached[kept] - wanted[kept], axis=-1).astype(np.float32))
        asked.append(np.linalg.norm(wanted[kept], axis=-1).astype(np.float32))
    return Motion.joined(found), Residual.of(np.concatenate(distances), points.regions, np.concatenate(asked))


def _solve(
    motion: Motion,
    wanted: np.ndarray,
    turns: np.ndarray | None,
    controls: Controls,
    prior: NamePrior,
    points: Correspondence,
    options: Options,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the controls' weights `(T, C)` for displacements `(T, n, 3)`, mm, and where they bring the points."""

    def rows(displacements: np.ndarray, eyes: np.ndarray | None) -> np.ndarray:
        """Lay what counts side by side: points, gaps, and turns of the eyes."""
        parts = [displacements * np.sqrt(points.weights)[:, None]]
        if points.gaps:
            upper, lower = np.array(points.gaps).T
            parts.append((displacements[:, upper] - displacements[:, lower]) * np.sqrt(GAPS / len(upper)))
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
    passed = np.array([name.startswith(PASSED) for name in controls.names]) & (known > 0)
    start = np.clip(toward, controls.low, controls.high)
    low, high = np.where(passed, start, controls.low), np.where(passed, start, controls.high)
    weights, missed = start, np.zeros_like(wanted)
    contact = Contact.of(wanted, controls, points)
    for _ in range(JAW_ROUNDS if controls.bends else 1):
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
        if controls.bends:
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

    The jaw's rotation becomes jawOpen, jawLeft, jawRight and jawForward by the solve, the eyes' the gaze channels; head
    rotation passes through. A motion that has ARKit channels already gets all 52 in our order, and nothing is solved.

    Args:
        motion: of any head, such as FLAME.
        head: the head it is for; loaded by the motion's `head` when not given.
        arkit_head: the head whose ARKit shapes are meant; by default the free head.
        options: weights of the solver's regularisers.
        identity: `(I,)` of the person; none for the mean face.
        correspondence: from `head` to `arkit_head`, when it is known already.

    Returns:
        The motion for the ARKit head, and how far its points are off; all zeros where nothing was solved.

    Raises:
        ModelError: the motion does not fit the head.
        InputError: the head is not there.
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
    """Return how far points move `(T, n, 3)` m with the head at rest, and how the eyes turn `(T, 6)` rad, if it has any."""
    rest = neutral_of(head, identity)
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    moved, turned = [np.zeros((0, len(points), 3))], []
    for vertices in head.iter_vertices(still, identity, CHUNK):
        moved.append(points.of(vertices.astype(np.float64)) - points.of(rest))
        turned.append(eye_turns(head, vertices, rest))
    turns = [each for each in turned if each is not None]
    return np.concatenate(moved), np.concatenate(turns) if turns else None
