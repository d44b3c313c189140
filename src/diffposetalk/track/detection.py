"""Faces in single pictures: MediaPipe's 478 landmarks, by its Tasks API with a model file or by an older wheel's own models."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.asset_folder import asset_folder, placed
from diffposetalk.geometry.landmarks import N_MEDIAPIPE

MOST_FACES = 4
"""As many faces as are looked for in one picture."""
HOW_TO_GET = (
    "put MediaPipe's face_landmarker.task into the folder {folder}, or name it with --landmarker FILE, "
    'or install a wheel that brings its own models: pip install "mediapipe<=0.10.21" "numpy<2"'
)


class FaceFinder(Protocol):
    """Finds faces in the pictures of a video, one after the other."""

    @property
    def how(self) -> str:
        """What finds them, for reports."""
        ...

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Find the faces of the next picture.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            time_s: seconds; must grow from call to call, `restart` aside.

        Returns:
            Per face `(478, 3)` float32: x and y in pixels from the upper left corner, and depth in pixels, smaller toward
            the camera, 0 about the middle of the head.
        """
        ...

    def restart(self) -> None:
        """Forget the pictures before, as at a cut."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_finder(model: str | Path | None = None, n_faces: int = 1, still: bool = False) -> FaceFinder:
    """Choose how faces are found: a model file that was given, one in the asset folder, else the wheel's own models.

    Args:
        model: MediaPipe's `face_landmarker.task`; none for what is there.
        n_faces: how many faces to follow at most.
        still: look at every picture afresh instead of following the faces from one to the next.

    Raises:
        InputError: MediaPipe is not installed, or has no models; the message says what to do.
    """
    if model is not None and not Path(model).is_file():
        raise InputError(f"{model}: no such file; it should be MediaPipe's face_landmarker.task")
    with _quiet():
        try:
            import mediapipe
        except ImportError as error:
            raise InputError(
                'finding faces in video needs MediaPipe: pip install "diffposetalk[track]"'
                + (f" ({error})" if error.name != "mediapipe" else "")
            ) from None
    found = [Path(model)] if model is not None else placed("face-landmarker")
    if found:
        return TasksFinder(found[0], n_faces, still)
    if getattr(mediapipe, "solutions", None) is not None:
        return WheelFinder(n_faces, still)
    version = getattr(mediapipe, "__version__", "?")
    how = HOW_TO_GET.format(folder=asset_folder())
    raise InputError(f"this MediaPipe ({version}) brings no models of its own: {how}")


class _Finder:
    """What both ways share: an engine that is opened late and closed surely."""

    def __init__(self, n_faces: int, still: bool) -> None:
        self.n_faces, self.still = n_faces, still
        self._engine: Any = None
        self._last_ms = -1

    def restart(self) -> None:
        """Forget the pictures before."""
        if self._engine is not None:
            self._engine.close()
        self._engine, self._last_ms = None, -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restart()


class TasksFinder(_Finder):
    """MediaPipe's Tasks API (0.10 and later) with a `face_landmarker.task`."""

    def __init__(self, model: Path, n_faces: int = 1, still: bool = False) -> None:
        """Name the model file; it is opened with the first picture."""
        super().__init__(n_faces, still)
        self.model = model

    @property
    def how(self) -> str:
        """What finds the faces."""
        return f"MediaPipe Tasks, {self.model.name}"

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Find the faces of the next picture; see `FaceFinder.find`."""
        import mediapipe

        # some versions read a picture as if its rows had no gaps between them
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        with _quiet():
            if self._engine is None:
                self._engine = self._open()
            if self.still:
                result = self._engine.detect(image)
            else:
                self._last_ms = max(self._last_ms + 1, round(1000 * time_s))
                result = self._engine.detect_for_video(image, self._last_ms)
        return [_pixels(face, picture) for face in result.face_landmarks]

    def _open(self) -> Any:
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        mode = vision.RunningMode.IMAGE if self.still else vision.RunningMode.VIDEO
        try:
            options = vision.FaceLandmarkerOptions(
                base_options=tasks.BaseOptions(model_asset_buffer=self.model.read_bytes()),
                running_mode=mode,
                num_faces=self.n_faces,
            )
            return vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).partition("\n")[0][:120]
            raise InputError(
                f"{self.model}: is not a face_landmarker.task that MediaPipe can open ({reason})"
            ) from None


class WheelFinder(_Finder):
    """The face mesh whose models older MediaPipe wheels (up to 0.10.21) bring with them."""

    @property
    def how(self) -> str:
        """What finds the faces."""
        return "MediaPipe face mesh of the installed wheel"

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Find the faces of the next picture; see `FaceFinder.find`."""
        import mediapipe

        with _quiet():
            if self._engine is None:
                self._engine = mediapipe.solutions.face_mesh.FaceMesh(
                    static_image_mode=self.still, max_num_faces=self.n_faces, refine_landmarks=True
                )
            result = self._engine.process(np.ascontiguousarray(picture))
        return [_pixels(face.landmark, picture) for face in result.multi_face_landmarks or ()]


def _pixels(landmarks: Any, picture: np.ndarray) -> np.ndarray:
    """Return MediaPipe's landmarks, which are parts of the picture's width and height, in pixels."""
    height, width = picture.shape[:2]
    points = np.array([(p.x, p.y, p.z) for p in landmarks], np.float32)
    if points.shape != (N_MEDIAPIPE, 3):
        raise InputError(f"the face model gives {len(points)} landmarks, not {N_MEDIAPIPE} (with both irises)")
    return points * np.array([width, height, width], np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what MediaPipe's libraries print straight to the error stream to themselves."""
    with contextlib.ExitStack() as stack:
        try:
            sys.stderr.flush()
            saved = os.dup(2)
            sink = os.open(os.devnull, os.O_WRONLY)
        except OSError:  # a process without an error stream
            yield
            return
        stack.callback(os.close, saved)
        stack.callback(os.close, sink)
        stack.callback(os.dup2, saved, 2)
        os.dup2(sink, 2)
        yield
