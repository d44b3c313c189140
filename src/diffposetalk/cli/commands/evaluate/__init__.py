"""Compare systems on the clips of a protocol, measure a model on real recordings, or plot its results.

  diffposetalk evaluate protocol clips/ -o clips.toml
  diffposetalk evaluate lite runs/mine/lite.safetensors outputs/ --data clips.toml -o report/
  diffposetalk evaluate --leaderboard leaderboard.csv -o leaderboard.html
  diffposetalk evaluate real-lips --recordings FOLDER
  diffposetalk evaluate closures --recordings FOLDER --generator runs/mine/lite.safetensors
  diffposetalk evaluate lipsync-plot talk.wav --words "what is said" -o talk.png

FOLDER holds clips/, tracks/ and speech/. docs/evaluation.md describes it and the measures.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.commands.evaluate.measures import MEASURES, OPTIONAL_RECORDINGS
from diffposetalk.cli.files import reads
from diffposetalk.errors import UsageError
from diffposetalk.files.parsing import first_line

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the measures with their options."""
    parser.default_subcommand = "compare"  # type: ignore[attr-defined]
    measures = parser.add_subparsers(dest="measure", metavar="MEASURE", required=True)
    for name, measure in MEASURES.items():
        question = measure.question[0].upper() + measure.question[1:]
        options = measures.add_parser(name, help=measure.question, description=question)
        measure.declare(options)
        if measure.recordings:
            reads(
                options.add_argument(
                    "--recordings",
                    type=Path,
                    metavar="DIR",
                    required=name not in OPTIONAL_RECORDINGS,
                    help="folder of clips/, tracks/ and speech/",
                )
            )
        if measure.generator:
            options.add_argument(
                "--generator",
                default="lite",
                metavar="WHAT",
                help="a model (name or file), energy (baseline: the jaw follows the loudness), or MODULE:FUNCTION "
                "(default: %(default)s)",
            )
            if measure.style:
                reads(
                    options.add_argument(
                        "--style", metavar="NAME|FILE", help="preset or style file (default: the generator's own)"
                    )
                )
            options.add_argument(
                "--option",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="sampling option such as steps=8 or style_scale=1.2; may be repeated",
            )
        values.add_general(options)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure and print the report; return the result for `--json`."""
    measure = MEASURES[args.measure]
    shared = {"command", "run", "measure", "json", "quiet", "debug", "option", "file_set"}
    options = {name: value for name, value in vars(args).items() if name not in shared}
    if "option" in args:
        options["options"] = read_options(args.option)
    for name, together in measure.together().items():
        parts = {part.name: options.pop(part.name) for part in fields(together) if part.name in options}
        options[name] = together(**parts)
    module = import_module(f"diffposetalk.workshop.evaluate.{measure.module}")
    with console.progress("measuring") as progress:
        result = module.evaluate(**options, progress=progress)
    console.say(module.report(result))
    return _finite(result)


def read_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs; numbers become numbers.

    Raises:
        UsageError: a pair has no ``=``, or its value is nested too deep or a number of too many digits.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--option {pair}: must be NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
        except (RecursionError, ValueError) as error:
            raise UsageError(f"--option {name}: its value is not readable ({first_line(error)})") from None
    return options


def _finite(value: Any) -> Any:
    """Convert numpy values to plain ones; NaN and infinities become None, because JSON has no such numbers."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
