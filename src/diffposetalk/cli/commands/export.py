"""Write motion as files for other software.

diffposetalk export talk.npz -o talk.glb -o talk.csv -o talk_a2f.json
diffposetalk export take.csv --fps 60 --gain mouth=1.2 --smoothing head=0.1 -o take.usdc
diffposetalk export --list
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import outputs, picture, values
from diffposetalk.cli.files import reads
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("motion", metavar="MOTION", nargs="?", help=f"motion ({values.motion_endings()})"))
    parser.add_argument("--list", action="store_true", help="list all formats with their names and file name endings")
    reads(parser.add_argument("--speech", metavar="FILE", help="sound that belongs to the motion"))
    values.add_input_fps(parser, "--input-fps")
    outputs.add_arguments(parser)
    picture.add_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Write the motion to every output, or list the formats; return the result for `--json`."""
    if args.list:
        return _list(console)
    if args.motion is None:
        raise UsageError("name a motion file: diffposetalk export MOTION -o OUT (--list names the formats)")
    return write_motion(args, console)


def write_motion(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Read the motion and write it to every output; `render` calls this too."""
    targets = outputs.Outputs.of(args)

    from diffposetalk.exchange import load_motion
    from diffposetalk.speech import SpeechFile

    motion = load_motion(args.motion, fps=args.input_fps, prefer=args.fps)
    speech = SpeechFile(args.speech) if args.speech is not None else None
    pictures = picture.Picture(args, console)
    written = targets.write(motion, pictures, speech, console)
    return {
        **written,
        "frames": len(motion),
        "fps": motion.fps,
        "rendering_seconds": round(pictures.seconds, 3),
    }


def _list(console: Console) -> dict[str, Any]:
    from diffposetalk.exchange import FORMATS

    rows = [
        {
            "format": row.name,
            "suffixes": list(row.suffixes),
            "named": [f"_{hint}{row.suffixes[0]}" for hint in row.hints],
            "what": row.what,
            "writes": bool(row.writer),
            "reads": bool(row.reader),
        }
        for row in FORMATS.values()
    ]
    shown = [(row.name, " ".join(row.suffixes if row.default else [f"_{row.hints[0]}{row.suffixes[0]}"]),
              "read too" if row.reader else "", row.what) for row in FORMATS.values()]  # fmt: skip
    console.table([("format", "ending", "", ""), *shown])
    return {"formats": rows}
