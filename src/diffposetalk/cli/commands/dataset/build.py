"""Make a data set of videos of people who talk: clips of one face and its voice, tracked, checked and split by speaker.

A build that was stopped goes on where it was when the same command is given again. Footage of people needs their consent,
or terms that allow it; see docs/datasets.md.

  diffposetalk dataset build films out
  diffposetalk dataset build films more/talk.mp4 out --speakers who.csv --jobs 8
  diffposetalk dataset build films out --ray auto
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.workshop.footage.build import Built


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset build`."""
    reads(parser.add_argument("videos", metavar="VIDEOS", nargs="+", help="video files, and folders of them"))
    writes(parser.add_argument("output", metavar="OUT", help="folder to be made"))
    parser.add_argument(
        "--jobs", type=values.whole(1, 1024), metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument("--ray", metavar="WHERE", help="work on a Ray cluster: auto, local, or an address")
    writes(
        parser.add_argument(
            "--work",
            metavar="FOLDER",
            help="keep finished videos in this folder (default: OUT.work, removed at the end)",
        )
    )
    who = parser.add_argument_group("speakers")
    reads(
        who.add_argument(
            "--speakers", metavar="FILE", help="table file,speaker (.csv); by default a video's folder, or name"
        )
    )
    who.add_argument(
        "--val",
        type=values.number(0, 1),
        default=0.1,
        metavar="P",
        help="share of speakers for validation (default: 0.1)",
    )
    who.add_argument(
        "--test",
        type=values.number(0, 1),
        default=0.1,
        metavar="P",
        help="share of speakers for testing (default: 0.1)",
    )
    track = parser.add_argument_group("tracking")
    reads(
        track.add_argument(
            "--head", default="anny", metavar="NAME|FILE", help="head to fit: anny, or a FLAME file (default: anny)"
        )
    )
    reads(
        track.add_argument(
            "--landmarker",
            metavar="FILE",
            help="MediaPipe face_landmarker.task (default: the one in the asset folder, else the bundled one)",
        )
    )
    track.add_argument(
        "--fov",
        type=values.number(1, 150),
        metavar="DEG",
        help="cameras' angle of view along the longer side of the picture, degrees (default: 30)",
    )
    track.add_argument(
        "--smooth", choices=("prior", "savgol"), default="prior",
        help="motion as fitted (prior), or smoothed by a Savitzky-Golay filter as in the paper (savgol; default: prior)",
    )  # fmt: skip
    clips = parser.add_argument_group("clips")
    for name, low, high, default, metavar, what in (
        ("--shortest", 0.5, 30, 2.0, "S", "shortest clip, seconds"),
        ("--longest", 1, 60, 20.0, "S", "longest clip, seconds"),
        ("--pause", 0, 60, 1.0, "S", "pauses longer than this are left out, seconds"),
        ("--most-error", 0, 100, 5.0, "P", "largest reprojection error, percent of the inter-ocular distance"),
        ("--least-coverage", 0, 1, 0.9, "P", "smallest share of the frames in which the face is seen"),
        ("--most-turned", 0, 180, 35.0, "DEG", "largest median angle between face and camera, degrees"),
        ("--smallest-face", 0, 10000, 25.0, "PX", "smallest distance between the eyes, pixels"),
        ("--least-fps", 0, 240, 20.0, "N", "lowest frame rate of a video"),
    ):
        clips.add_argument(
            name, type=values.number(low, high), default=default, metavar=metavar, help=f"{what} (default: {default:g})"
        )
    clips.add_argument("--no-lag", action="store_true", help="do not correct the audio-video offset")


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Build; return the result for `--json`."""
    from diffposetalk.parallel import Executor, OnRay, Processes
    from diffposetalk.workshop.footage.build import BuildOptions, build
    from diffposetalk.workshop.footage.options import CutOptions

    cutting = CutOptions(
        head=args.head,
        landmarker=None if args.landmarker is None else str(Path(args.landmarker).absolute()),
        field_of_view=args.fov,
        shortest_s=args.shortest,
        longest_s=args.longest,
        pause_s=args.pause,
        smooth=args.smooth,
        correct_lag=not args.no_lag,
        most_error_percent=args.most_error,
        least_coverage=args.least_coverage,
        most_turned_deg=args.most_turned,
        smallest_px=args.smallest_face,
        least_fps=args.least_fps,
    )
    options = BuildOptions(
        None if args.work is None else Path(args.work),
        None if args.speakers is None else Path(args.speakers),
        args.val,
        args.test,
    )
    executor: Executor = OnRay(args.ray, args.jobs) if args.ray else Processes(args.jobs or os.cpu_count() or 1)
    try:
        with console.progress("reading", "videos") as progress:
            built = build(args.videos, args.output, executor, cutting, options, progress)
    except BaseException:
        work = options.work or Path(f"{args.output}.work")
        if work.is_dir() and any(work.glob("*.tar")):
            console.warn(f"finished videos are kept in {work}; the same command goes on from there")
        raise
    _say(built, console)
    return {**asdict(built), "work_seconds_per_video_second": built.cost}


def _say(built: Built, console: Console) -> None:
    console.say(f"{built.output}: {built.clips} clips, {_lasts(3600 * built.hours)}, of {built.speakers} speakers")
    rows = [
        (
            "videos",
            f"{built.videos}, clips from {built.used}" + (f", {built.resumed} finished before" * bool(built.resumed)),
        )
    ]
    rows += [
        (name, f"{split['clips']} clips, {_lasts(3600 * split['hours'])}, of {split['speakers']} speakers")
        for name, split in built.splits.items()
    ]
    if built.cost is not None:
        rows.append(
            ("work", f"{built.cost:.1f} s of one core for each second of video, {_lasts(built.wall_seconds)} in all")
        )
    console.table([(f"  {name}", text) for name, text in rows])
    if built.rejected:
        console.say("left out:")
        console.table(
            [
                (
                    f"  {reason}",
                    f"{row['videos']:.0f} videos",
                    f"{row['stretches']:.0f} stretches",
                    _lasts(row["seconds"]),
                )
                for reason, row in built.rejected.items()
            ]
        )
    console.say(f"{built.output / 'manifest.jsonl'} says why")
    for line in (*built.notes, *built.failures):
        console.warn(line)


def _lasts(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds:.0f} s"
