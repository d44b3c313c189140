"""Retarget motion from one head to another, and say how far the points of the face are off, in millimetres.

diffposetalk retarget talk.npz --head avatar.glb -o avatar.npz
diffposetalk retarget coefficients.npz --from-head generic_model.pkl --head anny -o arkit.npz
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console

HEADS = "anny, flame, flame2020, flame2023, flame-free, a FLAME file, or a mesh with named shapes (.glb, .gltf, .npz)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    reads(
        parser.add_argument(
            "motion", metavar="MOTION", help="motion of any program that can be read (.npz, .csv, .json, .parquet)"
        )
    )
    reads(
        parser.add_argument(
            "--from-head", metavar="HEAD", help=f"the head it is for (default: as the motion says): {HEADS}"
        )
    )
    values.add_input_fps(parser, "--fps", "--input-fps")
    reads(parser.add_argument("--head", metavar="HEAD", default="anny", help="the head to move (default: anny)"))
    writes(parser.add_argument("-o", "--output", metavar="OUT", required=True, help="motion file to write (.npz)"))
    parser.add_argument(
        "--by-name",
        metavar="PULL",
        type=values.number(0.0, 1e6),
        help="weight of the prior that keeps channels of one name at the source's value; 0: none (default: 20)",
    )
    parser.add_argument(
        "--smooth",
        metavar="PULL",
        type=values.number(0.0, 1e6),
        help="weight of the prior toward the previous frame (default: 0.0005)",
    )
    parser.add_argument(
        "--sparsity", metavar="PULL", type=values.number(0.0, 1e6), help="weight of the prior toward 0 (default: 0.001)"
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Retarget, say the residuals; return the result for `--json`."""
    output = values.outputs([args.output], (".npz",))[0]

    from dataclasses import replace

    from diffposetalk.exchange import load_motion
    from diffposetalk.head import load_head
    from diffposetalk.retarget.solve import Options, retarget

    motion = load_motion(args.motion, fps=args.input_fps)
    if args.from_head is None and motion.head not in ("anny", "flame"):
        raise UsageError(f"{args.motion}: is for the head {motion.head!r}; name that head's file with --from-head")
    source, target = load_head(args.from_head or motion.head), load_head(args.head)
    options = Options()
    given = {"by_name": args.by_name, "temporal": args.smooth, "sparsity": args.sparsity}
    options = replace(options, **{name: value for name, value in given.items() if value is not None})
    found, residual = retarget(motion, source, target, options=options)
    found.save(output)
    console.say(str(output))
    rows = [("mean", residual.mean_mm), ("95 % below", residual.p95_mm), ("worst", residual.worst_mm)]
    rows += list(residual.regions_mm.items())
    console.table([(name, f"{value:.2f} mm") for name, value in rows])
    console.say(f"of {residual.moved_mm:.2f} mm that the points move on average")
    return {"output": str(output), "frames": len(found), "head": found.head, "residual": residual.to_dict()}
