"""Video -> landmarks of the main face -> motion and identity of a head.

`track` does all steps: `follow.follow_main_face` finds the landmarks, `fit.fit` fits the head to them, and
`quality.measure_quality` measures the quality of the fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.progress import Progress

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel
    from diffposetalk.track.result import Track, of_landmarks

__all__ = ["Track", "of_landmarks", "track"]


def track(
    video: str | Path,
    head: str | HeadModel = "anny",
    landmarker: str | Path | None = None,
    fps: float | None = 25.0,
    field_of_view: float | None = None,
    take: int | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> Track:
    """Track the main face of a video.

    Args:
        video: any video file.
        head: `anny`, or another head with ARKit channels and MediaPipe's landmarks.
        landmarker: MediaPipe's `face_landmarker.task`; None for the one in the asset folder, else the bundled one.
        fps: frames per second of the motion; None for the video's.
        field_of_view: the camera's angle of view over the longer side of the picture, degrees; None if unknown.
        take: number of the stretch without cuts, from 0; None for the longest.
        start_s: start of the tracked part, seconds from the beginning of the video.
        seconds: length of the tracked part; None for the rest of the video.
        progress: called with the seconds done, the total, and the step: "looking" or "fitting".

    Returns:
        Motion, identity and their quality.

    Raises:
        InputError: no such file, no video, no face, or MediaPipe is missing.
        UsageError: there is no such take.
        ModelError: the head does not fit.
    """
    from diffposetalk.head import load_head
    from diffposetalk.track.camera import Pinhole
    from diffposetalk.track.follow import follow_main_face
    from diffposetalk.track.model import LandmarkModel
    from diffposetalk.track.result import track_of

    model = LandmarkModel.of_head(load_head(head) if isinstance(head, str) else head)
    followed = follow_main_face(video, landmarker, progress, start_s, seconds)
    if progress is not None:
        progress(0, followed.face.times[-1] - start_s, "fitting")
    camera = Pinhole.of_size(followed.face.size, field_of_view)
    return track_of(followed, model, camera, fps, take, name=Path(video).name)


def __getattr__(name: str) -> Any:
    """Load the names of `__all__` at their first use, so that the limits can be read without numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from diffposetalk.track import result

    return getattr(result, name)
