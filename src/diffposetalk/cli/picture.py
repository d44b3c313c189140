"""What `animate` and `render` share: options of the picture, and motion -> files."""

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

LOG = logging.getLogger(__name__)
"""Where it is said how long drawing takes."""

VIDEO_SIZE = 512
"""Side of a video's pictures, pixels, where nothing else is asked for."""

SHEET_SIZE = 256
"""Side of each picture of a contact sheet, pixels, where nothing else is asked for."""

MEASURED_S = 1.0
"""Seconds of drawing after which it is known how fast it is."""

SHORT_S = 10.0
"""Work that takes less, seconds, is not worth a line about how long it will take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the picture."""
    picture = parser.add_argument_group("picture")
    picture.add_argument(
        "--size", type=_size, metavar="PX|WxH", help="pixels: side of a square, or width x height (default: 512)"
    )
    picture.add_argument(
        "--background", default="studio", metavar="COLOR",
        help="studio, transparent, or a colour such as white or #00b140 (default: studio)",
    )  # fmt: skip
    reads(
        picture.add_argument(
            "--head",
            metavar="NAME|FILE",
            help="head to draw: anny, flame, or a file (.pkl, .npz, .glb, .gltf; default: the motion's head)",
        )
    )
    reads(
        picture.add_argument(
            "--identity",
            metavar="FILE|SEED",
            help="the person: a seed, or a file of coefficients (.npy, .npz, .json; default: the average person)",
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
    """Writes motion as video or contact sheet, on one head with one identity."""

    def __init__(self, args: argparse.Namespace, console: Console) -> None:
        """Read head and identity, so that wrong ones are refused before any work."""
        from diffposetalk.render.background import Background

        self.size: tuple[int, int] | None = args.size
        self.background = Background.parse(args.background)
        if self.background.is_transparent:
            self._check_transparent([*args.output, *(f"OUT.{each}" for each in (args.format or "").split(","))])
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
        """Return the head that was asked for, else the one that motions for the head `name` need.

        Raises:
            UsageError: the head speaks another expression basis than the motion.
            InputError: the motion is FLAME's and there is no FLAME head.
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
        """Render a motion as video, with its speech as sound."""
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
        """Render a contact sheet of frames taken through a motion to `.png`."""
        from diffposetalk.render import contact_sheet

        head = self.head_for(motion.head)
        contact_sheet(
            motion, head, path, size=self.size or SHEET_SIZE, identity=self.identity, background=self.background
        )


class Estimate:
    """Progress of drawing a video that says once how long it will take, as soon as the first frames show it."""

    def __init__(self, path: Path, progress: Progress) -> None:
        """Begin to measure.

        Args:
            path: the video.
            progress: told what this is told.
        """
        self._path, self._progress = path, progress
        self._first_s: float | None = None
        self._first_done = 0.0

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Tell how far the work is, in frames."""
        self._progress(done, total, what)
        now = time.monotonic()
        if self._first_s is None:  # the first frame also pays for what is done once
            self._first_s, self._first_done = now, done
        elif total is not None and self._first_s >= 0 and now - self._first_s > MEASURED_S:
            fps = (done - self._first_done) / (now - self._first_s)
            left_s = (total - done) / fps
            self._first_s = -1.0  # said once
            if left_s > SHORT_S:
                LOG.info("%s: %.0f frames at %.0f a second: about %s", self._path, total, fps, _minutes(left_s))


def _minutes(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def read_identity(word: str | None, head: HeadModel | None = None) -> np.ndarray | None:
    """Return identity coefficients from `--identity`.

    Args:
        word: None for the average head, a whole number for a person drawn by that seed, or a `.npy` or `.json` file of
            numbers: `(I,)`, or `(n, I)` as shape codes of a sequence are kept, of which the first row counts.
        head: whose identities a seed draws from; by default the free head's.

    Returns:
        `(I,)` float32 or None.

    Raises:
        InputError: the file is missing or holds something else.
        UsageError: neither a number nor such a file.
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
