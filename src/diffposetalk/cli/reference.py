"""Files that show a manner of speaking: motion of any program, or a video of somebody who talks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import DiffPoseTalkWarning
from diffposetalk.media import VIDEOS

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.style_reader import StyleModel
    from diffposetalk.motion import Motion
    from diffposetalk.style import Style


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
        head: FLAME's file: for a model on FLAME, or where the file holds motion of FLAME; none for that of the asset
            folder.
    """
    return reader.read_style(read_reference(path, reader.space.head == "flame", head or "flame", console), path.name)


def read_reference(path: Path, on_flame: bool, flame: str, console: Console) -> Motion:
    """Read the motion in a file.

    Args:
        path: motion of any program that can be read, or a video, whose main face is tracked.
        on_flame: whether motion of FLAME is wanted; else it is solved for in ARKit channels on the free head.
        flame: FLAME by name or file, which a video is tracked on or the file's motion is for.
        console: shows how far tracking is; what the tracker warns of is said as a warning.

    Raises:
        InputError: it cannot be read, or shows no face.
    """
    if path.suffix.lower() in VIDEOS:
        from diffposetalk.track import track

        with console.progress("watching", "s") as progress:
            found = track(
                path, flame if on_flame else "anny", progress=lambda done, total, what: progress(done, total, what)
            )
        for warning in found.quality.warnings:
            warnings.warn(f"{path}: {warning}", DiffPoseTalkWarning, stacklevel=2)
        return found.motion
    from diffposetalk.exchange import load_motion

    motion = load_motion(path)
    if motion.head == "flame" and not on_flame:
        from diffposetalk.head import load_head
        from diffposetalk.retarget.solve import to_arkit

        return to_arkit(motion, load_head(flame))[0]
    return motion
