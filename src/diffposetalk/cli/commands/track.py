"""Read the motion of the main face in a video: head pose, 52 ARKit weights, and identity on the free head.

diffposetalk track talk.mp4 -o talk.npz
diffposetalk track talk.mp4 -o talk.npz --overlay overlay.mp4 --identity person.npy
diffposetalk track interview.mp4 -o talk.npz --start 90 --seconds 30
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import tracking, values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    reads(parser.add_argument("video", metavar="VIDEO", help="video of a person who talks"))
    writes(parser.add_argument("-o", "--output", metavar="OUT", required=True, help="motion file (.npz)"))
    writes(parser.add_argument("--overlay", metavar="OUT", help="the video with the fitted head drawn over it (.mp4)"))
    writes(
        parser.add_argument(
            "--identity", metavar="OUT", help="the person's coefficients (.npy), for `render --identity`"
        )
    )
    tracking.add_arguments(parser)
    parser.add_argument(
        "--fps", type=values.number(1, 240), default=25.0, metavar="N", help="frame rate of the motion (default: 25)"
    )
    parser.add_argument(
        "--take", type=values.whole(), metavar="N", help="part between two cuts, from 0 (default: the longest)"
    )
    parser.add_argument(
        "--start", type=values.number(0, 1e6), default=0.0, metavar="S", help="start, seconds (default: 0)"
    )
    parser.add_argument(
        "--seconds", type=values.number(0.1, 1e6), metavar="S", help="duration to track, seconds (default: all)"
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Track, write the results, and report the quality; return the result for `--json`."""
    output = values.outputs([args.output], (".npz",))[0]
    overlay = values.outputs([args.overlay], (".mp4",))[0] if args.overlay else None
    identity = values.outputs([args.identity], (".npy",))[0] if args.identity else None

    from diffposetalk.track import track

    started = time.monotonic()
    with console.progress("tracking", "s") as progress:
        result = track(
            args.video, args.head, args.landmarker, args.fps, args.field_of_view, args.take, args.start, args.seconds,
            progress=progress,
        )  # fmt: skip
    seconds = time.monotonic() - started
    result.save(output)
    if identity is not None:
        import io

        import numpy as np

        from diffposetalk.files.atomic import write_atomically

        buffer = io.BytesIO()
        np.save(buffer, result.identity)
        write_atomically(identity, buffer.getvalue())
    if overlay is not None:
        if overlay.resolve() == Path(args.video).resolve():
            raise UsageError(f"{overlay}: is the video itself; name another file for the overlay")
        from diffposetalk.track.overlay import write_overlay

        with console.progress("drawing", "s") as progress:
            write_overlay(args.video, result, overlay, progress)
    quality = result.quality
    for line in quality.warnings:
        console.warn(f"{args.video}: {line}")
    written = [str(path) for path in (output, identity, overlay) if path is not None]
    for path in written:
        console.say(path)
    console.table(
        [
            ("motion", f"{len(result.motion)} frames at {result.motion.fps:g} fps, from {result.start_s:.2f} s"),
            ("error", f"{quality.error_percent:.2f} % of the inter-ocular distance"),
            (
                "coverage",
                f"face in {100 * quality.coverage:.0f} % of the frames ({100 * quality.coverage_of_video:.0f} % of the video)",
            ),
            ("landmarks", result.how),
            (
                "jitter",
                f"{quality.jitter_percent:.2f} % of the inter-ocular distance, head {quality.head_jitter_deg:.2f} deg",
            ),
            (
                "interruptions",
                f"{quality.n_cuts} cuts, {quality.n_lost} frames without the face, {quality.n_others} other faces",
            ),
        ]
    )
    return {
        "outputs": written,
        "frames": len(result.motion),
        "fps": result.motion.fps,
        "start_s": result.start_s,
        "takes": result.takes,
        "quality": asdict(quality),
        "landmarks": result.how,
        "tracking_seconds": round(seconds, 3),
    }
