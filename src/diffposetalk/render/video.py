"""Rendering of moving meshes as video, as one picture, or as a contact sheet."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.media import TRANSPARENT_OUTPUTS, Recording, VideoWriter
from diffposetalk.render.background import STUDIO, Background
from diffposetalk.render.camera import Camera
from diffposetalk.render.gl import Renderer
from diffposetalk.speech import SpeechFile

if TYPE_CHECKING:
    from diffposetalk.geometry.mesh import Mesh
    from diffposetalk.head import HeadModel
    from diffposetalk.motion import Motion
    from diffposetalk.progress import Progress
    from diffposetalk.speech import Speech

CHUNK = 50
"""Number of frames whose vertices are in memory at a time."""


def render_motion(
    motion: Motion,
    head: HeadModel,
    out_path: str | Path,
    speech: Speech | SpeechFile | str | Path | None = None,
    identity: np.ndarray | None = None,
    size: int | tuple[int, int] = 512,
    progress: Progress | None = None,
    camera: Camera | None = None,
    background: Background = STUDIO,
) -> Path:
    """Draw a head that performs a motion as a video; memory does not grow with its length.

    Args:
        motion: has this head's expression channels.
        head: the head that is drawn.
        out_path: ends in `.mp4`, `.mov`, `.webm` or `.gif`.
        speech: sound track, or its file, whose sample rate and channels are kept.
        identity: ``(I,)`` coefficients of the person; None for the mean face.
        size: side of a square picture, or ``(width, height)``, pixels.
        progress: called with the number of frames done and of all frames.
        camera: default: a portrait from the front.
        background: default: a grey wall.

    Returns:
        The path written.

    Raises:
        UsageError, DiffPoseTalkError: see `render_video`.
    """
    if isinstance(speech, str | Path):
        speech = SpeechFile(Path(speech))
    mesh = head.mesh(identity)
    chunks = head.iter_vertices(motion, identity, chunk=CHUNK)
    return render_video(mesh, chunks, motion.fps, out_path, speech, size, progress, camera, len(motion), background)


def render_video(
    mesh: Mesh,
    chunks: Iterable[np.ndarray],
    fps: float,
    out_path: str | Path,
    speech: Speech | SpeechFile | None = None,
    size: int | tuple[int, int] = 512,
    progress: Progress | None = None,
    camera: Camera | None = None,
    n_frames: int | None = None,
    background: Background = STUDIO,
) -> Path:
    """Draw vertices as a video, chunk by chunk.

    Args:
        mesh: triangles, materials and rest shape.
        chunks: ``(n, V, 3)`` vertices of the next n frames, metres.
        fps: frames per second.
        out_path: ends in `.mp4`, `.mov`, `.webm` or `.gif`.
        speech: sound track.
        size: side of a square picture, or ``(width, height)``, pixels; even, except for a GIF.
        progress: called with the number of frames done and of all frames.
        camera: the camera; default: a portrait from the front.
        n_frames: number of all frames, for `progress`; None if unknown.
        background: background of the pictures; a transparent one needs `.mov`, `.webm` or `.gif`.

    Returns:
        The path written.

    Raises:
        UsageError: an odd or impossible size, or a transparent background for `.mp4`.
        DiffPoseTalkError: OpenGL is not available, or the file cannot be written.
    """
    check_video(out_path, size, background)
    with (
        Renderer(mesh, size, camera, background=background) as renderer,
        VideoWriter(out_path, fps, *_sound(speech)) as video,
        closing(_Encoder(video)) as encoder,
    ):
        for done, vertices in enumerate(_frames(chunks), start=1):
            encoder.put(renderer.draw(vertices))
            if progress is not None:
                progress(done, n_frames)
        encoder.finish()
    return Path(out_path)


def check_video(path: str | Path, size: int | tuple[int, int], background: Background) -> None:
    """Check that a video file can hold pictures of a size and background.

    Args:
        path: the file; its ending is checked.
        size: side of a square picture, or ``(width, height)``, pixels.
        background: background of the pictures.

    Raises:
        UsageError: the format cannot hold pictures with an odd side or a transparent background.
    """
    ending = Path(path).suffix.lower()
    sides = (size, size) if isinstance(size, int) else size
    if ending != ".gif" and any(side % 2 for side in sides):
        raise UsageError(f"{path}: a video's width and height must be even, not {sides[0]}x{sides[1]}")
    if background.is_transparent and ending not in TRANSPARENT_OUTPUTS:
        raise UsageError(f"{path}: '{ending}' cannot be transparent; use {', '.join(TRANSPARENT_OUTPUTS)}")


def render_frame(
    mesh: Mesh,
    vertices: np.ndarray | None = None,
    size: int | tuple[int, int] = 512,
    camera: Camera | None = None,
    background: Background = STUDIO,
) -> np.ndarray:
    """Draw one picture.

    Args:
        mesh: triangles, materials and rest shape (which frames the portrait).
        vertices: ``(V, 3)`` metres; by default the rest shape.
        size: side of a square picture, or ``(width, height)``, pixels.
        camera: the camera; default: a portrait from the front.
        background: background of the pictures.

    Returns:
        ``(height, width, 3)`` uint8 sRGB, or ``(height, width, 4)`` with alpha before a transparent background.
    """
    with Renderer(mesh, size, camera, background=background) as renderer:
        return renderer.draw(mesh.vertices if vertices is None else vertices)


def contact_sheet(
    motion: Motion,
    head: HeadModel,
    path: str | Path,
    n: int = 12,
    size: int | tuple[int, int] = 256,
    identity: np.ndarray | None = None,
    columns: int = 4,
    background: Background = STUDIO,
) -> Path:
    """Write a PNG of frames taken evenly through a motion, each labelled with its time.

    Args:
        motion: has this head's expression channels.
        head: the head that is drawn.
        path: ends in `.png`.
        n: number of pictures.
        size: side of each, or ``(width, height)``, pixels.
        identity: ``(I,)`` coefficients of the person; None for the mean face.
        columns: pictures in a row.
        background: background of the pictures.

    Returns:
        The path written.
    """
    if n < 1 or columns < 1 or len(motion) < 1:
        raise UsageError("a contact sheet needs at least one picture, one column and one frame of motion")
    frames = np.unique(np.linspace(0, len(motion) - 1, min(n, len(motion))).round().astype(int))
    mesh = head.mesh(identity)
    tiles = []
    with Renderer(mesh, size, background=background) as renderer:
        for frame in frames:
            vertices = next(iter(head.iter_vertices(motion.slice(frame, frame + 1), identity, chunk=1)))[0]
            tiles.append((f"{frame / motion.fps:.2f} s", renderer.draw(vertices)))
    return save_tiles(tiles, path, columns)


def save_tiles(tiles: list[tuple[str, np.ndarray]], path: str | Path, columns: int = 4) -> Path:
    """Write labelled ``(H, W, 3)`` or ``(H, W, 4)`` uint8 pictures of one size side by side as a PNG."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = tiles[0][1].shape[:2]
    columns = min(columns, len(tiles))
    n_rows = -(-len(tiles) // columns)
    has_alpha = tiles[0][1].shape[2] == 4
    empty = (0, 0, 0, 0) if has_alpha else (40, 40, 44)
    sheet = Image.new("RGBA" if has_alpha else "RGB", (columns * width, n_rows * height), empty)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=max(10, height // 18))
    for k, (label, picture) in enumerate(tiles):
        left, top = k % columns * width, k // columns * height
        sheet.paste(Image.fromarray(picture), (left, top))
        draw.text((left + height // 40, top + height // 40), label, fill=(30, 32, 36), font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())
    return Path(path)


def _sound(speech: Speech | SpeechFile | None) -> tuple[Iterable[np.ndarray] | Recording | None, int]:
    """Return the source of a video's sound track, and the sample rate in Hz if it is in memory."""
    from diffposetalk.speech import SpeechFile

    if speech is None:
        return None, 0
    return Recording(speech.path) if isinstance(speech, SpeechFile) else speech.blocks(), speech.sample_rate


class _Encoder:
    """Encodes on a second thread while the next picture is drawn; at most four pictures wait."""

    def __init__(self, video: VideoWriter) -> None:
        self._video = video
        self._waiting: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=4)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._thread.start()

    def put(self, picture: np.ndarray) -> None:
        """Add a picture; raise the error of an earlier one, if any."""
        self._raise()
        self._waiting.put(picture)

    def finish(self) -> None:
        """Wait for the last picture; raise the error of a picture, if any."""
        self.close()
        self._raise()

    def close(self) -> None:
        """Stop the thread after the last picture."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while (picture := self._waiting.get()) is not None:
            if self._failure is None:
                try:
                    self._video.write(picture)
                except BaseException as error:
                    self._failure = error


def _frames(chunks: Iterable[Any]) -> Iterator[np.ndarray]:
    for chunk in chunks:
        yield from np.asarray(chunk, np.float32)
