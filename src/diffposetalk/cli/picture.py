"""What `animate` and `render` share: options of the picture, and motion -> files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from diffposetalk.cli.console import Console
    from diffposetalk.motion import Motion
    from diffposetalk.speech import SpeechFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the picture."""
    picture = parser.add_argument_group("picture")
    picture.add_argument("--size", type=_side, default=512, metavar="PX", help="side of the square, even (512)")
    picture.add_argument("--identity", metavar="FILE|SEED", help="whose head: numbers (.npy, .json), or a seed")


def _side(text: str) -> int:
    side = values.whole(16, 4096)(text)
    if side % 2:
        raise argparse.ArgumentTypeError(f"{text} is odd; video needs an even number of pixels")
    return int(side)


class Picture:
    """Writes motion as video or contact sheet, on one head with one identity."""

    def __init__(self, args: argparse.Namespace, console: Console) -> None:
        """Read the identity, so that a wrong one is refused before any work."""
        self.size: int = args.size
        self.console = console
        self.identity = read_identity(args.identity)
        self.seconds = 0.0

    def video(self, motion: Motion, path: Path, speech: SpeechFile | None) -> None:
        """Render a motion to `.mp4`, with its speech as sound."""
        from diffposetalk.head import load_head
        from diffposetalk.render import render_motion

        started = time.monotonic()
        with self.console.progress("rendering", "frames") as progress:
            render_motion(
                motion,
                load_head(motion.head),
                path,
                speech=speech,
                size=self.size,
                identity=self.identity,
                progress=progress,
            )
        self.seconds += time.monotonic() - started

    def sheet(self, motion: Motion, path: Path) -> None:
        """Render a contact sheet of frames taken through a motion to `.png`."""
        from diffposetalk.head import load_head
        from diffposetalk.render import contact_sheet

        contact_sheet(motion, load_head(motion.head), path, identity=self.identity)


def read_identity(word: str | None) -> np.ndarray | None:
    """Return identity coefficients from `--identity`.

    Args:
        word: None for the average head, a whole number for a person drawn by that seed, or a `.npy` or `.json` file of
            numbers.

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

        n = load_head("anny").identity_dim
        return np.clip(np.random.default_rng(int(word)).standard_normal(n), -2.5, 2.5).astype(np.float32)
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
    if identity.ndim != 1 or not np.isfinite(identity).all():
        raise InputError(f"{path}: an identity is a plain list of finite numbers, not {identity.shape}")
    return identity


def _json(path: Path) -> Any:
    import json

    return json.loads(path.read_text())
