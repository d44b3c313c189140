"""Filmed speech, from which a teacher learns the lip gap: videos, and beside them what a face tracker saw.

    tracks.npz     of a whole folder: `<name>/gap (T,)`, the inner-lip gap of `<name>.mp4` at 25 frames a second
    <name>.npz     or of each video: the motion that `diffposetalk track <name>.mp4 -o <name>.npz` writes

A gap has no unit, because each folder's is standardised. It is NaN where no face was seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import read_npz
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.curves import at_times
from diffposetalk.head.shared import shared_head
from diffposetalk.media import VIDEOS
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.whisper import FEATURE_HZ, WhisperEncoder

TRACKS = "tracks.npz"
"""File with the lip gaps of a whole folder."""
TRACK_HZ = 25.0
"""Frames a second of the gaps; frame k belongs to the time k / 25 of the video."""
MOST_UNSEEN = 0.2
"""A video in which the face is missing in a larger share of the frames is left out."""


def load_gaps(folder: Path) -> dict[str, np.ndarray]:
    """Read the lip gaps of a folder of footage: ``(T,)`` by the video's name.

    Raises:
        InputError: the folder has neither `TRACKS` nor tracked motion beside a video, or a file is damaged.
    """
    if (folder / TRACKS).is_file():
        return read_tracks(folder / TRACKS)
    gaps = {
        name: read_motion_gap(video.with_suffix(".npz"))
        for name, video in _videos(folder).items()
        if video.with_suffix(".npz").is_file()
    }
    if not gaps:
        raise InputError(
            f"{folder}: no {TRACKS} and no tracked motion beside a video; "
            "make it with `diffposetalk track NAME.mp4 -o NAME.npz`"
        )
    return gaps


def read_tracks(path: Path) -> dict[str, np.ndarray]:
    """Read the lip gaps of `TRACKS`.

    Raises:
        InputError: it is missing or damaged, or there are none.
    """
    arrays = read_npz(path, "face tracks")
    gaps = {key.removesuffix("/gap"): array for key, array in arrays.items() if key.endswith("/gap")}
    if not gaps:
        raise InputError(f"{path}: holds no lip gaps (<name>/gap)")
    for name, gap in gaps.items():
        if gap.ndim != 1 or not len(gap) or gap.dtype.kind not in "fiu":
            raise InputError(f"{path}: {name[:60]}/gap must be a list of numbers, one for each frame")
    return {name: gap.astype(np.float64) for name, gap in gaps.items()}


def read_motion_gap(path: Path) -> np.ndarray:
    """Return the lip gap ``(T,)`` of a motion file of `diffposetalk track`; NaN where no face was seen.

    Raises:
        InputError: the file is missing or damaged, or its head does not define the gap.
    """
    motion = Motion.load(path)
    arrays = read_npz(path, "tracked motion")
    with parsing(path, "tracked motion"):
        gap = mouth_gap(motion, shared_head(motion.head))
        detected = np.asarray(arrays.get("seen", np.ones(len(gap), bool)), bool)
        start_s = float(arrays.get("start_s", 0.0))
        gap[~detected] = np.nan
        times = np.arange(int((start_s + motion.duration) * TRACK_HZ)) / TRACK_HZ
        whole = at_times(np.arange(len(gap)) / motion.fps, gap, times - start_s)
        whole[times < start_s - 0.5 / TRACK_HZ] = np.nan
    return whole


def filmed_clips(
    folder: Path, gaps: dict[str, np.ndarray], whisper: WhisperEncoder
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the Whisper features ``(N, D)`` of each video and the lip gap ``(N,)`` at their times."""
    videos = _videos(folder)
    for name, gap in sorted(gaps.items()):
        if name not in videos or np.isnan(gap).mean() > MOST_UNSEEN:
            continue
        features = whisper.features(Speech.load(videos[name], SAMPLE_RATE).samples).astype(np.float16)
        times = (np.arange(len(features)) + 0.5) / FEATURE_HZ
        yield features, at_times(np.arange(len(gap)) / TRACK_HZ, gap, times)


def _videos(folder: Path) -> dict[str, Path]:
    """Return the videos of a folder by their names.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of footage")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in VIDEOS}
