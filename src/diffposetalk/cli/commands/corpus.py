"""Make a corpus to train on: synthesised speech with exact phone times, and facial and head motion for it.

The same seed and voices make the same corpus; a run that was stopped goes on where it was.

  diffposetalk corpus corpus --hours 2
  diffposetalk corpus corpus --report corpus.html
  diffposetalk corpus --voices
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import writes
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    writes(parser.add_argument("folder", metavar="FOLDER", nargs="?", help="where the corpus goes; made if absent"))
    parser.add_argument("--hours", type=values.number(0.001, 1000), metavar="H", help="of speech (1)")
    parser.add_argument("--seed", type=values.whole(), default=0, metavar="N", help="same seed, same corpus (0)")
    parser.add_argument("--jobs", type=values.whole(1, 256), metavar="N", help="processes (as many as cores)")
    parser.add_argument("--speech-only", action="store_true", help="make no motion")
    parser.add_argument("--motion-anew", action="store_true", help="make motion anew for the speech that is there")
    writes(
        parser.add_argument(
            "--report",
            metavar="PATH",
            help="write a page of plots and films to judge the corpus by (.html, or a folder); "
            "without --hours, --speech-only or --motion-anew of the corpus that is there, making nothing",
        )
    )
    parser.add_argument("--voices", action="store_true", help="list the voices installed here, and do nothing else")


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Build the corpus, or list the voices; return the result for `--json`."""
    if args.voices:
        from diffposetalk.workshop.corpus.voices import list_voices

        found = [(voice.name, voice.language, voice.engine) for voice in list_voices()]
        console.table([("voice", "language", "engine"), *found])
        return {"voices": [dict(zip(("name", "language", "engine"), row)) for row in found]}
    if args.folder is None:
        raise UsageError("name a folder for the corpus: diffposetalk corpus FOLDER --hours H")
    if args.speech_only and args.motion_anew:
        raise UsageError("--speech-only and --motion-anew contradict each other")

    if args.report is not None:
        from diffposetalk.workshop.corpus.report import page_path

        page_path(args.report)
    result: dict[str, Any] = {"folder": args.folder}
    if args.report is None or args.hours is not None or args.speech_only or args.motion_anew:
        result = _build(args, console)
    if args.report is not None:
        result["report"] = _report(args, console)
    return result


def _build(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.workshop.corpus.build import build_corpus

    built = build_corpus(
        args.folder,
        hours=1.0 if args.hours is None else args.hours,
        seed=args.seed,
        jobs=args.jobs,
        motion=not args.speech_only,
        remotion=args.motion_anew,
        progress=not console.quiet,
    )
    console.say(f"{built.folder}: {built.hours:.2f} h, {built.clips} clips, {built.speakers} speakers")
    if built.failed:
        console.warn(f"{len(built.failed)} speakers could not be made: {', '.join(built.failed[:5])}")
    return asdict(built)


def _report(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.workshop.corpus.report import write_report

    with console.progress("measuring") as progress:
        report = write_report(args.folder, args.report, progress=progress)
    for check in report.checks:
        if not check.good:
            console.say(f"{check.what}: {check.found} (wanted: {check.wanted})")
    for note in report.notes:
        console.warn(note)
    console.say(f"{report.page}: {sum(check.good for check in report.checks)} of {len(report.checks)} checks hold")
    return asdict(report)
