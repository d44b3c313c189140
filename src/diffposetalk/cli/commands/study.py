"""A user study: people watch videos of several systems and judge them in their browser.

  diffposetalk study make --reference real --system ours=out/ours --system other=out/other \\
      --preset paper --consent consent.txt -o study.pyz
  diffposetalk study serve study.pyz
  diffposetalk study tally study.pyz -o report.html -o answers.csv

docs/study.md describes the pages, the order, the checks and the figures.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.workshop.study.making.make import StudyOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    commands = parser.add_subparsers(dest="what", metavar="make|serve|tally", required=True)
    for name, text, declare in (
        ("make", "make a study from folders of videos", _add_make),
        ("serve", "host a study, until Ctrl-C", _add_serve),
        ("tally", "count the answers", _add_tally),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        declare(command)
        values.add_general(command)


def _add_make(parser: argparse.ArgumentParser) -> None:
    from diffposetalk.workshop.study.plan import ANCHORS, QUESTIONS, SCALES, SOUNDS

    writes(parser.add_argument("-o", "--output", metavar="OUT", required=True, help="study to write (.pyz)"))
    reads(
        parser.add_argument(
            "--reference", metavar="DIR", required=True, help="videos of the real recordings, one for each clip"
        )
    )
    parser.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="videos of a system, with the file names of the reference; may be repeated",
    )
    reads(
        parser.add_argument("--consent", metavar="FILE", help="text that raters agree to before they begin (required)")
    )
    parser.add_argument(
        "--preset",
        choices=("paper", "pairs", "mushra"),
        help="paper: 26 raters, 1 to 5, three questions, the person shown muted beside; pairs and mushra: usual choices of "
        "the other scales. Other options change a preset",
    )
    parser.add_argument(
        "--scale",
        choices=tuple(SCALES),
        help="; ".join(f"{name}: {text}" for name, text in SCALES.items()) + " (default: pairs)",
    )
    parser.add_argument(
        "--questions",
        metavar="A,B,...",
        help=f"some of {', '.join(QUESTIONS)}: lip sync, likeness of the manner of speaking to a person shown without sound, "
        "naturalness (default: lips,natural)",
    )
    parser.add_argument(
        "--sound", choices=tuple(SOUNDS), help="both: every question but lips also without (default: on)"
    )
    reads(
        parser.add_argument(
            "--anchor",
            metavar="KIND|DIR",
            help="video that careful raters must judge worse than the reference: "
            + "; ".join(f"{name}: {text}" for name, text in ANCHORS.items())
            + "; or a folder of videos (default: frozen)",
        )
    )
    reads(
        parser.add_argument(
            "--style-reference",
            metavar="DIR",
            help="videos that show the manner of speaking, one for each clip (default: the reference)",
        )
    )
    parser.add_argument("--no-ties", dest="ties", action="store_false", default=None, help="pairs: one must be chosen")
    parser.add_argument("--against", metavar="NAME", help="pairs: compare every system with this one only")
    parser.add_argument("--clips", metavar="A,B,...", help="clips to use (default: all)")
    parser.add_argument("--raters", type=values.whole(1, 1000), metavar="N", help="planned raters (default: 24)")
    parser.add_argument("--pages", type=values.whole(1, 10000), metavar="N", help="pages for each rater (default: all)")
    parser.add_argument(
        "--title", metavar="TEXT", help="shown to raters; name no system in it (default: Talking heads)"
    )
    reads(parser.add_argument("--strings", metavar="FILE", help="texts of the pages in another language (.toml)"))
    parser.add_argument("--seed", type=values.whole(), metavar="N", help="shuffles clips and systems (default: 0)")


def _add_study(parser: argparse.ArgumentParser) -> None:
    reads(parser.add_argument("study", metavar="STUDY", help="made by `study make` (.pyz)"))


def _add_serve(parser: argparse.ArgumentParser) -> None:
    from diffposetalk.workshop.study.serving.host import add_host_arguments

    _add_study(parser)
    writes(
        parser.add_argument(
            "--answers",
            metavar="FILE",
            help="SQLite file of the answers (default: beside the study); continued if it exists",
        )
    )
    add_host_arguments(parser)


def _add_tally(parser: argparse.ArgumentParser) -> None:
    _add_study(parser)
    reads(
        parser.add_argument(
            "--answers",
            action="append",
            metavar="FILE",
            help="SQLite file of the answers (default: beside the study); repeated: the answers of several hosts together",
        )
    )
    writes(
        parser.add_argument(
            "-o",
            "--output",
            action="append",
            default=[],
            metavar="OUT",
            help="report to write: .html (with plots), .md, .svg (the plots), .csv (all answers); may be repeated",
        )
    )
    values.add_number(
        parser,
        "--most-failed",
        values.number(0, 1),
        0.25,
        "a rater who fails a larger share of the checks is dropped",
        "SHARE",
    )
    parser.add_argument("--seed", type=values.whole(), default=0, metavar="N", help="of the resampling (default: 0)")


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Make, serve or count; return the result for `--json`."""
    return {"make": _make, "serve": _serve, "tally": _tally}[args.what](args, console)


def _make(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    output = values.outputs([args.output], (".pyz",))[0]
    from diffposetalk.workshop.study.making.make import make_study, read_consent, summary
    from diffposetalk.workshop.study.making.texts import read_texts

    systems: dict[str, str] = {}
    for word in args.system:
        name, equals, folder = word.partition("=")
        if not (name and equals and folder):
            raise UsageError(f"--system {word}: write NAME=FOLDER")
        if name in systems:
            raise UsageError(f"--system {name}=...: named twice")
        systems[name] = folder
    options, consent, strings = (
        _options(args),
        read_consent(args.consent),
        read_texts(args.strings) if args.strings else None,
    )
    with console.progress("checking", "videos") as progress:
        made = make_study(args.reference, systems, consent, output, options, args.style_reference, strings, progress)
    spread = made.balance
    console.say(str(made.path))
    console.table(
        [
            (
                "videos",
                f"{len(made.study.clips)} clips of {', '.join(systems)}, reference, anchor ({made.study.anchor})",
            ),
            ("each rater", f"{spread.pages} pages, about {spread.minutes:.0f} min"),
            ("judgements", f"{spread.fewest} to {spread.most} of each clip by {made.study.raters} raters"),
            ("place", f"mean of a system {spread.place[0]:.2f} to {spread.place[1]:.2f} (0 first page, 1 last)"),
            *(
                [("left", f"{spread.left[0]:.0%} to {spread.left[1]:.0%} of a system's pages")]
                * (options.scale == "pairs")
            ),
        ]
    )
    return summary(made)


def _options(args: argparse.Namespace) -> StudyOptions:
    """Return the options: those given, else the preset's, else the defaults."""
    from diffposetalk.workshop.study.making.make import PRESETS, StudyOptions
    from diffposetalk.workshop.study.plan import QUESTIONS

    options: dict[str, Any] = dict(PRESETS.get(args.preset, {}))
    for name in ("scale", "sound", "anchor", "ties", "against", "raters", "pages", "title", "seed"):
        if getattr(args, name) is not None:
            options[name] = getattr(args, name)
    if args.questions is not None:
        options["questions"] = _words(args.questions)
        for question in options["questions"]:
            if question not in QUESTIONS:
                raise UsageError(f"--questions: {question!r} is none of {', '.join(QUESTIONS)}")
    if args.clips is not None:
        options["clips"] = _words(args.clips)
        if not options["clips"]:
            raise UsageError("--clips names no clip")
    if args.title is not None and not args.title.strip():
        raise UsageError("--title is empty")
    return replace(StudyOptions(), **options)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _serve(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.workshop.study.serving.host import host_options, serve

    def say(line: str) -> None:
        console.say(line)
        console.flush()

    return serve(args.study, args.answers, host_options(args), say)


def _tally(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    outputs = values.outputs(args.output, (".html", ".md", ".svg", ".csv"))
    from diffposetalk.workshop.study.serving.host import answers_path
    from diffposetalk.workshop.study.tally.tally import tally
    from diffposetalk.workshop.study.tally.write import as_text, to_dict, write

    answers = [Path(path) for path in args.answers or [answers_path(args.study)]]
    result = tally(Path(args.study), answers, args.most_failed, args.seed)
    for path in outputs:
        write(result, path, outputs)
    console.say(as_text(result))
    for path in outputs:
        console.say(str(path))
    return to_dict(result) | {"outputs": [str(path) for path in outputs]}
