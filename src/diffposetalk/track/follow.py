"""The main face of a video, followed through cuts, lost frames and other faces."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.geometry.landmarks import N_MEDIAPIPE
from diffposetalk.media import probe, read_frames
from diffposetalk.progress import Progress
from diffposetalk.track.detection import MOST_FACES, FaceFinder, open_finder
from diffposetalk.track.landmarks import FaceLandmarks
from diffposetalk.track.search import SearchingFinder, largest

CUT = 0.10
"""Smallest difference of neighbouring pictures at a cut: mean over a coarse grid, as a share of full scale."""
CUT_RATIO = 4.0
"""Smallest ratio of that difference to the usual difference before a cut."""
GRID = 40
"""Number of rows and columns of that grid."""
LOST_S = 0.5
"""Longest time without a detected face inside a take, seconds."""
LOOK_S = 2.0
"""Interval between searches for several faces in the whole picture, seconds."""


class NoFaceError(InputError):
    """A video shows no face."""


@dataclass(frozen=True)
class OtherFace:
    """Another face in the picture."""

    start_s: float
    end_s: float
    box: tuple[int, int, int, int]
    """Left, upper, right and lower edge at `start_s`, pixels."""


@dataclass(frozen=True)
class FollowedFace:
    """The main face of a video, with the cuts and the other faces."""

    face: FaceLandmarks
    """The main face, over all frames."""
    cuts: tuple[int, ...]
    """Frames with which new shots begin."""
    others: tuple[OtherFace, ...]
    sharpness: np.ndarray = field(repr=False)
    """``(T,)`` sharpness of the face's picture, see `sharpness`; NaN where lost."""
    how: str = ""
    """Name of the landmark detector."""

    def takes(self) -> list[tuple[int, int]]:
        """Return the takes as frames ``(start, stop)``, in order of time: they contain no cut and no long loss of the face."""
        takes: list[tuple[int, int]] = []
        detected, times = np.flatnonzero(self.face.detected), self.face.times
        for frame in detected:
            if takes:
                last = takes[-1][1] - 1
                cut = any(last < first <= frame for first in self.cuts)
                if not cut and times[frame] - times[last] <= LOST_S:
                    takes[-1] = (takes[-1][0], int(frame) + 1)
                    continue
            takes.append((int(frame), int(frame) + 1))
        return takes


def follow_main_face(
    path: str | Path,
    model: str | Path | None = None,
    progress: Progress | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
) -> FollowedFace:
    """Follow the main face of a video: the one that fills most of the picture for longest.

    Args:
        path: any video file.
        model: MediaPipe's `face_landmarker.task`; None to choose one, see `model_file`.
        progress: called with the seconds done and the total.
        start_s: start of the tracked part, seconds from the beginning of the video. The times of the result are also
            counted from the beginning of the video.
        seconds: length to track; None for the rest of the video.

    Raises:
        NoFaceError: the video shows no face.
        InputError: the file is not a video or ends before `start_s`, or MediaPipe is missing.
    """
    path = Path(path)
    info = probe(path)
    if info.video_codec is None:
        raise InputError(f"{path}: has no moving pictures")
    stop_s = math.inf if seconds is None else start_s + seconds
    if info.duration is not None and start_s >= info.duration:
        raise InputError(f"{path}: is {info.duration:.2f} s long; start before that, not at {start_s:g} s")
    duration = None if info.duration is None else min(stop_s, info.duration) - start_s
    finder = _finder_for(path, model, start_s, stop_s)
    if finder is not None:
        with finder:
            shots = _faces(read_frames(path, start_s, stop_s), finder, start_s, duration, progress)
            followed = choose_main_face(*shots, how=finder.how)
        if followed.face.detected.any():
            return followed
    raise NoFaceError(f"{path}: shows no face; give a video with an upright face, seen from the front")


def _finder_for(path: Path, model: str | Path | None, start_s: float, stop_s: float) -> FaceFinder | None:
    """Choose a landmark detector from samples of the pictures.

    If faces are detected in whole pictures, the detector finds as many as are visible at once. If faces are detected only
    in parts of the pictures because they are small, it finds the largest. If there is no face, return None.
    """
    most, small, due, due_parts, empty = 0, False, start_s, start_s, True
    with open_finder(model, MOST_FACES, still=True) as finder:
        for time_s, picture in read_frames(path, start_s, stop_s):
            empty = False
            if time_s < due:
                continue
            most = max(most, len(finder.find(picture, time_s)))
            due = time_s + (LOOK_S if most else LOOK_S / 8)
            if not most and not small and time_s >= due_parts:
                small = largest(picture, finder, time_s) is not None
                due_parts = time_s + LOOK_S
    if empty:
        raise InputError(f"{path}: holds no pictures")
    if most:
        return open_finder(model, most)
    return SearchingFinder(model) if small else None


def _faces(
    frames: Iterable[tuple[float, np.ndarray]],
    finder: FaceFinder,
    start_s: float,
    duration: float | None,
    progress: Progress | None,
) -> tuple[list[float], list[list[np.ndarray]], list[int], list[list[float]], tuple[int, int]]:
    """Detect all faces of all frames; return times, faces, cuts, the sharpness of each face, and the size of the pictures."""
    times: list[float] = []
    faces: list[list[np.ndarray]] = []
    details: list[list[float]] = []
    cuts: list[int] = []
    before, usual, size = None, 0.02, (0, 0)
    for time_s, picture in frames:
        if times and time_s <= times[-1]:
            continue  # a frame shown twice
        size = (picture.shape[1], picture.shape[0])
        small = picture[:: max(1, size[1] // GRID), :: max(1, size[0] // GRID)].astype(np.float32) / 255
        if before is not None and before.shape == small.shape:
            step = float(np.abs(small - before).mean())
            if step > CUT and step > CUT_RATIO * usual:
                cuts.append(len(times))
                finder.restart()
            else:
                usual = 0.9 * usual + 0.1 * step
        before = small
        visible = finder.find(picture, time_s)
        times.append(time_s)
        faces.append(visible)
        details.append([sharpness(picture, face) for face in visible])
        if progress is not None:
            progress(time_s - start_s, duration, "looking")
    return times, faces, cuts, details, size


def choose_main_face(
    times: list[float],
    faces: list[list[np.ndarray]],
    cuts: list[int],
    details: list[list[float]],
    size: tuple[int, int],
    how: str = "",
) -> FollowedFace:
    """Join the faces of single frames to paths, and choose in every shot the path with the largest area times duration.

    Args:
        times: times of the frames, seconds.
        faces: for each frame, ``(478, 3)`` landmarks in pixels of each face.
        cuts: frames with which new shots begin.
        details: sharpness of each face.
        size: width and height of the pictures.
        how: name of the landmark detector.
    """
    points = np.full((len(times), N_MEDIAPIPE, 3), np.nan, np.float32)
    sharp = np.full(len(times), np.nan, np.float32)
    others: list[OtherFace] = []
    edges = [0, *cuts, len(times)]
    for start, stop in itertools.pairwise(edges):
        paths = _paths(faces, start, stop, times)
        paths.sort(key=lambda path: -sum(_extent(faces[t][k])[1] ** 2 for t, k in path.items()))
        main: dict[int, int] = {}
        for path in paths:
            where = next(iter(path))
            alone = not set(path) & set(main)
            if not main or (alone and _alike(faces, main, path)):
                main |= path
            elif len(path) > 2:
                low, high = (getattr(faces[where][path[where]][:, :2], end)(0) for end in ("min", "max"))
                box = tuple(int(value) for value in (*low, *high))
                others.append(OtherFace(times[min(path)], times[max(path)], box))  # type: ignore[arg-type]
        for frame, which in main.items():
            points[frame], sharp[frame] = faces[frame][which], details[frame][which]
    face = FaceLandmarks(points, np.asarray(times, np.float64), size)
    return FollowedFace(face, tuple(cuts), tuple(others), sharp, how)


def _extent(face: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the centre ``(2,)`` and the size of a face, pixels."""
    flat = face[:, :2]
    return flat.mean(0), float(np.linalg.norm(flat.std(0)) * 2)


def _paths(faces: list[list[np.ndarray]], start: int, stop: int, times: list[float]) -> list[dict[int, int]]:
    """Join each face of a shot to the path whose last face is nearest. A path maps a frame to the number of its face."""
    paths: list[dict[int, int]] = []
    for frame in range(start, stop):
        taken: set[int] = set()
        pairs = sorted(_pairs(faces, frame, paths, times), key=lambda pair: pair[0])
        used: set[int] = set()
        for distance, which, path in pairs:
            if distance < 1 and which not in taken and path not in used:
                paths[path][frame] = which
                taken.add(which)
                used.add(path)
        paths += [{frame: which} for which in range(len(faces[frame])) if which not in taken]
    return paths


def _pairs(
    faces: list[list[np.ndarray]], frame: int, paths: list[dict[int, int]], times: list[float]
) -> Iterator[tuple[float, int, int]]:
    """Yield distance in face sizes, face and path, for all faces and paths that may belong together."""
    for index, path in enumerate(paths):
        last = max(path)
        if times[frame] - times[last] > LOST_S:
            continue
        middle, size = _extent(faces[last][path[last]])
        for which, face in enumerate(faces[frame]):
            here, now = _extent(face)
            yield float(np.linalg.norm(here - middle) / size + abs(np.log(now / size))), which, index


def _alike(faces: list[list[np.ndarray]], main: dict[int, int], path: dict[int, int]) -> bool:
    """Return whether a path continues an interrupted one: its size and place are similar."""
    near = min(main, key=lambda frame: min(abs(frame - min(path)), abs(frame - max(path))))
    middle, size = _extent(faces[near][main[near]])
    here, now = _extent(faces[min(path)][path[min(path)]])
    return bool(np.linalg.norm(here - middle) < 2 * size and 0.5 < now / size < 2)


SIDE = 128
"""Rows and columns of the grid on which the sharpness of a face is measured."""
CALM = 3
"""Width in rows of the running mean that removes noise of codecs and sensors."""
REBLUR = 9
"""Width in rows of the running mean that removes detail."""


def sharpness(picture: np.ndarray, face: np.ndarray) -> float:
    """Measure the sharpness of a face: how much detail a further blur removes, independent of light and contrast.

    The sharpness is the share of the squared differences of neighbouring pixels that a running mean removes, in the
    direction in which it removes less. Ten clips, compressed again or not, gave 0.46 to 0.66. With a Gaussian blur of 5 %
    of the inter-ocular distance they gave 0.22 to 0.39. With 9 %, where lips can no longer be read: 0.12 to 0.30.

    Args:
        picture: ``(H, W, 3)`` uint8.
        face: ``(478, 3)`` pixels.

    Source: Crete, Dolmiere, Ladret, Nicolas: The blur effect (2007). Here the grid grows with the face, and differences are
    squared so that the block edges of a codec do not count as detail.
    """
    low, high = face[:, :2].min(0), face[:, :2].max(0)
    columns, rows = (np.linspace(low[axis], high[axis], SIDE) for axis in (0, 1))
    x = np.clip(columns.round().astype(int), 0, picture.shape[1] - 1)
    y = np.clip(rows.round().astype(int), 0, picture.shape[0] - 1)
    gray = picture[y[:, None], x[None], 1].astype(np.float64)
    if gray.std() < 1:
        return 0.0
    for _ in range(2):
        gray = _running_mean(_running_mean(gray, CALM).T, CALM).T
    return min(_removed_share(gray), _removed_share(gray.T))


def _running_mean(gray: np.ndarray, width: int) -> np.ndarray:
    """Return the mean of the `width` rows around each row."""
    sums = np.cumsum(np.pad(gray, ((width // 2 + 1, width // 2), (0, 0)), "edge"), axis=0)
    return (sums[width:] - sums[:-width]) / width


def _removed_share(gray: np.ndarray) -> float:
    """Return the share of the squared differences from row to row that a running mean removes."""
    steps, left = (np.diff(rows, axis=0) ** 2 for rows in (gray, _running_mean(gray, REBLUR)))
    return float(np.maximum(0, steps - left).sum() / max(steps.sum(), 1e-6))
