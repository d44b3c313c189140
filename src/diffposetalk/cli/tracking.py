"""Options of the face tracker, shared by `track` and `dataset build`."""

from __future__ import annotations

import argparse

from diffposetalk.cli import values
from diffposetalk.cli.files import reads
from diffposetalk.cli.option_help import help_of
from diffposetalk.workshop.footage.options import CutOptions


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare head, landmarker and field of view."""
    head, landmarker, fov = (help_of(CutOptions, name) for name in ("head", "landmarker", "field_of_view"))
    reads(parser.add_argument("--head", default=CutOptions.head, metavar="NAME|FILE", help=head))
    reads(parser.add_argument("--landmarker", metavar="FILE", help=landmarker))
    parser.add_argument("--fov", dest="field_of_view", type=values.number(1, 150), metavar="DEG", help=fov)
