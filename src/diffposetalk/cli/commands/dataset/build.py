"""Make a data set from videos of people who talk: clips of one face and its voice, tracked, checked, split by speaker.

A build that was stopped continues when the same command is run again. Footage of people needs their consent, or a
licence that allows it; see docs/datasets.md.

  diffposetalk dataset build films out
  diffposetalk dataset build films more/talk.mp4 out --speakers who.csv --jobs 8
  diffposetalk dataset build films out --ray auto
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import tracking, values
from diffposetalk.cli.files import reads, writes
from diffposetalk.cli.option_help import help_of
from diffposetalk.workshop.footage.options import BuildOptions, CutOptions

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.workshop.footage.build import Built


LIMITS = {
    "shortest_s": ("--shortest", 0.5, 30, "S"),
    "longest_s": ("--longest", 1, 60, "S"),
    "pause_s": ("--pause", 0, 60, "S"),
    "most_error_percent": ("--most-error", 0, 100, "P"),
    "least_coverage": ("--least-coverage", 0, 1, "P"),
    "most_turned_deg": ("--most-turned", 0, 180, "DEG"),
    "smallest_px": ("--smallest-face", 0, 10000, "PX"),
    "least_fps": ("--least-fps", 0, 240, "N"),
}
"""Field of `CutOptions` -> its option, smallest and largest value, and placeholder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset build`."""
    reads(parser.add_argument("videos", metavar="VIDEOS", nargs="+", help="video files, and folders of them"))
    writes(parser.add_argument("output", metavar="OUT", help="folder to make"))
    parser.add_argument("--jobs", type=values.whole(1, 1024), metavar="N", help="processes (default: one per core)")
    parser.add_argument("--ray", metavar="WHERE", help="work on a Ray cluster: auto, local, or an address")
    writes(parser.add_argument("--work", metavar="FOLDER", help=help_of(BuildOptions, "work")))
    who = parser.add_argument_group("speakers")
    reads(who.add_argument("--speakers", metavar="FILE", help=help_of(BuildOptions, "speakers")))
    for name, default in (("val", BuildOptions.val), ("test", BuildOptions.test)):
        share = values.number(0, 1)
        who.add_argument(f"--{name}", type=share, default=default, metavar="P", help=help_of(BuildOptions, name))
    track = parser.add_argument_group("tracking")
    tracking.add_arguments(track)
    smooth = help_of(CutOptions, "smooth")
    track.add_argument("--smooth", choices=("prior", "savgol"), default=CutOptions.smooth, help=smooth)
    clips = parser.add_argument_group("clips")
    for name, (option, low, high, metavar) in LIMITS.items():
        limit, default, text = values.number(low, high), getattr(CutOptions, name), help_of(CutOptions, name)
        clips.add_argument(option, dest=name, type=limit, default=default, metavar=metavar, help=text)
    clips.add_argument(
        "--no-lag", dest="correct_lag", action="store_false", help="do not correct the audio-video offset"
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Build; return the result for `--json`."""
    from diffposetalk.parallel import Executor, OnRay, Processes
    from diffposetalk.workshop.footage.build import build

    landmarker = None if args.landmarker is None else str(Path(args.landmarker).absolute())
    cuts = {field.name: getattr(args, field.name) for field in fields(CutOptions)}
    cutting = CutOptions(**cuts | {"landmarker": landmarker})
    work, speakers = (None if word is None else Path(word) for word in (args.work, args.speakers))
    options = BuildOptions(work, speakers, args.val, args.test)
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
    console.say(f"{built.output}: {built.clips} clips, {_duration(3600 * built.hours)}, of {built.speakers} speakers")
    rows = [
        (
            "videos",
            f"{built.videos}, clips from {built.used}" + (f", {built.resumed} finished before" * bool(built.resumed)),
        )
    ]
    rows += [
        (name, f"{split['clips']} clips, {_duration(3600 * split['hours'])}, of {split['speakers']} speakers")
        for name, split in built.splits.items()
    ]
    if built.cost is not None:
        rows.append(
            ("work", f"{built.cost:.1f} s of one core for each second of video, {_duration(built.wall_seconds)} in all")
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
                    _duration(row["seconds"]),
                )
                for reason, row in built.rejected.items()
            ]
        )
    console.say(f"{built.output / 'manifest.jsonl'} says why")
    for line in (*built.notes, *built.failures):
        console.warn(line)


def _duration(seconds: float) -> str:
    """Format a duration: "42 s", "1.50 h"."""
    return f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds:.0f} s"
