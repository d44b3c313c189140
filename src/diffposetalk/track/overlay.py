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

DETECTED = (255, 210, 0)
"""Colour of the tracked landmarks."""
FITTED = (255, 60, 60)
"""Colour of the head's landmarks."""
MESH = (90, 220, 255)
"""Colour of the head's wire frame."""
LARGEST = 1280
"""Longer side of the overlay, pixels."""
NEAR = 5.0
"""If the picture is larger than the region of the face by more than this factor, only the part with the face is shown."""
ENLARGED = 720
"""Approximate longer side of such a part in the overlay, pixels."""


@dataclass(frozen=True)
class View:
    """The part of the pictures that is shown, and its scale."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float

    @staticmethod
    def of(track: Track) -> View:
        """Return the view of the whole picture, or of the part with the face if the face is small."""
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
        """Crop and scale a picture ``(H, W, 3)``; width and height of the result are even."""
        from PIL import Image

        width, height = self.right - self.left, self.bottom - self.top
        size = (max(2, round(width * self.scale) // 2 * 2), max(2, round(height * self.scale) // 2 * 2))
        part = picture[self.top : self.bottom, self.left : self.right]
        if self.scale == 1.0:
            return np.ascontiguousarray(part[: size[1], : size[0]])
        return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize(size))

    def place(self, points: np.ndarray) -> np.ndarray:
        """Convert points ``(..., 2)`` of the whole picture to points of the view."""
        return (points - (self.left, self.top)) * self.scale


def write_overlay(video: str | Path, track: Track, path: str | Path, progress: Progress | None = None) -> None:
    """Write the video with a wire frame of the fitted head, the landmarks and the sound.

    If the face is small, only the part around it is shown, enlarged.

    Args:
        video: the tracked video.
        track: track of the video.
        path: output, `.mp4`.
        progress: called with the seconds done and the total.

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
    """Yield pictures at a constant rate: a picture is repeated until the next one is due; of two pictures in one frame, the
    later is used.

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
    """Yield time and picture with the drawn head, for each frame of the take."""
    (faces, skin), view = _wire(track), View.of(track)
    times, frame = track.face.times, 0
    for time_s, picture in read_frames(video, times[0], times[-1] + 1e-3):
        if frame < len(times) and abs(time_s - times[frame]) < 1e-4:
            yield time_s, draw(view.show(picture), track, frame, faces, skin, view)
            frame += 1


def draw(picture: np.ndarray, track: Track, frame: int, faces: np.ndarray, skin: np.ndarray, view: View) -> np.ndarray:
    """Draw one frame of a track into the view of its picture, ``(H, W, 3)``.

    Of the triangles `faces` between the vertices `skin`, those that face the camera are drawn.
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
    for points, colour in ((track.face.points[frame, :, :2], DETECTED), (own[0], FITTED)):
        for x, y in view.place(points):
            pen.ellipse([x - 1, y - 1, x + 1, y + 1], fill=(*colour, 255))
    return np.asarray(image)


def _wire(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """Return triangles ``(m, 3)`` of the face's skin as indices into the second result, vertex indices ``(k,)`` of the head."""
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
    """Return the projections of vertices in a frame, ``(k, 2)`` pixels."""
    expression, jaw = fit.model.split(fit.weights[[frame]].astype(np.float32))
    local = np.asarray(fit.model.head.vertices(expression, jaw_pose=jaw, identity=identity), np.float64)[:, skin]
    return fit.camera.project(fit.pose.pick(slice(frame, frame + 1)).place(local))[0]
