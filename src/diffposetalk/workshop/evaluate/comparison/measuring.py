"""Outputs of systems as curves at the frame rate of the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.geometry.curves import lerp
from diffposetalk.geometry.rotations import slerp
from diffposetalk.head import HeadModel
from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import (
    lip_vertex_error_max,
    lip_vertex_error_root,
    lip_vertex_error_squared,
    mean_gap,
    upper_face_deviation,
)
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.lips import curves_of, vertex_curves
from diffposetalk.motion import Motion
from diffposetalk.workshop.evaluate.protocol.contents import Protocol, Topology, n_frames
from diffposetalk.workshop.evaluate.protocol.material import EvaluationClip
from diffposetalk.workshop.evaluate.systems.base import Output, VertexMotion


@dataclass(frozen=True)
class Measured:
    """One output of a system for a clip."""

    curves: Curves
    """Exactly the frames of the clip."""
    head: str
    """Name of the head on which it was measured; the number of vertices of a mesh without a head."""
    meshes: Mapping[str, float] = field(default_factory=dict)
    """Errors of vertices by name, where system and truth are on one mesh; else empty."""


@dataclass(frozen=True)
class Truth:
    """The true motion of a clip, measured."""

    clip: EvaluationClip
    curves: Curves
    style: Curves | None
    """Curves of the motion from which the style is read."""


def measure_truth(clip: EvaluationClip, protocol: Protocol) -> Truth:
    """Measure the true motion and the source of the style of a clip."""
    style = None if clip.style is None else curves_of(clip.style, _head(clip.style)).resampled(protocol.fps)
    return Truth(clip, curves_of(clip.truth, _head(clip.truth)), style)


def measure(output: Output, truth: Truth, protocol: Protocol, where: str) -> Measured:
    """Measure an output of a system.

    Args:
        output: has the length of the clip, within the tolerance.
        truth: of the clip.
        protocol: its frame rate and its meshes.
        where: names system and clip in errors.

    Raises:
        InputError: its mesh is not known to the protocol, or its head is not there.
    """
    try:
        if isinstance(output, VertexMotion):
            return _measured_vertices(output, truth, protocol)
        curves = curves_of(output, _head(output))
        frames = n_frames(truth.clip.pinned, protocol.fps)
        return Measured(fitted(curves, protocol.fps, frames), output.head, _mesh_errors(output, truth, protocol.fps))
    except DiffPoseTalkError as error:
        raise InputError(f"{where}: {error}") from None


def fitted(curves: Curves, fps: float, frames: int) -> Curves:
    """Return curves at another rate and with an exact number of frames; the last frame is held where one or two lack."""
    place = np.clip(np.arange(frames) * curves.fps / fps, 0, len(curves) - 1)
    if len(curves) == frames and curves.fps == fps:
        return curves
    values: dict[str, Any] = {name: lerp(getattr(curves, name), place) for name in curves.names if name != "head"}
    if curves.head is not None:
        values["head"] = slerp(curves.head, place)
    return replace(curves, fps=fps, **values)


def topology_of(n_vertices: int, topologies: Sequence[Topology]) -> Topology:
    """Return the mesh with a number of vertices.

    Raises:
        InputError: the protocol does not know it.
    """
    for topology in topologies:
        if topology.vertices == n_vertices:
            return topology
    known = ", ".join(str(topology.vertices) for topology in topologies) or "none"
    raise InputError(
        f"its meshes have {n_vertices} vertices; the protocol knows meshes with {known}. Add [[topologies]] with its "
        "vertex lists or its head to the protocol"
    )


def _measured_vertices(output: VertexMotion, truth: Truth, protocol: Protocol) -> Measured:
    topology = topology_of(output.vertices.shape[1], protocol.topologies)
    frames = n_frames(truth.clip.pinned, protocol.fps)
    if not topology.head:
        curves = _curves_by_lists(output, topology)
        return Measured(fitted(curves, protocol.fps, frames), f"{topology.vertices} vertices")
    head = shared_head(topology.head)
    curves = replace(vertex_curves([output.vertices], head, output.fps), head=output.head_pose)
    errors = {}
    if truth.clip.truth.head == head.name and output.fps == protocol.fps:
        errors = _vertex_errors(output.vertices, truth, head, topology)
    return Measured(fitted(curves, protocol.fps, frames), head.name, errors)


def _curves_by_lists(output: VertexMotion, topology: Topology) -> Curves:
    """Return the curves that the lists of vertices of a protocol define."""
    vertices = output.vertices.astype(np.float64)
    _check_lists(topology)

    def apart(pairs: Sequence[tuple[int, int]]) -> np.ndarray | None:
        return mean_gap(vertices, *zip(*pairs)) if pairs else None

    lids = brow = None
    if topology.lid_pairs:
        opening = np.stack([np.linalg.norm(vertices[:, a] - vertices[:, b], axis=-1) for a, b in topology.lid_pairs], 1)
        lids = np.clip(1 - opening / np.maximum(np.percentile(opening, 90, axis=0), 1e-9), 0, 1)
    if topology.brow_pairs:
        brow = np.stack([vertices[:, a, 1] - vertices[:, b, 1] for a, b in topology.brow_pairs], 1)
    jaw = apart(topology.jaw_pairs)
    return Curves(
        output.fps,
        gap=apart(topology.lip_pairs),
        width=apart(topology.lip_corners),
        jaw=None if jaw is None else jaw - jaw.min(),
        lids=lids,
        brow=brow,
        head=output.head_pose,
    )


def _check_lists(topology: Topology) -> None:
    """Refuse lists that name vertices beyond the mesh, or that have too few pairs.

    Raises:
        InputError: see above.
    """
    where = f"the protocol's mesh of {topology.vertices} vertices"
    if not topology.lip_pairs:
        raise InputError(f"{where} has neither a head nor lip_pairs, so lips cannot be measured on it")
    pairs = (topology.lip_pairs, topology.lip_corners, topology.jaw_pairs, topology.lid_pairs, topology.brow_pairs)
    named = [vertex for several in pairs for pair in several for vertex in pair]
    if max(named) >= topology.vertices or min(named) < 0:
        raise InputError(f"{where} has lists that name vertex {max(named) if min(named) >= 0 else min(named)}")
    for name in ("lid_pairs", "brow_pairs"):
        if len(getattr(topology, name)) not in (0, 2):
            raise InputError(f"{where}: {name} needs two pairs, of the left and of the right side")


def _mesh_errors(output: Motion, truth: Truth, fps: float) -> dict[str, float]:
    """Return the errors of vertices where output and truth are motion of one head; else nothing."""
    true = truth.clip.truth
    if output.head != true.head or output.fps != fps:
        return {}
    head = _head(output)
    return _vertex_errors(_face(output, head), truth, head, Topology(0))


def _vertex_errors(vertices: np.ndarray, truth: Truth, head: HeadModel, topology: Topology) -> dict[str, float]:
    lips = np.array(topology.lips) if topology.lips else head.regions["lips"]
    upper = np.array(topology.upper_face) if topology.upper_face else head.regions["upper_face"]
    known = _face(truth.clip.truth, head)
    frames = min(len(known), len(vertices))
    ours, theirs = vertices[:frames], known[:frames]
    fdd = upper_face_deviation(ours, theirs, head.mesh().vertices, upper)
    return {
        "lve_mean_max_mm": lip_vertex_error_max(ours, theirs, lips),
        "lve_root_mm": lip_vertex_error_root(ours, theirs, lips),
        "lve_squared_m2": lip_vertex_error_squared(ours, theirs, lips),
        "fdd_signed_m2": fdd.signed,
        "fdd_absolute_m2": fdd.absolute,
    }


def _face(motion: Motion, head: HeadModel) -> np.ndarray:
    """Return the vertices ``(T, V, 3)`` of a motion without head rotation."""
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    return np.concatenate(list(head.iter_vertices(still)))


def _head(motion: Motion) -> HeadModel:
    return shared_head(motion.head)
