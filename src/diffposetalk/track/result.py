"""Result of tracking: motion and identity, the landmarks behind them, and their quality."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.npz import write_npz
from diffposetalk.geometry.curves import at_times
from diffposetalk.geometry.rotations import continuous_vectors, vectors_of
from diffposetalk.motion import MOTION_FORMAT, Motion
from diffposetalk.track.camera import Pinhole
from diffposetalk.track.fit import Fit, fit
from diffposetalk.track.follow import FollowedFace
from diffposetalk.track.landmarks import FaceLandmarks
from diffposetalk.track.model import LandmarkModel
from diffposetalk.track.quality import Quality, measure_quality
from diffposetalk.track.reference import reference_motion

FEWEST = 5
"""Smallest number of frames for a fit."""


@dataclass(frozen=True)
class Track:
    """The motion of a face in a video."""

    motion: Motion
    """At the requested frame rate; frame 0 is at `start_s` of the video."""
    identity: np.ndarray
    """``(I,)`` float32 identity coefficients of the head."""
    start_s: float
    """Time in the video of the first frame of the motion, seconds."""
    takes: tuple[tuple[float, float], ...]
    """Beginning and end of all stretches without cuts, seconds."""
    quality: Quality
    face: FaceLandmarks = field(repr=False)
    """Landmarks to which the head was fitted, at the frames of the video, gaps interpolated."""
    detected: np.ndarray = field(repr=False)
    """``(T,)`` True at those frames in which the face was detected."""
    fit: Fit = field(repr=False)
    """The fit, at the frames of the video."""
    how: str = ""
    """Name of the landmark detector."""

    @property
    def reference(self) -> Motion:
        """Reliable part of the motion, as a reference for a style; see `reference_motion`."""
        return reference_motion(self.motion, self.quality)

    def save(self, path: str | Path) -> None:
        """Write a motion file that also holds the identity and data on the tracking.

        `Motion.load` reads it; further arrays: `identity`, `start_s`, `seen` (of the motion's frames), `translation`
        (metres, head in the camera frame), `focal` (pixels), `size`, `error_percent`.
        """
        motion = self.motion
        times = self.start_s + np.arange(len(motion)) / motion.fps
        at = np.clip(np.searchsorted(self.face.times, times - 1e-6), 0, len(self.face) - 1)
        arrays: dict[str, Any] = {
            "format_version": np.int64(MOTION_FORMAT),
            "fps": np.float64(motion.fps),
            "head": np.array(motion.head),
            "expression": motion.expression,
            "expression_names": np.array(motion.expression_names),
            "head_pose": motion.head_pose,
            **({} if motion.jaw_pose is None else {"jaw_pose": motion.jaw_pose}),
            "identity": self.identity,
            "start_s": np.float64(self.start_s),
            "seen": self.detected[at],
            "translation": at_times(self.face.times, self.fit.pose.translation, times).astype(np.float32),
            "focal": np.float64(self.fit.camera.focal),
            "size": np.array(self.face.size),
            "error_percent": np.float64(self.quality.error_percent),
        }
        write_npz(path, arrays)


def track_of(
    followed: FollowedFace,
    model: LandmarkModel,
    camera: Pinhole,
    fps: float | None = 25.0,
    take: int | None = None,
    name: str = "the video",
) -> Track:
    """Fit a head to a take of a video.

    Args:
        followed: the main face of the video.
        model: the head's landmarks.
        camera: camera of the video.
        fps: frames per second of the motion; None for those of the video.
        take: number of the take, from 0; None for the longest.
        name: name of the video for error messages.

    Raises:
        InputError: the stretch is too short.
        UsageError: there is no such take.
    """
    takes, times = followed.takes(), followed.face.times
    if take is not None and not 0 <= take < len(takes):
        raise UsageError(f"{name}: there is no take {take}; the takes are 0 to {len(takes) - 1}")
    start, stop = takes[take] if take is not None else max(takes, key=lambda each: times[each[1] - 1] - times[each[0]])
    if stop - start < FEWEST:
        raise InputError(f"{name}: its longest stretch with a face has {stop - start} frames; give a longer video")
    face = followed.face.slice(start, stop)
    result = of_landmarks(face, model, camera, fps)
    spans = tuple((float(times[a]), float(times[b - 1] + 1 / followed.face.fps)) for a, b in takes)
    quality = measure_quality(face, result.fit, followed, spans)
    return Track(**{**result.__dict__, "takes": spans, "quality": quality, "how": followed.how})


def of_landmarks(face: FaceLandmarks, model: LandmarkModel, camera: Pinhole, fps: float | None = 25.0) -> Track:
    """Fit a head to landmarks; frames without a face are interpolated.

    Args:
        face: landmarks; the first and the last frame must have a face.
        model: the head's landmarks.
        camera: camera of the video.
        fps: frames per second of the motion; None for those of the landmarks.
    """
    detected, face = face.detected, bridged(face)
    fitted = fit(face, model, camera)
    rate = face.fps if fps is None else fps
    motion = motion_of(fitted, face.times, rate)
    quality = measure_quality(face, fitted)
    span = (float(face.times[0]), float(face.times[-1] + 1 / face.fps))
    return Track(motion, fitted.identity.astype(np.float32), span[0], (span,), quality, face, detected, fitted)


def bridged(face: FaceLandmarks) -> FaceLandmarks:
    """Fill gaps by linear interpolation between the landmarks before and after."""
    detected = face.detected
    if detected.all():
        return face
    points = at_times(face.times[detected], face.points[detected], face.times)
    return FaceLandmarks(points.astype(np.float32), face.times, face.size)


def motion_of(fitted: Fit, times: np.ndarray, fps: float) -> Motion:
    """Return a fit as motion at a constant frame rate, from the first frame of the fit."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / fps
    n_frames = max(1, int(np.floor((times[-1] - times[0] + step) * fps + 0.5)))
    frame_times = times[0] + np.arange(n_frames) / fps
    turns = continuous_vectors(vectors_of(fitted.pose.rotation))
    model = fitted.model
    expression, jaw = model.split(at_times(times, fitted.weights, frame_times))
    names = model.names[: expression.shape[1]]
    return Motion(expression, names, at_times(times, turns, frame_times), fps, model.head.name, jaw_pose=jaw)
