"""Picture options of `animate`, `render` and `export`, and the rendering."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.cli import values
from diffposetalk.cli.files import reads
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from diffposetalk.cli.console import Console
    from diffposetalk.head import HeadModel
    from diffposetalk.motion import Motion
    from diffposetalk.progress import Progress
    from diffposetalk.speech import SpeechFile

LOG = logging.getLogger("diffposetalk")
"""The logger of the package."""
VIDEO_SIZE = 512
"""Default width and height of a video, pixels."""
SHEET_SIZE = 256
"""Default width and height of each picture of a contact sheet, pixels."""
MEASURED_S = 1.0
"""Seconds of rendering after which its speed is known."""
SHORT_S = 10.0
"""Shortest remaining time that is logged, seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the picture options."""
    picture = parser.add_argument_group("picture")
    picture.add_argument(
        "--size",
        type=_size,
        metavar="PX|WxH",
        help=f"pixels: one number for a square, or WIDTHxHEIGHT (default: {VIDEO_SIZE})",
    )
    picture.add_argument(
        "--background", default="studio", metavar="COLOR",
        help="studio, transparent, or a colour such as white or #00b140 (default: studio)",
    )  # fmt: skip
    reads(
        picture.add_argument(
            "--head",
            metavar="NAME|FILE",
            help="head to render: anny, flame, or a file (.pkl, .npz, .glb, .gltf; default: the motion's head)",
        )
    )
    reads(
        picture.add_argument(
            "--identity",
            metavar="FILE|SEED",
            help="person: a seed, or a file of coefficients (.npy, .npz, .json; default: the average person)",
        )
    )


def _size(text: str) -> tuple[int, int]:
    """Parse `512` or `1280x720`."""
    width, x, height = text.lower().partition("x")
    sides = [values.whole(16, 4096)(side) for side in ((width, height) if x else (width, width))]
    if any(side % 2 for side in sides):
        raise argparse.ArgumentTypeError(f"{text} is odd; video needs an even number of pixels")
    return sides[0], sides[1]


class Picture:
    """Renders motion as video or contact sheet, on one head with one identity."""

    def __init__(self, args: argparse.Namespace, console: Console) -> None:
        """Load head and identity, so that wrong ones are refused before the work."""
        from diffposetalk.render.background import Background

        self.size: tuple[int, int] | None = args.size
        self.background = Background.parse(args.background)
        if self.background.is_transparent:
            self._check_transparent([*args.output, *(f"OUT.{ending}" for ending in (args.format or "").split(","))])
        self.console = console
        self.head: HeadModel | None = None
        if args.head is not None:
            from diffposetalk.head import load_head

            self.head = load_head(args.head)
        self.identity = read_identity(args.identity, self.head)
        self.seconds = 0.0

    @staticmethod
    def _check_transparent(outputs: list[str]) -> None:
        from diffposetalk.media import TRANSPARENT_OUTPUTS, VIDEO_OUTPUTS

        for word in outputs:
            ending = Path(word).suffix.lower()
            if ending in VIDEO_OUTPUTS and ending not in TRANSPARENT_OUTPUTS:
                known = ", ".join((*TRANSPARENT_OUTPUTS, ".png"))
                raise UsageError(f"{word}: '{ending}' cannot be transparent; use {known}, or another --background")

    def head_for(self, name: str) -> HeadModel:
        """Return the head of `--head`, or the default head for motion of the head `name`.

        Raises:
            UsageError: the head of `--head` does not fit the motion.
            InputError: the motion is for FLAME, and no FLAME head is installed.
        """
        from diffposetalk.head import load_head

        if self.head is None:
            self.head = load_head(name)
        if self.head.name != name:
            raise UsageError(
                f"the motion is for the head {name}, not for {self.head.name}: give --head a {name} head, or make a "
                f"motion for {self.head.name} first: diffposetalk retarget MOTION --head HEAD -o OUT.npz"
            )
        return self.head

    def video(self, motion: Motion, path: Path, speech: SpeechFile | None) -> None:
        """Render a motion as video, with its speech."""
        from diffposetalk.render import render_motion

        head = self.head_for(motion.head)
        started = time.monotonic()
        with self.console.progress("rendering", "frames") as progress:
            render_motion(
                motion,
                head,
                path,
                speech=speech,
                size=self.size or VIDEO_SIZE,
                identity=self.identity,
                progress=Estimate(path, progress),
                background=self.background,
            )
        self.seconds += time.monotonic() - started

    def sheet(self, motion: Motion, path: Path) -> None:
        """Render a contact sheet (`.png`) of frames from the whole motion."""
        from diffposetalk.render import contact_sheet

        head = self.head_for(motion.head)
        contact_sheet(
            motion, head, path, size=self.size or SHEET_SIZE, identity=self.identity, background=self.background
        )


class Estimate:
    """Progress of rendering that logs once how long the rest will take."""

    def __init__(self, path: Path, progress: Progress) -> None:
        """Start measuring.

        Args:
            path: the video.
            progress: receives every report.
        """
        self._path, self._progress = path, progress
        self._first_s: float | None = None
        self._first_done = 0.0

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Report progress in frames."""
        self._progress(done, total, what)
        now = time.monotonic()
        if self._first_s is None:  # the first frame includes the set-up
            self._first_s, self._first_done = now, done
        elif total is not None and self._first_s >= 0 and now - self._first_s > MEASURED_S:
            fps = (done - self._first_done) / (now - self._first_s)
            left_s = (total - done) / fps
            self._first_s = -1.0  # logged once
            if left_s > SHORT_S:
                LOG.info("%s: %.0f frames at %.0f a second: about %s", self._path, total, fps, _minutes(left_s))


def _minutes(seconds: float) -> str:
    """Format a time: "42 s", "5 min", "1.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def read_identity(word: str | None, head: HeadModel | None = None) -> np.ndarray | None:
    """Return identity coefficients from `--identity`.

    Args:
        word: None for the average person; a whole number as a seed; or a file of coefficients, ``(I,)``, or ``(n, I)``
            of which the first row is used.
        head: the head whose identities are drawn by seed. Default: the free head.

    Returns:
        ``(I,)`` float32, or None.

    Raises:
        InputError: the file is missing or does not hold coefficients.
        UsageError: the word is neither a number nor a file of coefficients.
    """
    if word is None:
        return None
    if word.isdigit():
        from diffposetalk.head import load_head

        return (head or load_head("anny")).draw_identity(int(word))
    from diffposetalk.head.identity import SUFFIXES, read_identity_file

    if Path(word).suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"--identity {word}: give a whole number as a seed, or a {', '.join(SUFFIXES)} file of coefficients"
        )
    return read_identity_file(word)
