"""Curves of a motion on its head: the lip gap in metres, and the motion of mouth, eyes and brows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from diffposetalk.errors import InputError, ModelError
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.head import HeadModel
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.vertices import mean_gap
from diffposetalk.motion import Motion

CHUNK = 128
"""Frames whose vertices are computed at a time."""
MOUTH_CORNERS = (61, 291)
"""MediaPipe's landmarks of the mouth's corners."""
EYES = {"left": (386, 374, 263, 362), "right": (159, 145, 33, 133)}
"""MediaPipe's landmarks of each eye: upper lid, lower lid, outer and inner corner."""
INCISORS_M = 0.006
"""Half of the width of the upper incisors that are measured at, metres."""
BROW_MIDDLES = {"left": 334, "right": 105}
"""MediaPipe's landmarks in the middle of each brow."""
OPEN_PERCENTILE = 90
"""Percentile of the lid opening that counts as an open eye."""


def mouth_gap(motion: Motion, head: HeadModel) -> np.ndarray:
    """Measure the inner-lip gap of a motion on the average face of a head, the head at rest.

    Args:
        motion: has the channels of the head.
        head: a head that defines ``lip_gap``, such as "anny".

    Returns:
        ``(T,)`` metres, 0 where lips touch or overlap.

    Raises:
        ModelError: the head does not define ``lip_gap``, or the motion lacks channels of the head.
    """
    if missing := set(head.expression_names) - set(motion.expression_names):
        raise ModelError(f"the motion lacks channels of the head '{head.name}': {', '.join(sorted(missing)[:5])}")
    columns = [motion.expression_names.index(name) for name in head.expression_names]
    parts = [
        np.asarray(head.lip_gap(head.vertices(motion.expression[start : start + CHUNK, columns])))
        for start in range(0, len(motion), CHUNK)
    ]
    return np.maximum(np.concatenate(parts), 0.0).astype(np.float64)


def lip_below_teeth(motion: Motion, head: HeadModel) -> np.ndarray:
    """Measure how far the lower lip is below the upper incisors, on the average face of a head at rest.

    Args:
        motion: has the channels of the head.
        head: a head with a region ``upper_teeth`` and lip pairs, such as "anny".

    Returns:
        ``(T,)`` metres from the biting edge down to the top of the lower lip's middle; below 0 the lip covers the edge.

    Raises:
        ModelError: the head has no upper teeth.
    """
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    if "upper_teeth" not in head.regions:
        raise ModelError(f"the head '{head.name}' has no upper teeth to measure at")
    teeth = head.mesh().vertices[head.regions["upper_teeth"]]
    edge = teeth[np.abs(teeth[:, 0]) < INCISORS_M, 1].min()
    middle = head.lip_pairs[len(head.lip_pairs) // 2, 1]
    lip = np.concatenate([piece[:, middle, 1] for piece in head.iter_vertices(still, chunk=CHUNK)])
    return (edge - lip).astype(np.float64)


def mouth_gap_on(heads: Callable[[str], HeadModel]) -> Callable[[Motion], np.ndarray]:
    """Return a function that measures each motion on its own head.

    Args:
        heads: returns the head of a name, for example `head.shared.shared_head`.
    """
    return lambda motion: mouth_gap(motion, heads(motion.head))


def lip_below_teeth_on(heads: Callable[[str], HeadModel]) -> Callable[[Motion], np.ndarray]:
    """Return a function that measures each motion on its own head by `lip_below_teeth`."""
    return lambda motion: lip_below_teeth(motion, heads(motion.head))


def curves_of(motion: Motion, head: HeadModel) -> Curves:
    """Return the curves of a motion, measured on the average face of its head.

    Lids and brow are those of `landmark_curves`; lids are ``eyeBlink`` where the motion has that channel. The jaw is
    ``jawOpen``, or the angle of the jaw joint. Curves that the head has no points for are None.

    Args:
        motion: fits the head.
        head: its head.

    Raises:
        InputError: the motion has no frames.
        ModelError: the motion does not fit the head.
    """
    if len(motion) == 0:
        raise InputError("a motion without frames has no curves")
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    names = motion.expression_names
    jaw = motion.channel("jawOpen") if "jawOpen" in names else motion.jaw_pose
    measured = _measured(head.iter_vertices(still, chunk=CHUNK), head, motion.fps)
    if {"eyeBlinkLeft", "eyeBlinkRight"} <= set(names):
        measured["lids"] = np.stack([motion.channel("eyeBlinkLeft"), motion.channel("eyeBlinkRight")], 1)
    return Curves(
        motion.fps,
        jaw=jaw if jaw is None or jaw.ndim == 1 else jaw[:, 0],
        head=motion.head_pose,
        channels=motion.expression,
        channel_names=names,
        **measured,
    )


def vertex_curves(vertices: Iterable[np.ndarray], head: HeadModel, fps: float) -> Curves:
    """Return lip gap, mouth width, lid closure and brow height of vertices with the topology of a head.

    Args:
        vertices: pieces ``(n, V, 3)`` of one or more frames, metres, without head rotation.
        head: gives the points of the face.
        fps: frames per second.

    Raises:
        InputError: nothing can be measured on the head.
    """
    return Curves(fps, **_measured(vertices, head, fps))


def _measured(vertices: Iterable[np.ndarray], head: HeadModel, fps: float) -> dict[str, Any]:
    """Return the curves of vertices by name, as far as the head has points for them."""
    marks = _landmarks(head)
    gaps: list[np.ndarray] = []
    points: list[np.ndarray] = []
    for piece in vertices:
        gap = _lip_gap(piece, head)
        if gap is not None:
            gaps.append(gap)
        if marks is not None:
            points.append(np.asarray(marks[0].of(piece)))
    curves: dict[str, Any] = {}
    if points and marks is not None:
        known = landmark_curves(np.concatenate(points), marks[1], fps)
        curves = {name: getattr(known, name) for name in known.names}
    return curves | ({"gap": np.maximum(np.concatenate(gaps), 0.0)} if gaps else {})


def landmark_curves(points: np.ndarray, indices: Sequence[int] | np.ndarray, fps: float) -> Curves:
    """Return mouth width, lid closure and brow height of MediaPipe's landmarks on any mesh.

    The closure of an eye is 1 minus its lid opening over the clip's `OPEN_PERCENTILE` of it, in 0 to 1; a shut eye reads
    below 1 where the lids have a thickness. The height of a
    brow is that of its middle above the middle of the eye's corners.

    Args:
        points: ``(T, L, 3)`` metres, y up, without head rotation.
        indices: L numbers: which of MediaPipe's 478 landmarks the points are.
        fps: frames per second.

    Raises:
        InputError: the shape does not fit, or none of the curves can be measured.
    """
    points, column = np.asarray(points, np.float64), {int(index): place for place, index in enumerate(indices)}
    if points.ndim != 3 or points.shape[1:] != (len(indices), 3) or len(points) == 0:
        raise InputError(f"landmarks must be (T, {len(indices)}, 3) with at least one frame, got {points.shape}")

    def known(*wanted: int) -> bool:
        return set(wanted) <= set(column)

    def at(index: int) -> np.ndarray:
        return points[:, column[index]]

    def apart(one: int, other: int) -> np.ndarray:
        return np.linalg.norm(at(one) - at(other), axis=-1)

    measured: dict[str, Any] = {}
    if known(*MOUTH_CORNERS):
        measured["width"] = apart(*MOUTH_CORNERS)
    if known(*EYES["left"], *EYES["right"]):
        opening = np.stack([apart(*EYES[side][:2]) for side in EYES], 1)
        level = np.maximum(np.percentile(opening, OPEN_PERCENTILE, axis=0), 1e-9)
        measured["lids"] = np.clip(1 - opening / level, 0, 1)
    if known(*BROW_MIDDLES.values(), *EYES["left"][2:], *EYES["right"][2:]):
        measured["brow"] = np.stack(
            [at(BROW_MIDDLES[side])[:, 1] - (at(EYES[side][2])[:, 1] + at(EYES[side][3])[:, 1]) / 2 for side in EYES], 1
        )
    if not measured:
        raise InputError("the landmarks have neither the mouth's corners nor the lids, so no curve can be measured")
    return Curves(fps, **measured)


def _landmarks(head: HeadModel) -> tuple[Landmarks, np.ndarray] | None:
    """Return MediaPipe's landmarks on the head and their numbers; None if the head has none."""
    try:
        return head.landmarks, head.mediapipe_indices
    except ModelError:
        return None


def _lip_gap(vertices: np.ndarray, head: HeadModel) -> np.ndarray | None:
    """Return the gap by ``lip_gap``, or else the mean distance of facing points; None if the head has neither."""
    try:
        return np.asarray(head.lip_gap(vertices), np.float64)
    except ModelError:
        if head.inner_lips is None:
            return None
    upper, lower = head.inner_lips
    both = Landmarks(np.concatenate([upper.corners, lower.corners]), np.concatenate([upper.shares, lower.shares]))
    rows = np.arange(len(both))
    return mean_gap(np.asarray(both.of(vertices)), rows[: len(upper)], rows[len(upper) :])
