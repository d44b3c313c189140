"""Transfer motion from one head to another, and report the remaining distance of the face's points in millimetres.

diffposetalk retarget talk.npz --head avatar.glb -o avatar.npz
diffposetalk retarget coefficients.npz --from-head generic_model.pkl --head anny -o arkit.npz
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.cli.option_help import help_of
from diffposetalk.errors import UsageError
from diffposetalk.retarget.options import Options

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console

HEADS = "anny, flame, flame2020, flame2023, flame-free, a FLAME file, or a mesh with named shapes (.glb, .gltf, .npz)"
"""Heads that `--from-head` and `--head` take."""
PRIORS = {"--by-name": "by_name", "--smooth": "temporal", "--sparsity": "sparsity"}
"""Option -> field of `retarget.solve.Options`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("motion", metavar="MOTION", help=f"motion file ({values.motion_endings()})"))
    reads(
        parser.add_argument(
            "--from-head", metavar="HEAD", help=f"head of the motion (default: as named in the file): {HEADS}"
        )
    )
    values.add_input_fps(parser, "--fps", "--input-fps")
    reads(parser.add_argument("--head", metavar="HEAD", default="anny", help="head of the result (default: anny)"))
    writes(parser.add_argument("-o", "--output", metavar="OUT", required=True, help="motion file to write (.npz)"))
    for option, name in PRIORS.items():
        weight, text = values.number(0.0, 1e6), help_of(Options, name)
        parser.add_argument(option, dest=name, type=weight, default=getattr(Options, name), metavar="W", help=text)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Retarget and report the residuals; return the result for `--json`."""
    output = values.outputs([args.output], (".npz",))[0]

    from diffposetalk.exchange import load_motion
    from diffposetalk.head import load_head
    from diffposetalk.retarget.solve import retarget

    motion = load_motion(args.motion, fps=args.input_fps)
    if args.from_head is None and motion.head not in ("anny", "flame"):
        raise UsageError(f"{args.motion}: is for the head {motion.head!r}; name that head's file with --from-head")
    source, target = load_head(args.from_head or motion.head), load_head(args.head)
    options = Options(**{name: getattr(args, name) for name in PRIORS.values()})
    result, residual = retarget(motion, source, target, options=options)
    result.save(output)
    console.say(str(output))
    rows = [("mean", residual.mean_mm), ("95 % below", residual.p95_mm), ("worst", residual.worst_mm)]
    rows += list(residual.regions_mm.items())
    console.table([(name, f"{value:.2f} mm") for name, value in rows])
    console.say(f"of {residual.moved_mm:.2f} mm that the points move on average")
    return {"output": str(output), "frames": len(result), "head": result.head, "residual": residual.to_dict()}
