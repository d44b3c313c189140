"""Draw motion as video (.mp4) or as a contact sheet (.png).

diffposetalk render talk.npz --speech talk.wav -o talk.mp4
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import picture, values
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("motion", metavar="MOTION", help="motion file (.npz)")
    parser.add_argument("--speech", metavar="FILE", help="sound for the video")
    parser.add_argument("-o", "--output", metavar="OUT", action="append", default=[], help=".mp4 or .png; repeatable")
    picture.add_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Draw the motion into every output; return the result for `--json`."""
    outputs = values.outputs(args.output, (".mp4", ".png"))
    if not outputs:
        raise UsageError("nothing to write: name a result with -o, such as -o talk.mp4")

    from diffposetalk.motion import Motion
    from diffposetalk.speech import SpeechFile

    motion = Motion.load(args.motion)
    speech = SpeechFile(Path(args.speech)) if args.speech else None
    pictures = picture.Picture(args, console)
    for path in outputs:
        if path.suffix.lower() == ".png":
            pictures.sheet(motion, path)
        else:
            pictures.video(motion, path, speech)
        console.say(str(path))
    return {
        "outputs": [str(path) for path in outputs],
        "frames": len(motion),
        "fps": motion.fps,
        "rendering_seconds": round(pictures.seconds, 3),
    }
