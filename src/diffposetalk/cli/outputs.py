"""Output options of all commands that write motion, and the writing itself."""

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
from diffposetalk.files.atomic import check_output, unknown_ending
from diffposetalk.files.paths import checked_name

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.cli.picture import Picture
    from diffposetalk.exchange import ExportOptions, Format
    from diffposetalk.motion import Motion
    from diffposetalk.speech import SpeechFile

PICTURES = (".mp4", ".mov", ".webm", ".gif", ".png")
"""File name endings of rendered outputs. All other formats are in `exchange.FORMATS`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `-o`, `--format` and the export options."""
    declares(parser.add_argument(
        "-o", "--output", metavar="OUT", action="append", default=[],
        help="video (.mp4, .mov, .webm, .gif), picture (.png), or any file that `export --list` names; repeatable",
    ))  # fmt: skip
    parser.add_argument(
        "--format",
        metavar="NAME",
        help="format of OUT if its ending is not enough; for a folder of sounds: formats such as mp4,npz (default: mp4)",
    )
    from diffposetalk.exchange.options import FPS_RANGE, HEAD_UNITS, ExportOptions

    group = parser.add_argument_group("files", "REGION is one of expression, brows, eyelids, gaze, cheeks, nose, jaw, "
                                      "mouth, tongue, head, or the beginning of channel names")  # fmt: skip
    help_ = partial(help_of, ExportOptions)
    group.add_argument("--fps", type=values.number(*FPS_RANGE), metavar="N", help=help_("fps"))
    for name, field, unit in (
        ("--gain", "gain", "X"),
        ("--offset", "offset", "X"),
        ("--smoothing", "smoothing_s", "S"),
    ):
        group.add_argument(
            name, type=_region, action="append", default=[], metavar=f"REGION={unit}", help=help_(field)
        )  # fmt: skip
    group.add_argument("--clamp", action=argparse.BooleanOptionalAction, default=True, help=help_("clamp"))
    group.add_argument("--used-only", action="store_true", help=help_("used_only"))
    group.add_argument("--head-unit", choices=HEAD_UNITS, default="rad", help=help_("head_unit"))


def _region(text: str) -> tuple[str, float]:
    """Parse `REGION=NUMBER`."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}: write REGION=NUMBER, such as mouth=1.2")
    number: float = values.number()(value)
    return name, number


def _speech(args: argparse.Namespace) -> str | None:
    """Return the sound file that belongs to the motion; the last one of several."""
    speech = getattr(args, "speech", None)
    return speech[-1] if isinstance(speech, list) else speech


def options_of(args: argparse.Namespace) -> ExportOptions:
    """Return the export options.

    Raises:
        UsageError: a value is out of range.
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
    """Outputs of a command that writes motion."""

    motion_files: list[tuple[Path, Format]]
    """Files of motion, with their formats."""
    rendered: list[Path]
    """Rendered videos and pictures."""
    options: ExportOptions
    """How the motion is changed before it is written."""

    @classmethod
    def of(cls, args: argparse.Namespace, more: tuple[Path, ...] = ()) -> Outputs:
        """Check all outputs before any work.

        Args:
            args: the options of `add_arguments`, and `file_set`, to which all outputs are declared.
            more: further rendered outputs, already checked.

        Raises:
            UsageError: there is no output, its ending or format is unknown, its folder is missing, or it would overwrite
                an input or another output.
        """
        from diffposetalk.exchange import check_target, format_of, suffixes

        if args.format and len(args.output) != 1:
            raise UsageError(
                "--format goes with one -o; the file name ending decides the format of each of several files"
            )
        motion_files: list[tuple[Path, Format]] = []
        rendered = list(more)
        for path in (checked_name(word, "-o") for word in args.output):
            if path.suffix.lower() in PICTURES and not args.format:
                rendered.append(path)
            elif not args.format and path.suffix.lower() not in suffixes():
                raise unknown_ending(path, (*PICTURES, *suffixes()))
            else:
                motion_files.append((path, format_of(path, args.format)))
        if not motion_files and not rendered:
            raise UsageError("nothing to write: name a result with -o, such as -o talk.mp4")
        for index in range(count := getattr(args, "samples", 1)):
            for path, file_format in motion_files:
                args.file_set.writes(check_target(values.numbered(path, index, count), file_format, _speech(args)))
            for path in rendered:
                args.file_set.writes(check_output(values.numbered(path, index, count), PICTURES))
        return cls(motion_files, rendered, options_of(args))

    def are_there(self, count: int = 1) -> bool:
        """Return whether the files of all ``count`` samples exist; a file is written whole or not at all."""
        paths = [*(path for path, _ in self.motion_files), *self.rendered]
        return all(values.numbered(path, index, count).is_file() for path in paths for index in range(count))

    def write(
        self,
        motion: Motion,
        renderer: Picture,
        speech: SpeechFile | None,
        console: Console,
        index: int = 0,
        count: int = 1,
    ) -> dict[str, Any]:
        """Write a motion to all outputs: our own format first, rendered ones last.

        Args:
            motion: the motion.
            renderer: head, identity and how to draw them.
            speech: the sound that belongs to the motion.
            console: prints the name of each file.
            index: index of this sample among several; the file names get its number.
            count: number of samples.

        Returns:
            For `--json`: `outputs`, and `residual` if the motion of another head was converted to ARKit channels.
        """
        from diffposetalk.exchange import FORMATS, Scene, export_all
        from diffposetalk.exchange.prepare import Prepared

        scene = Scene(renderer.head, renderer.identity, speech, self.options)
        prepared = Prepared(motion, scene)
        written: list[str] = []
        residual = None
        for path, file_format in sorted(self.motion_files, key=lambda file: file[1].name != "motion"):
            done = export_all(motion, [(values.numbered(path, index, count), file_format.name)], scene, prepared)[0]
            residual = residual or done.residual
            written.append(str(done.path))
            console.say(str(done.path))
        adjusted, _ = prepared.motion_for(FORMATS["motion"])
        for path in self.rendered:
            target = values.numbered(path, index, count)
            if path.suffix.lower() == ".png":
                renderer.sheet(adjusted, target)
            else:
                renderer.video(adjusted, target, speech)
            written.append(str(target))
            console.say(str(target))
        return {"outputs": written} | ({"residual": residual.to_dict()} if residual else {})
