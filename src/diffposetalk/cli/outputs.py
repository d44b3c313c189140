"""What every command that has motion to write shares: `-o` by suffix or `--format`, the knobs, and the writing."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import declares
from diffposetalk.cli.option_help import help_of
from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import check_output
from diffposetalk.files.paths import checked_name

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.cli.picture import Picture
    from diffposetalk.exchange import ExportOptions, Format
    from diffposetalk.motion import Motion
    from diffposetalk.speech import SpeechFile

PICTURES = (".mp4", ".mov", ".webm", ".gif", ".png")
"""What is drawn; everything else is a row of `exchange.FORMATS`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `-o` and what is done to motion on its way into files."""
    declares(parser.add_argument(
        "-o", "--output", metavar="OUT", action="append", default=[],
        help="video (.mp4, .mov, .webm, .gif), picture (.png), or any file that `export --list` names; repeatable",
    ))  # fmt: skip
    parser.add_argument(
        "--format",
        metavar="NAME",
        help="format of OUT where its ending does not say it; for a folder: formats such as mp4,npz (default: mp4)",
    )
    from diffposetalk.exchange.options import FPS_RANGE, HEAD_UNITS, ExportOptions

    knobs = parser.add_argument_group("files", "REGION is one of expression, brows, eyelids, gaze, cheeks, nose, jaw, "
                                      "mouth, tongue, head, or the beginning of a channel's name")  # fmt: skip
    help_ = partial(help_of, ExportOptions)
    knobs.add_argument("--fps", type=values.number(*FPS_RANGE), metavar="N", help=help_("fps"))
    for name, field, unit in (
        ("--gain", "gain", "X"),
        ("--offset", "offset", "X"),
        ("--smoothing", "smoothing_s", "S"),
    ):
        knobs.add_argument(
            name, type=_knob, action="append", default=[], metavar=f"REGION={unit}", help=help_(field)
        )  # fmt: skip
    knobs.add_argument("--clamp", action=argparse.BooleanOptionalAction, default=True, help=help_("clamp"))
    knobs.add_argument("--used-only", action="store_true", help=help_("used_only"))
    knobs.add_argument("--head-unit", choices=HEAD_UNITS, default="rad", help=help_("head_unit"))


def _knob(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}: write REGION=NUMBER, such as mouth=1.2")
    number: float = values.number()(value)
    return name, number


def _speech(args: argparse.Namespace) -> str | None:
    """Return the name of the sound that goes with the motion; the last of several."""
    speech = getattr(args, "speech", None)
    return speech[-1] if isinstance(speech, list) else speech


def options_of(args: argparse.Namespace) -> ExportOptions:
    """Return the knobs as given.

    Raises:
        UsageError: one is out of range.
    """
    from diffposetalk.exchange import ExportOptions

    return ExportOptions(
        fps=args.fps,
        clamp=args.clamp,
        gain=dict(args.gain),
        offset=dict(args.offset),
        smoothing_s=dict(args.smoothing),
        used_only=args.used_only,
        head_unit=args.head_unit,
    )


@dataclass(frozen=True)
class Outputs:
    """Where a command's motion goes."""

    files: list[tuple[Path, Format]]
    pictures: list[Path]
    options: ExportOptions

    @classmethod
    def of(cls, args: argparse.Namespace, pictures: tuple[Path, ...] = ()) -> Outputs:
        """Check all outputs before any work.

        Args:
            args: the options of `add_arguments`, and `file_set`, to which all outputs are declared.
            pictures: drawn outputs from elsewhere, checked already.

        Raises:
            UsageError: there are none, an unknown suffix or format, a missing folder, or a file that is an input or an
                output already.
        """
        from diffposetalk.exchange import check_target, format_of, suffixes

        if args.format and len(args.output) != 1:
            raise UsageError("--format goes with one -o; name several files so that their endings tell")
        files: list[tuple[Path, Format]] = []
        drawn = list(pictures)
        for path in (checked_name(word, "-o") for word in args.output):
            if path.suffix.lower() in PICTURES and not args.format:
                drawn.append(path)
            elif not args.format and path.suffix.lower() not in suffixes():
                known = ", ".join((*PICTURES, *suffixes()))
                raise UsageError(f"{path}: cannot write '{path.suffix}' files; use one of {known}")
            else:
                files.append((path, format_of(path, args.format)))
        if not files and not drawn:
            raise UsageError("nothing to write: name a result with -o, such as -o talk.mp4")
        for index in range(count := getattr(args, "samples", 1)):
            for path, row in files:
                args.file_set.writes(check_target(values.numbered(path, index, count), row, _speech(args)))
            for path in drawn:
                args.file_set.writes(check_output(values.numbered(path, index, count), PICTURES))
        return cls(files, drawn, options_of(args))

    def write(
        self,
        motion: Motion,
        pictures: Picture,
        speech: SpeechFile | None,
        console: Console,
        index: int = 0,
        count: int = 1,
    ) -> dict[str, Any]:
        """Write a motion everywhere: our own file first, drawn ones last.

        Args:
            motion: what to write.
            pictures: head, identity, and what draws.
            speech: the sound that goes with it.
            console: told every name.
            index: which of several samples this is; its number goes into the names.
            count: how many samples there are.

        Returns:
            For `--json`: `outputs`, and where another head's motion was solved for ARKit's channels, `residual`.
        """
        from diffposetalk.exchange import FORMATS, Scene, export_all
        from diffposetalk.exchange.prepare import Prepared

        scene = Scene(pictures.head, pictures.identity, speech, self.options)
        prepared = Prepared(motion, scene)
        written: list[str] = []
        residual = None
        for path, row in sorted(self.files, key=lambda file: file[1].name != "motion"):
            done = export_all(motion, [(values.numbered(path, index, count), row.name)], scene, prepared)[0]
            residual = residual or done.residual
            written.append(str(done.path))
            console.say(str(done.path))
        ready, _ = prepared.motion_for(FORMATS["motion"])
        for path in self.pictures:
            target = values.numbered(path, index, count)
            if path.suffix.lower() == ".png":
                pictures.sheet(ready, target)
            else:
                pictures.video(ready, target, speech)
            written.append(str(target))
            console.say(str(target))
        return {"outputs": written} | ({"residual": residual.to_dict()} if residual else {})
