"""Films of some clips: the truth and all systems side by side, with sound."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.head.shared import shared_head
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.comparison.measuring import topology_of
from diffposetalk.workshop.evaluate.comparison.plots import shown_clips
from diffposetalk.workshop.evaluate.protocol.contents import Protocol
from diffposetalk.workshop.evaluate.protocol.material import EvaluationClip, Material
from diffposetalk.workshop.evaluate.systems.base import Output, System

CLIPS = 3
"""Clips that are filmed."""
LONGEST_S = 8.0
"""Seconds shown of a clip."""
SIDE = 240
"""Side of a picture in pixels."""
LABEL = 24
"""Height of a name above a picture in pixels."""
COLUMNS = 4
"""Pictures in a row."""


@dataclass(frozen=True)
class Film:
    """A clip as a film."""

    video: bytes
    """MP4 file."""
    still: bytes
    """JPEG file of its middle frame."""


def film_clips(
    material: Material, systems: Sequence[System], progress: Progress | None = None
) -> tuple[dict[str, Film], list[str]]:
    """Film some clips.

    Returns:
        A film by the name of the clip, and notes on what could not be filmed.

    Raises:
        DiffPoseTalkError: OpenGL is not available.
    """
    protocol = material.protocol
    numbers = shown_clips(len(protocol.clips), CLIPS)
    films: dict[str, Film] = {}
    notes: list[str] = []
    for done, number in enumerate(numbers):
        clip = material.clip(protocol.clips[number])
        shown = []
        for place, system in enumerate(systems):
            try:
                output = system.outputs(clip, protocol.seeds[:1])[0]
                shown.append((system.name, _pictures(output, protocol)))
            except UsageError as error:
                notes.append(f"{system.name} is not in the films: {error}")
            if progress is not None:
                progress(done * len(systems) + place + 1, len(numbers) * len(systems), "filming")
        films[clip.name] = _film(clip, shown, protocol.fps)
    return films, list(dict.fromkeys(notes))


def _pictures(output: Output, protocol: Protocol) -> list[np.ndarray]:
    """Draw the first seconds of an output at the frame rate of the protocol: a list of ``(SIDE, SIDE, 3)`` uint8."""
    from diffposetalk.render.gl import Renderer

    if isinstance(output, Motion):
        motion = output.resampled(protocol.fps).slice(0, round(LONGEST_S * protocol.fps))
        head = shared_head(motion.head)
        frames: Iterator[np.ndarray] = (frame for chunk in head.iter_vertices(motion) for frame in chunk)
    else:
        topology = topology_of(output.vertices.shape[1], protocol.topologies)
        if not topology.head:
            raise UsageError("its mesh has no head in the protocol, so there are no triangles to draw")
        head = shared_head(topology.head)
        times = np.arange(round(min(LONGEST_S, output.duration) * protocol.fps)) / protocol.fps
        frames = iter(output.vertices[np.minimum(np.round(times * output.fps).astype(int), len(output) - 1)])
    with Renderer(head.mesh(), SIDE) as renderer:
        return [renderer.draw(np.asarray(frame, np.float32)) for frame in frames]


def _film(clip: EvaluationClip, shown: Sequence[tuple[str, list[np.ndarray]]], fps: float) -> Film:
    """Put pictures side by side under their names and encode them with the sound."""
    from PIL import Image

    from diffposetalk.media import VideoWriter

    if not shown:
        raise DiffPoseTalkError("none of the systems can be filmed")
    labels = [_label(name) for name, _ in shown]
    n_frames = max(len(pictures) for _, pictures in shown)
    speech = clip.speech.slice(0, min(clip.speech.duration, n_frames / fps))
    columns = min(COLUMNS, len(shown))
    still = io.BytesIO()
    empty = np.full((SIDE + LABEL, SIDE, 3), 255, np.uint8)
    with tempfile.TemporaryDirectory(prefix="diffposetalk-") as folder:
        path = Path(folder) / "film.mp4"
        with VideoWriter(path, fps, speech.blocks(), speech.sample_rate) as video:
            for frame in range(n_frames):
                tiles = [
                    np.concatenate([label, pictures[min(frame, len(pictures) - 1)]])
                    for label, (_, pictures) in zip(labels, shown)
                ]
                tiles += [empty] * (-len(tiles) % columns)
                rows = [np.concatenate(tiles[k : k + columns], 1) for k in range(0, len(tiles), columns)]
                picture = np.concatenate(rows)
                video.write(picture)
                if frame == n_frames // 2:
                    Image.fromarray(picture).save(still, "JPEG", quality=80)
        return Film(path.read_bytes(), still.getvalue())


def _label(name: str) -> np.ndarray:
    """Return a name as a picture ``(LABEL, SIDE, 3)`` uint8."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (SIDE, LABEL), (255, 255, 255))
    text = name if len(name) <= 30 else f"{name[:29]}…"
    ImageDraw.Draw(picture).text((6, 4), text, fill=(30, 32, 36), font=ImageFont.load_default(size=14))
    return np.asarray(picture)
