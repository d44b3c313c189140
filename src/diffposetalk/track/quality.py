"""Quality of a track: numbers and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from diffposetalk.track.fit import Fit
from diffposetalk.track.follow import FollowedFace
from diffposetalk.track.landmarks import FaceLandmarks, eye_distance, lip_aperture
from diffposetalk.track.limits import warnings_of


@dataclass(frozen=True)
class Quality:
    """Quality measures of a track."""

    error_percent: float
    """Mean reprojection error of the head's landmarks, percent of the inter-ocular distance."""
    error_with_offsets_percent: float
    """The same with the fitted landmark offsets of this person."""
    worst_percent: float
    """95th percentile over the frames of `error_percent`."""
    coverage: float
    """Share of the frames of the take in which the face was detected."""
    coverage_of_video: float
    """Share of the video's frames that belong to the take."""
    jitter_percent: float
    """Jitter of the detected landmarks: mean second difference at 25 fps, percent of the inter-ocular distance."""
    head_jitter_deg: float
    """Jitter of the head's rotation: mean second difference, degrees."""
    eye_distance_px: float
    turned_deg: float
    """Angle between face and camera, median of the frames."""
    leaning_deg: float
    """Roll of the head in the picture, toward its right shoulder (below 0: left), median of the frames."""
    fps: float
    """Frame rate of the video."""
    seconds: float
    """Length of the take."""
    n_cuts: int = 0
    n_lost: int = 0
    """Frames without a detected face, interpolated or not in the take."""
    n_others: int = 0
    """Number of other faces, or pieces of their paths."""
    warnings: tuple[str, ...] = ()
    """One line each."""


def measure_quality(
    face: FaceLandmarks, fit: Fit, followed: FollowedFace | None = None, takes: tuple[tuple[float, float], ...] = ()
) -> Quality:
    """Measure the quality of a track, and add warnings.

    Args:
        face: landmarks of the take; NaN where lost.
        fit: head fitted to them.
        followed: the whole video, for warnings about its other parts; None if unknown.
        takes: start and end of all takes of the video, seconds.
    """
    detected = face.detected
    points = face.points[detected]
    unit = eye_distance(points[..., :2]) / np.maximum(np.abs(fit.pose.rotation[detected, 0, 0]), 0.3)
    errors = []
    for with_offsets in (False, True):
        off = fit.points(with_offsets)[detected] - points[:, fit.model.indices, :2]
        errors.append(100 * np.linalg.norm(off, axis=-1) / unit[:, None])
    seconds = float(face.times[-1] - face.times[0] + 1 / face.fps)
    second_differences = np.diff(points[..., :2], 2, axis=0)
    jitter = 100 * np.linalg.norm(second_differences, axis=-1).mean() / unit.mean() if len(points) > 2 else 0.0
    away = np.rad2deg(np.arccos(np.clip(fit.pose.rotation[:, 2, 2], -1, 1)))
    steps = fit.pose.rotation[1:] @ fit.pose.rotation[:-1].transpose(0, 2, 1)
    turns = np.stack([steps[:, 2, 1], steps[:, 0, 2], steps[:, 1, 0]], 1)
    head_jitter = np.rad2deg(np.linalg.norm(np.diff(turns, axis=0), axis=1).mean()) if len(turns) > 1 else 0.0
    quality = Quality(
        error_percent=float(errors[0].mean()),
        error_with_offsets_percent=float(errors[1].mean()),
        worst_percent=float(np.percentile(errors[0].mean(1), 95)),
        coverage=float(detected.mean()),
        coverage_of_video=len(face) / len(followed.face) if followed else 1.0,
        jitter_percent=float(jitter * min(1.0, (face.fps / 25) ** 2)),
        head_jitter_deg=float(head_jitter),
        eye_distance_px=float(unit.mean()),
        turned_deg=float(np.median(away)),
        leaning_deg=float(np.rad2deg(np.median(np.arctan2(fit.pose.rotation[:, 1, 0], fit.pose.rotation[:, 1, 1])))),
        fps=face.fps,
        seconds=seconds,
        n_cuts=len(followed.cuts) if followed else 0,
        n_lost=int((~followed.face.detected).sum()) if followed else int((~detected).sum()),
        n_others=len(followed.others) if followed else 0,
    )
    numbers = asdict(quality) | {"leaning_deg": abs(quality.leaning_deg), "lip_spread": lip_spread(face)}
    if followed is not None:
        numbers["sharpness"] = float(np.nanmedian(followed.sharpness))
    return replace(quality, warnings=(*warnings_of(numbers), *_left_out(quality, takes)))


def lip_spread(face: FaceLandmarks) -> float:
    """Return the standard deviation of the lip gap over the face's height, over the frames with a face."""
    return float(lip_aperture(face.points[face.detected][..., :2]).std())


def _left_out(quality: Quality, takes: tuple[tuple[float, float], ...]) -> Iterator[str]:
    """Yield warnings about the parts of the video that were not tracked."""
    if len(takes) > 1:
        spans = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in takes[:8])
        yield f"cuts or losses divide the video into {len(takes)} takes ({spans}); only one of them was tracked"
    if quality.n_others:
        yield f"{quality.n_others} other faces or pieces of their paths were left out"
