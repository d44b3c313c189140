"""Fit of a head to landmarks: identity, head pose and expression weights, by bounded robust least squares.

Gauss-Newton: the projection is linearised at the current pose and weights. The pose of each frame is eliminated from its
equations (Schur complement), so that pose and weights are solved together. The weights of all frames, bounded and coupled
in time, are a quadratic programme (`least_squares.solve_programme`). The pose follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from diffposetalk.geometry.least_squares import solve_programme
from diffposetalk.geometry.rotations import cross_matrices, rotation_matrix
from diffposetalk.track.camera import Pinhole
from diffposetalk.track.landmarks import (
    CHIN,
    FOREHEAD,
    LID_PAIRS,
    LIP_PAIRS,
    STEADY,
    FaceLandmarks,
    eye_distance,
    lid_opening,
    lip_aperture,
)
from diffposetalk.track.model import LandmarkModel

NOISE = 0.01
"""Standard deviation of the error of a landmark, as a share of the inter-ocular distance."""
DEPTH_NOISE = 0.03
"""Standard deviation of the error of a landmark's depth, which MediaPipe estimates; same unit."""
N_POSE = 7
"""Unknowns of a pose: rotation, translation, and the depth offset of the whole face, which MediaPipe does not give."""
N_INDEPENDENT = 60.0
"""Effective number of independent landmarks (their errors are correlated)."""
N_HOLDING = 30.0
"""Extra weight of the stable landmarks when solving for the pose."""
GAP_NOISE = {"lids": 0.006, "lips": 0.008}
"""Standard deviation of the error of the measured gaps, as a share of the inter-ocular distance."""
SPARSITY = 1.0
"""Strength of the sparsity prior on weights, relative to their quadratic prior."""
IDENTITY_FRAMES = 24
"""Largest number of frames from which identity is fitted."""
ROUNDS = 4
"""Gauss-Newton rounds for pose and weights."""
IDENTITY_ROUNDS = 8
"""Rounds for identity."""
OFFSET_ROUNDS = 3
"""Rounds in which the offsets of the landmarks are estimated."""
N_INDEPENDENT_FRAMES = 4.0
"""Effective number of independent frames when solving for identity (the errors of a landmark are equal in all frames)."""
OFFSET_M = 0.002
"""Prior standard deviation of the offset of a person's landmark from its place on the head, metres."""
CHUNK = 32
"""Frames whose equations are built together, which bounds memory."""
OPEN_SHARE = 75.0
"""Percentile of the lid gap that counts as an open eye."""
SHUT = 0.06
"""Lid gap divided by the eye's width at which an eye counts as shut."""
CLOSED_LIPS = 0.012
"""Largest lip gap of closed lips, as a share of the face's height."""


@dataclass(frozen=True)
class Pose:
    """Pose of the head in every frame."""

    rotation: np.ndarray = field(repr=False)
    """``(T, 3, 3)`` head to camera."""
    translation: np.ndarray = field(repr=False)
    """``(T, 3)`` metres, of the head's origin in the camera frame."""

    def place(self, points: np.ndarray) -> np.ndarray:
        """Move points ``(T, n, 3)`` of the head's frame into the camera's."""
        return points @ self.rotation.transpose(0, 2, 1) + self.translation[:, None]

    def pick(self, frames: np.ndarray | slice) -> Pose:
        """Return some frames."""
        return Pose(self.rotation[frames], self.translation[frames])

    def moved(self, step: np.ndarray) -> Pose:
        """Rotate by ``step[:, :3]`` radians about the head's origin and shift by ``step[:, 3:6]`` metres."""
        return Pose(rotation_matrix(step[:, :3]) @ self.rotation, self.translation + step[:, 3:6])


@dataclass(frozen=True)
class Fit:
    """Result of a fit."""

    model: LandmarkModel = field(repr=False)
    """The landmarks of this person, without `offsets`."""
    camera: Pinhole
    identity: np.ndarray = field(repr=False)
    """``(I,)``."""
    offsets: np.ndarray = field(repr=False)
    """``(n, 3)`` metres: offsets of this person's landmarks from their places on the head."""
    pose: Pose = field(repr=False)
    weights: np.ndarray = field(repr=False)
    """``(T, E)``."""

    def points(self, with_offsets: bool = False) -> np.ndarray:
        """Return the projections of the head's landmarks, ``(T, n, 2)`` pixels."""
        model = self.model.shifted(self.offsets) if with_offsets else self.model
        return self.camera.project(self.pose.place(model.place(self.weights)))


@dataclass(frozen=True)
class Measured:
    """Landmarks and gaps in the form that the fit needs."""

    points: np.ndarray
    """``(T, n, 3)`` pixels, with depth."""
    unit: np.ndarray
    """``(T,)`` inter-ocular distance of a frontal view at the same depth, pixels."""
    pairs: np.ndarray
    """``(g, 2)`` rows of the landmarks above and below a gap."""
    gaps: np.ndarray
    """``(T, g)`` vertical gap that the head should have, divided by the inter-ocular distance."""
    gap_noise: np.ndarray
    """``(g,)``."""

    def pick(self, frames: np.ndarray | slice) -> Measured:
        """Return some frames."""
        return replace(self, points=self.points[frames], unit=self.unit[frames], gaps=self.gaps[frames])


def measure(face: FaceLandmarks, model: LandmarkModel, pose: Pose, camera: Pinhole) -> Measured:
    """Prepare the landmarks of frames with a face; gaps of lids and lips are converted to gaps of the head.

    The opening of an eye is measured relative to this person's open eye and a shut eye; the head gets the same relative
    opening. Lips count as closed if they are as near to each other as this person's closed lips.
    """
    points = face.points[:, model.indices].astype(np.float64)
    rest = model.rest
    size = model.eye_distance()
    depth = -pose.place(model.eyes()[None])[..., 2].mean(1)
    unit = camera.focal * size / depth
    pairs: list[tuple[int, int]] = []
    gaps: list[np.ndarray] = []
    noise: list[float] = []
    for side, lids in LID_PAIRS.items():
        opening = lid_opening(face.points, side)
        usual = float(np.percentile(opening, OPEN_SHARE))
        part = np.clip((opening - SHUT) / max(usual - SHUT, 0.05), 0.0, 1.5)
        for upper, lower in lids:
            rows = [model.at(upper), model.at(lower)]
            pairs.append((rows[0], rows[1]))
            gaps.append((rest[rows[0], 1] - rest[rows[1], 1] + (1 - part) * _shutting(model, rows, side)) / size)
            noise.append(GAP_NOISE["lids"])
    aperture = lip_aperture(face.points)
    tall = np.linalg.norm(face.points[:, FOREHEAD] - face.points[:, CHIN], axis=-1)
    height = float(np.median(tall / unit))
    closed = min(float(np.percentile(aperture, 5)), CLOSED_LIPS)
    for upper, lower in LIP_PAIRS:
        apart = np.linalg.norm(face.points[:, upper] - face.points[:, lower], axis=-1) / tall
        rows = [model.at(upper), model.at(lower)]
        pairs.append((rows[0], rows[1]))
        gaps.append(np.maximum(apart - closed, 0) * height + (rest[rows[0], 1] - rest[rows[1], 1]) / size)
        noise.append(GAP_NOISE["lips"])
    return Measured(points, unit, np.array(pairs), np.stack(gaps, 1), np.array(noise))


def _equations(
    model: LandmarkModel, measured: Measured, pose: Pose, weights: np.ndarray, camera: Pinhole, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the residual ``(T, N)`` and its derivatives by the pose ``(T, N, 7)`` and along `basis` ``(T, K, N)``.

    `basis` is ``(K, n, 3)`` for all frames, or ``(T, K, n, 3)``, metres in the head's frame.
    """
    local = model.place(weights)
    residual, by_pose, in_view = _in_camera(camera, local, measured.points, pose)
    error = np.linalg.norm(residual[..., :2], axis=-1) / measured.unit[:, None]
    reach = np.maximum(3 * np.median(error, axis=1, keepdims=True), 2 * NOISE)
    trust = model.importance() / (1 + (error / reach) ** 2) ** 2
    scale = (
        np.sqrt(trust * N_INDEPENDENT)[..., None] / np.array([NOISE, NOISE, DEPTH_NOISE]) / measured.unit[:, None, None]
    )
    moves = np.einsum("tnij,knj->tkni" if basis.ndim == 3 else "tnij,tknj->tkni", in_view, basis, optimize=True)
    moves[..., 2] = 0  # the estimated depth is used for the head's rotation only, not for the expression
    n_frames, n_basis = len(residual), basis.shape[-3]

    # stable landmarks a second time, as if no expression moved them: they determine the pose
    steady = np.flatnonzero(np.isin(model.indices, STEADY))
    held = np.broadcast_to(model.rest[steady], (n_frames, len(steady), 3))
    off, held_by_pose, _ = _in_camera(camera, held, measured.points[:, steady], pose)
    firm = np.sqrt(N_HOLDING / max(len(steady), 1)) / np.array([NOISE, NOISE, NOISE]) / measured.unit[:, None, None]

    # gaps: vertical in the head's frame, so they do not depend on the pose
    upper, lower = measured.pairs.T
    size = model.eye_distance()
    gap_error = (measured.gaps - (local[:, upper, 1] - local[:, lower, 1]) / size) / measured.gap_noise
    gap_moves = (basis[..., upper, 1] - basis[..., lower, 1]) / size / measured.gap_noise

    n_held, n_gaps = 3 * len(steady), len(upper)
    rows = [residual * scale, off * firm, gap_error]
    by_pose = by_pose * scale[..., None]
    pose_rows = [by_pose.reshape(n_frames, -1, N_POSE), (held_by_pose * firm[..., None]).reshape(n_frames, -1, N_POSE)]
    pose_rows.append(np.zeros((n_frames, n_gaps, N_POSE)))
    basis_rows = [(moves * scale[:, None]).reshape(n_frames, n_basis, -1), np.zeros((n_frames, n_basis, n_held))]
    basis_rows.append(np.broadcast_to(gap_moves, (n_frames, n_basis, n_gaps)))
    return (
        np.concatenate([row.reshape(n_frames, -1) for row in rows], 1),
        np.concatenate(pose_rows, 1),
        np.concatenate(basis_rows, 2),
    )


def _in_camera(
    camera: Pinhole, local: np.ndarray, points: np.ndarray, pose: Pose
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare points of the head with detected points, in pixels and depth.

    Args:
        camera: camera of the video.
        local: ``(T, n, 3)`` metres, in the head's frame.
        points: ``(T, n, 3)`` detected points.
        pose: pose of the head.

    Returns:
        Residual ``(T, n, 3)``, and its derivatives: by the pose ``(T, n, 3, 7)``, and by the point in the head's frame
        ``(T, n, 3, 3)``.
    """
    turned = local @ pose.rotation.transpose(0, 2, 1)
    placed = turned + pose.translation[:, None]
    near = (camera.focal / -pose.translation[:, 2])[:, None]  # pixels per metre
    jacobian = np.zeros((*local.shape, 3))
    jacobian[..., :2, :], jacobian[..., 2, 2] = camera.jacobian(placed), -near
    residual = points - np.concatenate([camera.project(placed), -near[..., None] * turned[..., 2:]], -1)
    residual[..., 2] -= np.median(residual[..., 2], axis=1, keepdims=True)  # only differences of depth are known
    by_pose = np.zeros((*local.shape, N_POSE))
    by_pose[..., :3], by_pose[..., :2, 3:6] = -jacobian @ cross_matrices(turned), jacobian[..., :2, :]
    by_pose[..., 2, 6] = near
    return residual, by_pose, jacobian @ pose.rotation[:, None]


def _without_pose(
    rows: np.ndarray, pose_rows: np.ndarray, basis_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Eliminate the pose: return the reduced gram ``(T, K, K)`` and right-hand side ``(T, K)``, and what yields the pose step."""
    normal = pose_rows.transpose(0, 2, 1) @ pose_rows + 1e-6 * np.eye(N_POSE)
    crossed = basis_rows @ pose_rows  # (T, K, 7)
    right = np.einsum("tni,tn->ti", pose_rows, rows)
    solved = np.linalg.solve(normal, np.concatenate([crossed.transpose(0, 2, 1), right[..., None]], -1))
    gram = basis_rows @ basis_rows.transpose(0, 2, 1) - crossed @ solved[..., :-1]
    pull = (basis_rows @ rows[..., None])[..., 0] - (crossed @ solved[..., -1:])[..., 0]
    return gram, pull, solved[..., -1], solved[..., :-1]


def refine(
    model: LandmarkModel,
    measured: Measured,
    pose: Pose,
    weights: np.ndarray,
    camera: Pinhole,
    fps: float,
    rounds: int = ROUNDS,
    coupled: bool = True,
) -> tuple[Pose, np.ndarray]:
    """Improve pose and weights of all frames together.

    Args:
        model: landmarks of the person.
        measured: landmarks and gaps.
        pose: initial pose.
        weights: ``(T, E)`` initial weights.
        camera: camera of the video.
        fps: frames per second, for the prior on changes between frames.
        rounds: number of Gauss-Newton rounds.
        coupled: whether the frames are successive.
    """
    n_frames, n_weights = weights.shape
    ridge = 1 / model.prior_std**2
    pace = (fps / 25.0) / model.step_std**2 if coupled else np.zeros(n_weights)
    low, high = (np.broadcast_to(bound, weights.shape) for bound in (model.low, model.high))
    for _ in range(rounds):
        grams, pulls, steps, backs = [], [], [], []
        for start in range(0, n_frames, CHUNK):
            part = slice(start, start + CHUNK)
            parts = _equations(
                model, measured.pick(part), pose.pick(part), weights[part], camera, model.derivative(weights[part])
            )
            gram, pull, step, back = _without_pose(*parts)
            pulls.append(pull + (gram @ weights[part, :, None])[..., 0])
            grams.append(gram)
            steps.append(step)
            backs.append(back)
        gram, pull = np.concatenate(grams), np.concatenate(pulls)
        gram[:, range(n_weights), range(n_weights)] += ridge
        if model.sparse:
            pull = pull - SPARSITY / model.prior_std
        solution = solve_programme(gram, pull, low, high, pace, weights if weights.any() else None)
        step = np.concatenate(steps) - (np.concatenate(backs) @ (solution - weights)[..., None])[..., 0]
        pose, weights = pose.moved(_limited(step)), solution
    return pose, weights


def _limited(step: np.ndarray) -> np.ndarray:
    """Shorten pose steps with a rotation beyond 0.35 radians, for which the linearisation is not valid."""
    turn = np.linalg.norm(step[:, :3], axis=1, keepdims=True)
    return step * np.minimum(1, 0.35 / np.maximum(turn, 1e-9))


def fit(face: FaceLandmarks, model: LandmarkModel, camera: Pinhole) -> Fit:
    """Fit a head to landmarks: identity once, then pose and expression of every frame.

    Args:
        face: landmarks; every frame must have a face.
        model: the head's landmarks.
        camera: camera of the video.
    """
    pose = Pose(*camera.first_pose(model.rest, face.points[:, model.indices].astype(np.float64)))
    weights = np.zeros((len(face), len(model.names)))
    chosen = _frames_for_identity(face, pose)
    identity, offsets = _identity(face, model, camera, pose, chosen)
    person = model.of_person(identity)
    shifted = person.shifted(offsets)
    measured = measure(face, person, pose, camera)
    measured = replace(measured, gaps=measured.gaps + _gap(offsets, measured.pairs, person))
    pose, weights = refine(shifted, measured, pose, weights, camera, face.fps)
    return Fit(person, camera, identity, offsets, pose, weights)


def _shutting(model: LandmarkModel, rows: list[int], side: str) -> float:
    """Return the change of a lid gap when the eye shuts, metres: by `eyeBlink`, or else by the whole gap."""
    name = f"eyeBlink{side.capitalize()}"
    if name in model.names:
        moves = model.basis[model.names.index(name)]
        return float(moves[rows[0], 1] - moves[rows[1], 1])
    return float(model.rest[rows[1], 1] - model.rest[rows[0], 1])


def _gap(offsets: np.ndarray, pairs: np.ndarray, model: LandmarkModel) -> np.ndarray:
    size = model.eye_distance()
    return (offsets[pairs[:, 0], 1] - offsets[pairs[:, 1], 1]) / size


def _frames_for_identity(face: FaceLandmarks, pose: Pose) -> np.ndarray:
    """Choose frames spread over the clip; if there are many frames, prefer those without a blink."""
    n = len(face)
    if n <= IDENTITY_FRAMES:
        return np.arange(n)
    opening = lid_opening(face.points, "left") + lid_opening(face.points, "right")
    parts = np.array_split(np.arange(n), IDENTITY_FRAMES)
    return np.array([part[np.argsort(opening[part])[len(part) // 2]] for part in parts])


def _identity(
    face: FaceLandmarks, model: LandmarkModel, camera: Pinhole, pose: Pose, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the identity and the landmarks' offsets to some frames."""
    some, pose = replace(face, points=face.points[chosen], times=face.times[chosen]), pose.pick(chosen)
    identity = np.zeros(len(model.identity_basis))
    offsets = np.zeros_like(model.rest)
    weights = np.zeros((len(chosen), len(model.names)))
    for turn in range(IDENTITY_ROUNDS + OFFSET_ROUNDS):
        person = model.of_person(identity)
        measured = measure(some, person, pose, camera)
        measured = replace(measured, gaps=measured.gaps + _gap(offsets, measured.pairs, person))
        pose, weights = refine(person.shifted(offsets), measured, pose, weights, camera, 25.0, 1, coupled=False)
        if turn >= IDENTITY_ROUNDS:
            offsets = _offsets(person, some, pose, weights, camera)
            continue
        # gaps are not used for identity, because they were converted to the gaps of this identity
        without_gaps = replace(measured, gap_noise=np.full(len(measured.gap_noise), 1e6))
        shifted = person.shifted(offsets)
        parts = _equations(shifted, without_gaps, pose, weights, camera, shifted.identity_derivative(weights))
        gram, pull, _, _ = _without_pose(*parts)
        n = len(chosen)
        gram, pull = (
            gram.sum(0) / n * N_INDEPENDENT_FRAMES,
            pull.sum(0) / n * N_INDEPENDENT_FRAMES,
        )  # a landmark has the same error in all frames
        identity = np.linalg.solve(gram + np.eye(len(identity)), pull + gram @ identity)
    return identity, offsets


def _offsets(model: LandmarkModel, face: FaceLandmarks, pose: Pose, weights: np.ndarray, camera: Pinhole) -> np.ndarray:
    """Fit the offsets of the landmarks, ``(n, 3)`` metres, with a prior toward 0."""
    placed = pose.place(model.place(weights))
    residual = face.points[:, model.indices, :2] - camera.project(placed)
    jacobian = camera.jacobian(placed) @ pose.rotation[:, None]
    unit = eye_distance(face.points[..., :2])[:, None, None]
    residual, jacobian = residual / unit / NOISE, jacobian / unit[..., None] / NOISE
    gram = np.einsum("tnij,tnik->njk", jacobian, jacobian) / len(face)
    pull = np.einsum("tnij,tni->nj", jacobian, residual) / len(face)
    offsets = np.linalg.solve(gram + np.eye(3) / OFFSET_M**2, pull[..., None])[..., 0]
    return np.clip(offsets, -4 * OFFSET_M, 4 * OFFSET_M)
