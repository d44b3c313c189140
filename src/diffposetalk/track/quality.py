"""How good a track is, and what to warn of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.track.fit import Fit
from diffposetalk.track.follow import Watched
from diffposetalk.track.landmarks import FaceLandmarks, eye_distance, lip_aperture

LYING_DEG = 60.0
"""A head that leans farther than this lies, or the video does."""
SHORT_S, SMALL_PX, TURNED_DEG, BLURRED, ROUGH_PERCENT, SHAKY_PERCENT = 3.0, 30.0, 25.0, 0.35, 4.0, 1.0
"""Below or beyond these a warning is due."""
STILL_LIPS = 0.008
"""Spread of the lip gap over the face's height below which nobody speaks."""


@dataclass(frozen=True)
class Quality:
    """Numbers on a track."""

    error_percent: float
    """Mean distance of the head's landmarks from those seen, percent of the inter-ocular distance."""
    error_with_offsets_percent: float
    """The same, with each landmark where it lies on this person."""
    worst_percent: float
    """The first number, 95th percentile of the frames."""
    coverage: float
    """Part of the frames of the stretch in which the face was found."""
    coverage_of_video: float
    """Part of all frames that the stretch has."""
    jitter_percent: float
    """Trembling of the landmarks seen: mean second difference at 25 frames a second, percent of the inter-ocular distance."""
    head_jitter_deg: float
    """Trembling of the head's rotation: mean second difference from frame to frame, degrees."""
    eye_distance_px: float
    turned_deg: float
    """How far the head is turned or tilted from the camera, median of the frames."""
    leaning_deg: float
    """How far the head leans to its right (below 0: left) in the picture, median of the frames."""
    fps: float
    """Of the video."""
    seconds: float
    """Length of the stretch."""
    n_cuts: int = 0
    n_lost: int = 0
    """Frames in which the face was not found, bridged or left out."""
    n_others: int = 0
    """Other faces."""
    warnings: tuple[str, ...] = ()
    """One line each."""


def judge(
    face: FaceLandmarks, found: Fit, watched: Watched | None = None, takes: tuple[tuple[float, float], ...] = ()
) -> Quality:
    """Measure a track and say what is wrong with it.

    Args:
        face: landmarks of the stretch; NaN where lost.
        found: what was fitted to it.
        watched: the whole video, for what else is in it.
        takes: its stretches, seconds.
    """
    seen = face.seen
    points = face.points[seen]
    unit = eye_distance(points[..., :2]) / np.maximum(np.abs(found.pose.rotation[seen, 0, 0]), 0.3)
    errors = []
    for with_offsets in (False, True):
        off = found.points(with_offsets)[seen] - points[:, found.model.indices, :2]
        errors.append(100 * np.linalg.norm(off, axis=-1) / unit[:, None])
    seconds = float(face.times[-1] - face.times[0] + 1 / face.fps)
    trembling = np.diff(points[..., :2], 2, axis=0)
    jitter = 100 * np.linalg.norm(trembling, axis=-1).mean() / unit.mean() if len(points) > 2 else 0.0
    away = np.rad2deg(np.arccos(np.clip(found.pose.rotation[:, 2, 2], -1, 1)))
    steps = found.pose.rotation[1:] @ found.pose.rotation[:-1].transpose(0, 2, 1)
    turns = np.stack([steps[:, 2, 1], steps[:, 0, 2], steps[:, 1, 0]], 1)
    head_jitter = np.rad2deg(np.linalg.norm(np.diff(turns, axis=0), axis=1).mean()) if len(turns) > 1 else 0.0
    aperture = lip_aperture(points[..., :2])
    quality = Quality(
        error_percent=float(errors[0].mean()),
        error_with_offsets_percent=float(errors[1].mean()),
        worst_percent=float(np.percentile(errors[0].mean(1), 95)),
        coverage=float(seen.mean()),
        coverage_of_video=len(face) / len(watched.face) if watched else 1.0,
        jitter_percent=float(jitter * min(1.0, (face.fps / 25) ** 2)),
        head_jitter_deg=float(head_jitter),
        eye_distance_px=float(unit.mean()),
        turned_deg=float(np.median(away)),
        leaning_deg=float(
            np.rad2deg(np.median(np.arctan2(found.pose.rotation[:, 1, 0], found.pose.rotation[:, 1, 1])))
        ),
        fps=face.fps,
        seconds=seconds,
        n_cuts=len(watched.cuts) if watched else 0,
        n_lost=int((~watched.face.seen).sum()) if watched else int((~seen).sum()),
        n_others=len(watched.others) if watched else 0,
    )
    sharp = float(np.nanmedian(watched.sharpness)) if watched is not None else None
    lines = tuple(_warnings(quality, float(aperture.std()), sharp, takes))
    return Quality(**{**quality.__dict__, "warnings": lines})


def _warnings(quality: Quality, lips: float, sharp: float | None, takes: tuple[tuple[float, float], ...]) -> list[str]:
    found = []
    if quality.seconds < SHORT_S:
        found.append(f"only {quality.seconds:.1f} s long; 4 s and more are wanted for a style")
    if quality.turned_deg > TURNED_DEG:
        found.append(
            f"the face is turned {quality.turned_deg:.0f} degrees from the camera; how its two sides differ and how the "
            "head rests cannot be told, and a style read from it leaves that out"
        )
    if abs(quality.leaning_deg) > LYING_DEG:
        found.append(
            f"the head leans by {abs(quality.leaning_deg):.0f} degrees; if the video lies on its side, turn it upright first"
        )
    if quality.eye_distance_px < SMALL_PX:
        found.append(f"the face is small ({quality.eye_distance_px:.0f} pixels between the eyes)")
    if sharp is not None and sharp < BLURRED:
        found.append(f"the face is blurred (sharpness {sharp:.2f}, wanted {BLURRED:g} and more)")
    if lips < STILL_LIPS:
        found.append("the lips hardly move; perhaps nobody speaks")
    if quality.coverage < 0.9:
        found.append(f"the face was found in {100 * quality.coverage:.0f} % of the frames only")
    if quality.error_percent > ROUGH_PERCENT:
        found.append(f"the head fits badly ({quality.error_percent:.1f} % of the inter-ocular distance)")
    if quality.jitter_percent > SHAKY_PERCENT * 4:
        found.append(f"the landmarks tremble ({quality.jitter_percent:.1f} % of the inter-ocular distance)")
    if quality.fps < 20:
        found.append(f"{quality.fps:.0f} frames per second are few; blinks and closures may be missed")
    if len(takes) > 1:
        spans = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in takes[:8])
        found.append(f"cuts or losses divide the video into {len(takes)} takes ({spans}); one was read")
    if quality.n_others:
        found.append(f"{quality.n_others} other faces or pieces of their paths were left out")
    return found
