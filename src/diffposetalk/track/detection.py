"""Detection of faces: MediaPipe's 478 landmarks."""

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
from diffposetalk.files.asset_folder import placed
from diffposetalk.files.parsing import first_line, parsing
from diffposetalk.geometry.landmarks import N_MEDIAPIPE

MOST_FACES = 4
"""Largest number of faces that are detected in one picture."""
BUNDLED = Path(__file__).parents[1] / "assets" / "face_landmarker.task"
"""MediaPipe's Face Landmarker, version 1 of May 2023, as Google publishes it (Apache-2.0); SHA-256 in docs/tracking.md."""

LIBRARIES = "; on Debian or Ubuntu: apt-get install libegl1 libgles2"
"""Last part of an error message: system packages that MediaPipe needs."""


class FaceFinder(Protocol):
    """Detects faces in the pictures of a video, one after the other."""

    @property
    def how(self) -> str:
        """Name of the detector, for reports."""
        ...

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Find the faces of the next picture.

        Args:
            picture: ``(H, W, 3)`` uint8 RGB.
            time_s: seconds; must increase from call to call, except after `restart`.

        Returns:
            Per face ``(478, 3)`` float32: x and y in pixels from the upper left corner, and depth in pixels, smaller toward
            the camera, 0 about the middle of the head.
        """
        ...

    def restart(self) -> None:
        """Forget earlier pictures, as at a cut."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def model_file(model: str | Path | None = None) -> Path:
    """Return the face model: the given file, else the one in the asset folder, else the bundled one.

    Args:
        model: a `face_landmarker.task`; None to choose.

    Raises:
        InputError: there is no such file.
    """
    if model is None:
        return next(iter(placed("face-landmarker")), BUNDLED)
    if not Path(model).is_file():
        raise InputError(f"{model}: no such file; it should be MediaPipe's face_landmarker.task")
    return Path(model)


def open_finder(model: str | Path | None = None, n_faces: int = 1, still: bool = False) -> FaceFinder:
    """Open a detector.

    Args:
        model: MediaPipe's `face_landmarker.task`; None to choose, see `model_file`.
        n_faces: largest number of faces to follow.
        still: detect faces in every picture independently instead of following them from one picture to the next.

    Raises:
        InputError: there is no such file, or MediaPipe is not installed.
    """
    path = model_file(model)
    _check_mediapipe()
    return TasksFinder(path, n_faces, still)


def _check_mediapipe() -> None:
    """Raise an error if MediaPipe cannot be loaded."""
    with _quiet():
        try:
            import mediapipe  # noqa: F401 (whether it is there)
        except ImportError as error:
            because = "" if error.name == "mediapipe" else f" ({first_line(error)})"
            raise InputError(
                f'finding faces in video needs MediaPipe: pip install "diffposetalk[track]"{because}'
            ) from None
        except OSError as error:  # it loads libraries of the system
            raise InputError(f"MediaPipe cannot be loaded ({first_line(error)}){LIBRARIES}") from None


class TasksFinder:
    """MediaPipe's Tasks API with a `face_landmarker.task`; the engine is opened with the first picture."""

    def __init__(self, model: Path, n_faces: int = 1, still: bool = False) -> None:
        """Set the model file, the largest number of faces, and whether each picture is processed independently."""
        self.model, self.n_faces, self.still = model, n_faces, still
        self._engine: Any = None
        self._last_ms = -1

    def restart(self) -> None:
        """Forget earlier pictures."""
        if self._engine is not None:
            with contextlib.suppress(RuntimeError):  # an engine that failed says so once more when it is closed
                self._engine.close()
        self._engine, self._last_ms = None, -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.restart()

    @property
    def how(self) -> str:
        """Name of the detector."""
        return f"MediaPipe, {'bundled model' if self.model == BUNDLED else self.model.name}"

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Find the faces of the next picture; see `FaceFinder.find`."""
        import mediapipe

        # some versions read a picture as if its rows had no gaps between them
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        with _quiet(), parsing(self.model, "face_landmarker.task"):
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

        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_buffer=self.model.read_bytes()),
            running_mode=vision.RunningMode.IMAGE if self.still else vision.RunningMode.VIDEO,
            num_faces=self.n_faces,
        )
        try:
            return vision.FaceLandmarker.create_from_options(options)
        except OSError as error:
            if error.errno is not None:
                raise
            raise InputError(f"MediaPipe cannot be loaded ({first_line(error)}){LIBRARIES}") from None


def _pixels(landmarks: Any, picture: np.ndarray) -> np.ndarray:
    """Convert MediaPipe's landmarks, shares of the picture's width and height, to pixels."""
    height, width = picture.shape[:2]
    points = np.array([(p.x, p.y, p.z) for p in landmarks], np.float32)
    if points.shape != (N_MEDIAPIPE, 3):
        raise InputError(f"the face model gives {len(points)} landmarks, not {N_MEDIAPIPE} (with both irises)")
    return points * np.array([width, height, width], np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what MediaPipe's libraries print directly to the error stream."""
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
