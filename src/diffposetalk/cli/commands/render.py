"""Render motion as video (.mp4) or contact sheet (.png), or write it in any other format.

diffposetalk render talk.npz --speech talk.wav -o talk.mp4
diffposetalk render take.csv --speech take.wav -o take.mp4
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import outputs, picture, values
from diffposetalk.cli.commands.export import write_motion
from diffposetalk.cli.files import reads

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("motion", metavar="MOTION", help=f"motion ({values.motion_endings()})"))
    reads(parser.add_argument("--speech", metavar="FILE", help="sound of the video"))
    values.add_input_fps(parser, "--input-fps")
    outputs.add_arguments(parser)
    picture.add_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Write the motion to every output; return the result for `--json`."""
    return write_motion(args, console)
