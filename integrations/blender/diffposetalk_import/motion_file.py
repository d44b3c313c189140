# SPDX-License-Identifier: Apache-2.0 OR GPL-3.0-or-later
"""Read and check motion files (`.npz`) with numpy alone."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

FORMAT_VERSION = 1
"""Newest format that the add-on reads."""
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".mp4", ".mkv", ".mov")
"""Suffixes of sound files, in the order in which they are looked for."""


class ImportProblem(Exception):
    """An import is impossible. The message is one line for the user."""


@dataclass(frozen=True)
class MotionFile:
    """Motion of a face. Axes: right-handed, Y up, face toward +Z, +X the subject's left. Angles in radians."""

    expression: np.ndarray
    """``(T, E)`` weights."""
    names: tuple[str, ...]
    """Names of the columns."""
    head_pose: np.ndarray
    """``(T, 3)`` axis-angle: +X nods down, +Y turns to the subject's left, +Z tilts toward the right shoulder."""
    jaw_pose: np.ndarray | None
    """``(T, 3)`` axis-angle, of heads with a jaw joint."""
    eye_pose: np.ndarray | None
    """``(T, 6)`` axis-angle of left and right eye, of heads with eye joints."""
    fps: float

    def __len__(self) -> int:
        return len(self.expression)

    def column(self, name: str) -> np.ndarray:
        """``(T,)`` weights of a channel; zeros where the motion lacks it."""
        return self.expression[:, self.names.index(name)] if name in self.names else np.zeros(len(self))


def load(path: str) -> MotionFile:
    """Read and check a motion file.

    Raises:
        ImportProblem: the file is missing or is not a motion file.
    """
    name = os.path.basename(path)
    if not os.path.isfile(path):
        raise ImportProblem(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # zip, header and decompression errors have no common base
        raise ImportProblem(
            f"{name}: not a motion file ({str(error).splitlines()[0] if str(error) else error!r})"
        ) from None
    missing = {"format_version", "fps", "expression", "expression_names", "head_pose"} - set(arrays)
    if missing:
        raise ImportProblem(f"{name}: not a motion file, it lacks {', '.join(sorted(missing))}")
    version = int(arrays["format_version"])
    if version > FORMAT_VERSION:
        raise ImportProblem(f"{name}: motion format {version} is newer than this add-on reads; update the add-on")
    names = tuple(str(channel) for channel in arrays["expression_names"])
    n_frames, fps = len(arrays["expression"]), float(arrays["fps"])
    if n_frames == 0:
        raise ImportProblem(f"{name}: the motion has no frames")
    if not (np.isfinite(fps) and 0 < fps <= 1000):
        raise ImportProblem(f"{name}: a frame rate of {fps:g} is impossible")
    shapes = {"expression": (n_frames, len(names)), "head_pose": (n_frames, 3)}
    shapes |= {key: (n_frames, width) for key, width in (("jaw_pose", 3), ("eye_pose", 6)) if key in arrays}
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise ImportProblem(f"{name}: {key} is {arrays[key].shape}, expected {shape}")
        if arrays[key].dtype.kind != "f" or not np.isfinite(arrays[key]).all():
            raise ImportProblem(f"{name}: {key} holds what is not a finite number")
    poses = {key: arrays[key].astype(np.float64) if key in arrays else None for key in ("jaw_pose", "eye_pose")}
    return MotionFile(
        arrays["expression"].astype(np.float64), names, arrays["head_pose"].astype(np.float64), fps=fps, **poses
    )


def sound_beside(path: str) -> str | None:
    """Return the sound file beside a motion with the same name, or None."""
    for suffix in SOUND_SUFFIXES:
        candidate = os.path.splitext(path)[0] + suffix
        if os.path.isfile(candidate):
            return candidate
    return None
