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


def read_style(path: Path, reader: Talker | StyleModel, console: Console) -> Style:
    """Read the manner of speaking in a file of motion or in a video; see `read_reference`."""
    return reader.read_style(read_reference(path, reader.space.head != "flame", console), path.name)


def read_reference(path: Path, arkit: bool, console: Console) -> Motion:
    """Read the motion in a file.

    Args:
        path: motion of any program that can be read, or a video, whose main face is tracked.
        arkit: whether ARKit channels are wanted: FLAME's motion is then solved for in them.
        console: shows how far tracking is; what the tracker warns of is said as a warning.

    Raises:
        InputError: it cannot be read, or shows no face.
    """
    if path.suffix.lower() in VIDEOS:
        from diffposetalk.track import track

        with console.progress("watching", "s") as progress:
            found = track(path, progress=lambda done, total, what: progress(done, total, what))
        for warning in found.quality.warnings:
            warnings.warn(f"{path}: {warning}", DiffPoseTalkWarning, stacklevel=2)
        return found.motion
    from diffposetalk.exchange import load_motion

    motion = load_motion(path)
    if arkit and motion.head == "flame":
        from diffposetalk.retarget import to_arkit

        return to_arkit(motion)[0]
    return motion
