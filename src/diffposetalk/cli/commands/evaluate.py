"""Measure a model on real recordings, or plot its results.

  diffposetalk evaluate real-lips --recordings FOLDER
  diffposetalk evaluate closures --recordings FOLDER --generator runs/mine/lite.safetensors
  diffposetalk evaluate lipsync-plot talk.wav --words "what is said" -o talk.png

FOLDER holds clips/, tracks/ and speech/. docs/evaluation.md describes it and the measures.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import UsageError
from diffposetalk.files.parsing import first_line

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console

Declare = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class Measure:
    """One measure: the module that computes it, and its options."""

    module: str
    """Module in `diffposetalk.workshop.evaluate`. Its `evaluate` takes the options by name (see `together`)
    and returns the result; its `report` formats the result as text."""
    question: str
    """Its question, one line."""
    declare: Declare
    """Declares the options of this measure alone."""
    generator: bool = True
    """Whether it measures a generator of motion from speech."""
    style: bool = True
    """Whether the generator takes `--style`."""
    recordings: bool = True
    """Whether it needs the folder of recordings."""
    regions: bool = False
    """Whether its options name regions of the face."""

    def together(self) -> dict[str, type]:
        """Return the arguments of `evaluate` that hold several options, by name."""
        from diffposetalk.workshop.evaluate.generators import Generation
        from diffposetalk.workshop.evaluate.meshes.regions import RegionFiles

        generation = {"generation": Generation} if self.generator else {}
        return generation | ({"region_files": RegionFiles} if self.regions else {})


def _count(parser: argparse.ArgumentParser, option: str, kind: Callable[[str], int], default: int, what: str) -> None:
    """Declare an option that counts something; its help ends with the default."""
    parser.add_argument(option, type=kind, default=default, metavar="N", help=f"{what} (default: %(default)s)")


def _samples(default: int) -> Declare:
    def declare(parser: argparse.ArgumentParser) -> None:
        _count(parser, "--samples", values.whole(1, 1000), default, "motions generated for each recording")

    return declare


def _real_lips(parser: argparse.ArgumentParser) -> None:
    _samples(10)(parser)
    parser.add_argument(
        "--no-baseline",
        dest="baseline",
        action="store_false",
        help="do not fit the baseline, a linear map from log-mels",
    )
    reads(
        parser.add_argument(
            "--head",
            default=None,
            metavar="NAME|FILE",
            help="head on which the lip gap is measured (default: the motion's)",
        )
    )
    reads(
        parser.add_argument(
            "--transcripts",
            metavar="names|DIR",
            help="also generate with the words of the clips, and compare: names = words that the names of GRID clips "
            "tell; DIR = these and files with the names of the clips (.txt, .srt, .TextGrid, ...)",
        )
    )


def _closures(parser: argparse.ArgumentParser) -> None:
    _samples(3)(parser)
    writes(
        parser.add_argument(
            "--cache", type=Path, metavar="FILE", help="JSON file that keeps phone alignments between runs"
        )
    )


def _presets(parser: argparse.ArgumentParser) -> None:
    _samples(2)(parser)
    reads(
        parser.add_argument(
            "--encoder", type=Path, required=True, metavar="FILE", help="style encoder made by `evaluate held-out`"
        )
    )
    _count(parser, "--references", values.whole(1, 10000), 12, "reference motions of each preset")


def _held_out(parser: argparse.ArgumentParser) -> None:
    writes(
        parser.add_argument(
            "-o", "--output", metavar="FILE", required=True, help="style encoder to write (.safetensors)"
        )
    )
    _count(parser, "--speakers", values.whole(20), 300, "synthetic speakers to train on")
    _count(parser, "--steps", values.whole(1), 1200, "training steps")


def _references(parser: argparse.ArgumentParser) -> None:
    reads(
        parser.add_argument(
            "--references", type=Path, metavar="DIR", help="videos or motion (default: clips/ of the recordings)"
        )
    )
    parser.add_argument(
        "--manners", type=values.whole(0), default=0, metavar="N", help="use N synthetic manners instead of recordings"
    )


def _style_statistics(parser: argparse.ArgumentParser) -> None:
    _references(parser)
    _samples(2)(parser)


def _style_robustness(parser: argparse.ArgumentParser) -> None:
    _references(parser)
    parser.add_argument("--model", default="lite", help="model whose style encoder is measured (default: %(default)s)")


def _hearing(parser: argparse.ArgumentParser) -> None:
    reads(
        parser.add_argument(
            "--recordings",
            type=Path,
            metavar="CORPUS",
            required=True,
            help="folder made by `diffposetalk corpus --recordings`, with which the model was or could have been trained",
        )
    )
    parser.add_argument(
        "--model", default="lite", help="model whose speech encoder is measured, name or file (default: %(default)s)"
    )
    parser.add_argument(
        "--hours",
        type=values.number(0.001, 1000),
        default=2.0,
        metavar="H",
        help="speech that the probes learn from at most (default: %(default)s)",
    )
    parser.add_argument(
        "--validation-share",
        type=values.number(0.001, 0.999),
        default=0.08,
        metavar="SHARE",
        help="share of speakers held out when the model was trained, as in its recipe (default: %(default)s)",
    )


def _seams(parser: argparse.ArgumentParser) -> None:
    _samples(2)(parser)
    _count(parser, "--window", values.whole(2), 100, "frames between joins")


def _tracking(parser: argparse.ArgumentParser) -> None:
    reads(parser.add_argument("--landmarker", type=Path, metavar="FILE", help="MediaPipe's face_landmarker.task"))
    reads(parser.add_argument("--head", default="anny", metavar="NAME|FILE", help="head to fit (default: %(default)s)"))
    parser.add_argument("--only", default="", metavar="WORD", help="only clips whose name contains this (default: all)")


def _lipsync_plot(parser: argparse.ArgumentParser) -> None:
    reads(
        parser.add_argument(
            "speech", type=Path, help="sound or video; for a recording of DIR its words and track are used"
        )
    )
    writes(parser.add_argument("-o", "--output", metavar="FILE", required=True, help="picture to write (.png)"))
    parser.add_argument("--words", metavar="TEXT", help="the spoken words, in English, for an unknown recording")
    parser.add_argument(
        "--seconds",
        type=values.number(0.1),
        default=12.0,
        metavar="S",
        help="seconds to plot (default: %(default)s)",
    )
    _samples(2)(parser)


def _learning_plot(parser: argparse.ArgumentParser) -> None:
    reads(parser.add_argument("folder", type=Path, metavar="RUN", help="folder of `diffposetalk train`"))
    writes(parser.add_argument("-o", "--output", metavar="FILE", required=True, help="picture to write (.png)"))


def _meshes(parser: argparse.ArgumentParser) -> None:
    for name, what in (("predicted", "generated"), ("truth", "captured")):
        reads(parser.add_argument(name, type=Path, help=f"folder of {what} vertices (T, V, 3), .npz in metres"))
    for option, what in (
        ("--lips", "indices of lip vertices, text or .npy (default: the head's)"),
        ("--upper-face", "indices of upper-face vertices (default: the head's)"),
        ("--lip-pairs", "pairs of an upper and the facing lower inner-lip vertex (default: the head's)"),
    ):
        reads(parser.add_argument(option, type=Path, metavar="FILE", help=what))
    reads(
        parser.add_argument(
            "--head", metavar="NAME|FILE", help="head with the same triangles, for regions and rest shape"
        )
    )


MEASURES = {
    "real-lips": Measure("real_lips", "do the lips follow real speech, clip by clip?", _real_lips),
    "closures": Measure("closures", "do lips seal on p b m, open on vowels, rest in silence?", _closures),
    "presets": Measure("presets", "does another style encoder recognise each preset?", _presets, style=False),
    "held-out": Measure(
        "held_out", "train the style encoder that `presets` needs", _held_out, generator=False, recordings=False
    ),
    "style-statistics": Measure(
        "style_statistics", "does the motion have the statistics of its reference?", _style_statistics, style=False
    ),
    "style-robustness": Measure(
        "style_robustness", "is a style robust to tracking noise?", _style_robustness, generator=False
    ),
    "hearing": Measure(
        "hearing.scores",
        "how well does the speech encoder hear people it has not met?",
        _hearing,
        generator=False,
        recordings=False,
    ),
    "seams": Measure("seams", "are the joins between windows visible?", _seams),
    "meshes": Measure(
        "meshes.scores",
        "how far are meshes from captured ones?",
        _meshes,
        generator=False,
        recordings=False,
        regions=True,
    ),
    "tracking": Measure("tracking", "does the tracker agree with an independent tracker?", _tracking, generator=False),
    "lipsync-plot": Measure("plots.lipsync", "sound, phones and lip gap in one picture", _lipsync_plot),
    "learning-plot": Measure(
        "plots.learning", "the losses of a training run", _learning_plot, generator=False, recordings=False
    ),
}
"""Name on the command line -> measure."""
OPTIONAL_RECORDINGS = {"lipsync-plot"}
"""Measures that also work without the folder of recordings."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the measures with their options."""
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
    if measure.generator:
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
