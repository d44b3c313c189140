"""What `animate` and `render` share: options of the picture, and motion -> files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads
from diffposetalk.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from diffposetalk.cli.console import Console
    from diffposetalk.head import HeadModel
    from diffposetalk.motion import Motion
    from diffposetalk.speech import SpeechFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the picture."""
    picture = parser.add_argument_group("picture")
    picture.add_argument("--size", type=_side, default=512, metavar="PX", help="side of the square, even (512)")
    reads(
        picture.add_argument(
            "--head", metavar="NAME|FILE", help="head: anny, flame, or FLAME's .pkl or .npz (the motion's)"
        )
    )
    reads(picture.add_argument("--identity", metavar="FILE|SEED", help="whose head: numbers (.npy, .json), or a seed"))


def _side(text: str) -> int:
    side = values.whole(16, 4096)(text)
    if side % 2:
        raise argparse.ArgumentTypeError(f"{text} is odd; video needs an even number of pixels")
    return int(side)


class Picture:
    """Writes motion as video or contact sheet, on one head with one identity."""

    def __init__(self, args: argparse.Namespace, console: Console) -> None:
        """Read head and identity, so that wrong ones are refused before any work."""
        self.size: int = args.size
        self.console = console
        self.head: HeadModel | None = None
        if args.head is not None:
            from diffposetalk.head import load_head

            self.head = load_head(args.head)
        self.identity = read_identity(args.identity, self.head)
        self.seconds = 0.0

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
            raise UsageError(f"the motion is for the head {name}, not for {self.head.name}: give --head a {name} head")
        return self.head

    def video(self, motion: Motion, path: Path, speech: SpeechFile | None) -> None:
        """Render a motion to `.mp4`, with its speech as sound."""
        from diffposetalk.render import render_motion

        head = self.head_for(motion.head)
        started = time.monotonic()
        with self.console.progress("rendering", "frames") as progress:
            render_motion(
                motion,
                head,
                path,
                speech=speech,
                size=self.size,
                identity=self.identity,
                progress=progress,
            )
        self.seconds += time.monotonic() - started

    def sheet(self, motion: Motion, path: Path) -> None:
        """Render a contact sheet of frames taken through a motion to `.png`."""
        from diffposetalk.render import contact_sheet

        contact_sheet(motion, self.head_for(motion.head), path, identity=self.identity)


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
    import numpy as np

    if word.isdigit():
        from diffposetalk.head import load_head

        return (head or load_head("anny")).draw_identity(int(word))
    path = Path(word)
    if path.suffix.lower() not in (".npy", ".json"):
        raise UsageError(f"--identity {word}: give a whole number as a seed, or a .npy or .json file of coefficients")
    try:
        numbers: Any = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else _json(path)
        identity = np.asarray(numbers, np.float32)
    except FileNotFoundError:
        raise InputError(f"{path}: no such identity file") from None
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise InputError(f"{path}: is not an identity file ({error})") from error
    if identity.ndim == 2 and len(identity):
        identity = identity[0]
    if identity.ndim != 1 or not np.isfinite(identity).all():
        raise InputError(f"{path}: an identity is a plain list of finite numbers, not {identity.shape}")
    return identity


def _json(path: Path) -> Any:
    import json

    return json.loads(path.read_text())
