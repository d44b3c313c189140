"""Main face of a video from frame to frame, with cuts, lost frames and other faces."""

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
"""Longest loss of the face inside a take, seconds."""
LOOK_S = 2.0
"""Interval of the searches for several faces in the whole picture, seconds."""


class NoFaceError(InputError):
    """A video shows no face."""


@dataclass(frozen=True)
class OtherFace:
    """Another face in the picture."""

    start_s: float
    end_s: float
    box: tuple[int, int, int, int]
    """Left, upper, right, lower edge in pixels, at its beginning."""


@dataclass(frozen=True)
class Watched:
    """Faces, cuts and takes of a video."""

    face: FaceLandmarks
    """The main face, over all frames."""
    cuts: tuple[int, ...]
    """Frames with which new shots begin."""
    others: tuple[OtherFace, ...]
    sharpness: np.ndarray = field(repr=False)
    """``(T,)`` how much detail the face's picture has: mean steps between its pixels over its contrast; about 0.1 and
    above is sharp."""
    how: str = ""
    """What found the faces."""

    def takes(self) -> list[tuple[int, int]]:
        """Return the frames ``(start, stop)`` of stretches without cut and without long losses, in order of time."""
        takes: list[tuple[int, int]] = []
        seen, times = np.flatnonzero(self.face.seen), self.face.times
        for frame in seen:
            if takes:
                last = takes[-1][1] - 1
                cut = any(last < each <= frame for each in self.cuts)
                if not cut and times[frame] - times[last] <= LOST_S:
                    takes[-1] = (takes[-1][0], int(frame) + 1)
                    continue
            takes.append((int(frame), int(frame) + 1))
        return takes


def watch(
    path: str | Path,
    model: str | Path | None = None,
    progress: Progress | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
) -> Watched:
    """Follow the main face of a video: the one that fills most of the picture for longest.

    Args:
        path: any video file.
        model: MediaPipe's `face_landmarker.task`; None to choose one, see `model_file`.
        progress: called with the seconds done and the total.
        start_s: where to begin, seconds from the video's beginning; times are counted from that beginning all the same.
        seconds: length to track; None for the rest of the video.

    Raises:
        NoFaceError: the video shows no face.
        InputError: the file is no video, ends before `start_s`, or MediaPipe is missing.
    """
    path = Path(path)
    info = probe(path)
    if info.video_codec is None:
        raise InputError(f"{path}: has no moving pictures")
    stop_s = math.inf if seconds is None else start_s + seconds
    if info.duration is not None and start_s >= info.duration:
        raise InputError(f"{path}: ends after {info.duration:.2f} s; begin before that, not at {start_s:g} s")
    duration = None if info.duration is None else min(stop_s, info.duration) - start_s
    finder = _finder_for(path, model, start_s, stop_s)
    if finder is not None:
        with finder:
            shots = _faces(read_frames(path, start_s, stop_s), finder, start_s, duration, progress)
            watched = followed(*shots, how=finder.how)
        if watched.face.seen.any():
            return watched
    raise NoFaceError(f"{path}: shows no face; give a video in which a face is seen upright and from the front")


def _finder_for(path: Path, model: str | Path | None, start_s: float, stop_s: float) -> FaceFinder | None:
    """Choose a finder by looking at pictures at intervals: one for as many faces as are visible at once, else one for the
    largest face that only parts of the pictures show; None if no face is visible."""
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
    """Find all faces of all frames; return times, faces, cuts, sharpness of each face, and the pictures' size."""
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


def followed(
    times: list[float],
    faces: list[list[np.ndarray]],
    cuts: list[int],
    details: list[list[float]],
    size: tuple[int, int],
    how: str = "",
) -> Watched:
    """Join faces of single frames to paths, and choose in every shot the one that fills most of the picture for longest.

    Args:
        times: of the frames, seconds.
        faces: per frame, per face ``(478, 3)`` pixels.
        cuts: frames with which new shots begin.
        details: sharpness of each face.
        size: width and height of the pictures.
        how: what found the faces.
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
    return Watched(face, tuple(cuts), tuple(others), sharp, how)


def _extent(face: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a face's middle ``(2,)`` and size, pixels."""
    flat = face[:, :2]
    return flat.mean(0), float(np.linalg.norm(flat.std(0)) * 2)


def _paths(faces: list[list[np.ndarray]], start: int, stop: int, times: list[float]) -> list[dict[int, int]]:
    """Join the faces of a shot to paths: each to the path whose last face is nearest. A path maps frame to face number."""
    paths: list[dict[int, int]] = []
    for frame in range(start, stop):
        taken: set[int] = set()
        pairs = sorted(_pairs(faces, frame, paths, times), key=lambda each: each[0])
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
    """Yield distance in face sizes, face and path, for all that may belong together."""
    for index, path in enumerate(paths):
        last = max(path)
        if times[frame] - times[last] > LOST_S:
            continue
        middle, size = _extent(faces[last][path[last]])
        for which, face in enumerate(faces[frame]):
            here, now = _extent(face)
            yield float(np.linalg.norm(here - middle) / size + abs(np.log(now / size))), which, index


def _alike(faces: list[list[np.ndarray]], main: dict[int, int], path: dict[int, int]) -> bool:
    """Return whether a path continues an interrupted one: of similar size and at a similar place."""
    near = min(main, key=lambda frame: min(abs(frame - min(path)), abs(frame - max(path))))
    middle, size = _extent(faces[near][main[near]])
    here, now = _extent(faces[min(path)][path[min(path)]])
    return bool(np.linalg.norm(here - middle) < 2 * size and 0.5 < now / size < 2)


SIDE = 128
"""Rows and columns of the grid on which the sharpness of a face is measured."""
CALM = 3
"""Width of the running mean that removes noise of codecs and sensors."""
REBLUR = 9
"""Width of the running mean that removes detail."""


def sharpness(picture: np.ndarray, face: np.ndarray) -> float:
    """Measure the sharpness of a face by how much detail another blur removes, independent of light and contrast.

    The part of the squared steps between neighbouring pixels that a running mean removes, in the direction where it
    removes less. Measured on ten clips, compressed anew or not: 0.46 to 0.66 sharp, 0.22 to 0.39 with a blur (Gaussian
    spread) of 5 % of the distance of the eyes, 0.12 to 0.30 with 9 %, where lips can no longer be read.

    Args:
        picture: ``(H, W, 3)`` uint8.
        face: ``(478, 3)`` pixels.

    Source: Crete, Dolmiere, Ladret, Nicolas: The blur effect (2007); here of a grid that grows with the face, with
    squares, so that the edges of a codec's blocks do not pass for detail.
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
    return min(_taken(gray), _taken(gray.T))


def _running_mean(gray: np.ndarray, width: int) -> np.ndarray:
    """Return the means of `width` rows about each."""
    sums = np.cumsum(np.pad(gray, ((width // 2 + 1, width // 2), (0, 0)), "edge"), axis=0)
    return (sums[width:] - sums[:-width]) / width


def _taken(gray: np.ndarray) -> float:
    """Return the part of the squared steps from row to row that a running mean removes."""
    steps, left = (np.diff(rows, axis=0) ** 2 for rows in (gray, _running_mean(gray, REBLUR)))
    return float(np.maximum(0, steps - left).sum() / max(steps.sum(), 1e-6))
