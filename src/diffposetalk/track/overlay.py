"""Draw the fitted head over the video, to check the fit by eye."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.media import Recording, VideoWriter, probe, read_frames
from diffposetalk.progress import Progress
from diffposetalk.track.fit import Fit
from diffposetalk.track.result import Track

SEEN = (255, 210, 0)
"""Colour of the tracked landmarks."""
FITTED = (255, 60, 60)
"""Colour of the head's landmarks."""
MESH = (90, 220, 255)
"""Colour of the head's wire frame."""
LARGEST = 1280
"""Longer side of the overlay, pixels."""
NEAR = 5.0
"""Ratio of the picture's longer side to that of the face's path from which on only the part with the face is shown."""
ENLARGED = 720
"""Longer side of such a part in the overlay, about, in pixels."""


@dataclass(frozen=True)
class View:
    """The part of a video's pictures that is shown, and how large."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float

    @staticmethod
    def of(track: Track) -> View:
        """Choose the whole picture, or the part with the face where this is far away."""
        size = np.array(track.face.size)
        points = track.face.points[..., :2]
        low, high = points.min((0, 1)), points.max((0, 1))
        longer = float((high - low).max())
        if longer * NEAR >= size.max():
            return View(0, 0, int(size[0]), int(size[1]), min(1.0, LARGEST / float(size.max())))
        low, high = np.clip(low - longer / 2, 0, size).astype(int), np.clip(high + longer / 2, 0, size).astype(int)
        scale = max(1.0, ENLARGED / float((high - low).max()))
        return View(int(low[0]), int(low[1]), int(high[0]), int(high[1]), scale)

    def show(self, picture: np.ndarray) -> np.ndarray:
        """Cut the part out of a picture ``(H, W, 3)``, with sides that are even."""
        from PIL import Image

        width, height = self.right - self.left, self.bottom - self.top
        size = (max(2, round(width * self.scale) // 2 * 2), max(2, round(height * self.scale) // 2 * 2))
        part = picture[self.top : self.bottom, self.left : self.right]
        if self.scale == 1.0:
            return np.ascontiguousarray(part[: size[1], : size[0]])
        return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize(size))

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return where points of the whole picture ``(..., 2)`` are shown."""
        return (points - (self.left, self.top)) * self.scale


def write_overlay(video: str | Path, track: Track, path: str | Path, progress: Progress | None = None) -> None:
    """Write a video with the fitted head's wire and the landmarks over the pictures, with the video's sound.

    Of pictures in which the face is small only the part around it is shown, enlarged.

    Args:
        video: what was tracked.
        track: track of the video.
        path: ends in `.mp4`.
        progress: called with the seconds that are drawn, of so many.

    Raises:
        InputError: the video cannot be read.
        DiffPoseTalkError: the overlay cannot be written.
    """
    info, times = probe(video), track.face.times.tolist()
    sound = Recording(Path(video), track.start_s) if info.audio_codec else None
    with VideoWriter(path, fps=track.face.fps, audio=sound) as writer:
        for picture in at_even_rate(overlays(video, track), times[0], track.face.fps):
            writer.write(picture)
            if progress is not None:
                progress(writer.n_frames / track.face.fps, times[-1] - times[0], "drawing")


def at_even_rate(pictures: Iterable[tuple[float, np.ndarray]], start_s: float, fps: float) -> Iterator[np.ndarray]:
    """Yield pictures at an even rate: each is repeated until the next is due, and of two in one frame the later counts.

    Args:
        pictures: time in seconds and picture, in order.
        start_s: time of the first frame.
        fps: frames per second.
    """
    n_frames, shown = 0, None
    for time_s, picture in pictures:
        due = round((time_s - start_s) * fps)
        while shown is not None and n_frames < due:
            yield shown
            n_frames += 1
        shown = picture
    if shown is not None:
        yield shown


def overlays(video: str | Path, track: Track) -> Iterator[tuple[float, np.ndarray]]:
    """Yield time and picture with the head drawn in, frame by frame of the take."""
    (faces, skin), view = _wire(track), View.of(track)
    times, frame = track.face.times, 0
    for time_s, picture in read_frames(video, times[0], times[-1] + 1e-3):
        if frame < len(times) and abs(time_s - times[frame]) < 1e-4:
            yield time_s, draw(view.show(picture), track, frame, faces, skin, view)
            frame += 1


def draw(picture: np.ndarray, track: Track, frame: int, faces: np.ndarray, skin: np.ndarray, view: View) -> np.ndarray:
    """Draw one frame of a track into what is shown of its picture, ``(H, W, 3)``.

    Only triangles `faces` of the vertices `skin` that look at the camera are drawn.
    """
    from PIL import Image, ImageDraw

    fit = track.fit
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image, "RGBA")
    places = view.place(_projected(fit, frame, skin, track.identity))
    one, two, three = (places[faces[:, corner]] for corner in range(3))
    toward = (two - one)[:, 0] * (three - one)[:, 1] - (two - one)[:, 1] * (three - one)[:, 0] < 0  # y points down
    front = faces[toward]
    edges = np.unique(np.sort(np.concatenate([front[:, [0, 1]], front[:, [1, 2]], front[:, [2, 0]]]), 1), axis=0)
    for a, b in places[edges].reshape(-1, 2, 2):
        pen.line([tuple(a), tuple(b)], fill=(*MESH, 110))
    own = fit.camera.project(fit.pose.pick(slice(frame, frame + 1)).place(fit.model.place(fit.weights[[frame]])))
    for points, colour in ((track.face.points[frame, :, :2], SEEN), (own[0], FITTED)):
        for x, y in view.place(points):
            pen.ellipse([x - 1, y - 1, x + 1, y + 1], fill=(*colour, 255))
    return np.asarray(image)


def _wire(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """Return the triangles ``(m, 3)`` of the face's skin, as rows of the vertices ``(k,)`` that they join."""
    head = track.fit.model.head
    rest = head.mesh().vertices
    marks = track.fit.model.rest
    near = head.regions.get("skin", np.arange(len(rest)))
    low, high = marks.min(0) - 0.01, marks.max(0) + 0.01
    near = near[((rest[near] > low) & (rest[near] < high)).all(1)]
    held = np.zeros(len(rest), bool)
    held[near] = True
    faces = head.faces[held[head.faces].all(1)]
    used = np.unique(faces)
    return np.searchsorted(used, faces), used


def _projected(fit: Fit, frame: int, skin: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Return where vertices appear in a frame, ``(k, 2)`` pixels."""
    expression, jaw = fit.model.split(fit.weights[[frame]].astype(np.float32))
    local = np.asarray(fit.model.head.vertices(expression, jaw_pose=jaw, identity=identity), np.float64)[:, skin]
    return fit.camera.project(fit.pose.pick(slice(frame, frame + 1)).place(local))[0]
