"""Files that show a manner of speaking: motion of any program, or a video of somebody who talks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import DiffPoseTalkWarning
from diffposetalk.media import VIDEOS

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.generate import Talker
    from diffposetalk.motion import Motion
    from diffposetalk.style import Style
    from diffposetalk.style_model import StyleModel


def is_reference(path: Path) -> bool:
    """Tell whether a file's name says that motion can be read from it."""
    from diffposetalk.exchange import suffixes

    return path.suffix.lower() in (*VIDEOS, *suffixes(reading=True))


def read_style(path: Path, reader: Talker | StyleModel, console: Console, head: str | None = None) -> Style:
    """Read the manner of speaking in a file of motion or in a video; see `read_reference`.

    Args:
        path: of motion or video.
        reader: the model, whose head decides on which one a video is tracked.
        console: shows how far it is.
        head: FLAME's file for a model on FLAME; none for that of the asset folder.
    """
    on = (head or "flame") if reader.space.head == "flame" else "anny"
    return reader.read_style(read_reference(path, on, console), path.name)


def read_reference(path: Path, head: str, console: Console) -> Motion:
    """Read the motion in a file.

    Args:
        path: motion of any program that can be read, or a video, whose main face is tracked.
        head: `anny`, or FLAME by name or file, that the motion shall be on; FLAME's motion is solved for in ARKit channels
            where `anny` is wanted.
        console: shows how far tracking is; what the tracker warns of is said as a warning.

    Raises:
        InputError: it cannot be read, or shows no face.
    """
    if path.suffix.lower() in VIDEOS:
        from diffposetalk.track import track

        with console.progress("watching", "s") as progress:
            found = track(path, head, progress=lambda done, total, what: progress(done, total, what))
        for warning in found.quality.warnings:
            warnings.warn(f"{path}: {warning}", DiffPoseTalkWarning, stacklevel=2)
        return found.motion
    from diffposetalk.exchange import load_motion

    motion = load_motion(path)
    if head == "anny" and motion.head == "flame":
        from diffposetalk.retarget import to_arkit

        return to_arkit(motion)[0]
    return motion
