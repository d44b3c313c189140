"""The table of the sub-commands of `evaluate`: the module of each, and its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes

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


def _compare(parser: argparse.ArgumentParser) -> None:
    reads(
        parser.add_argument(
            "systems",
            nargs="*",
            metavar="MODEL",
            help="model (name or file), baseline, or folder of outputs with the names of the clips (.npz, .csv, .json, .mp4, "
            "...); NAME=MODEL gives it a name in the report",
        )
    )
    reads(
        parser.add_argument(
            "--data",
            type=Path,
            metavar="SET",
            help="protocol (.toml) made by `evaluate protocol`, folder of clips, or folder made by `diffposetalk corpus`, of "
            "which held-out speakers are taken",
        )
    )
    writes(
        parser.add_argument(
            "-o", "--output", type=Path, metavar="FOLDER", help="folder of the report; an interrupted run goes on there"
        )
    )
    reads(
        parser.add_argument(
            "--clips", type=Path, metavar="DIR", help="folder of the clips (default: where the protocol says)"
        )
    )
    parser.add_argument(
        "--films", action="store_true", help="also film some clips: the truth and all systems side by side"
    )
    reads(
        parser.add_argument(
            "--leaderboard",
            type=Path,
            metavar="FILE",
            help="make a page (-o PAGE.html) of a leaderboard file (.csv) instead",
        )
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="sampling option of the models such as steps=8; may be repeated",
    )


def _table(parser: argparse.ArgumentParser) -> None:
    reads(
        parser.add_argument(
            "recipe",
            metavar="TABLE",
            help="TOML file of a table, or one that comes with the program: tables/small, tables/full",
        )
    )
    writes(
        parser.add_argument(
            "-o",
            "--output",
            type=Path,
            metavar="FOLDER",
            required=True,
            help="folder of the table; an interrupted run goes on",
        )
    )
    parser.add_argument(
        "--set",
        dest="changes",
        metavar="A.B=VALUE",
        action="append",
        default=[],
        help="change a value of the table, such as corpus=FOLDER; repeatable",
    )
    parser.add_argument(
        "--films", action="store_true", help="also film some clips: the truth and all systems side by side"
    )


def _protocol(parser: argparse.ArgumentParser) -> None:
    reads(
        parser.add_argument(
            "data",
            type=Path,
            metavar="FOLDER",
            help="videos, or sounds with motion files of the same names; or a folder made by `diffposetalk corpus`",
        )
    )
    writes(
        parser.add_argument(
            "-o", "--output", type=Path, required=True, metavar="FILE", help="protocol to write (.toml)"
        )
    )
    parser.add_argument(
        "--clips",
        type=values.whole(1, 100_000),
        metavar="N",
        help="most clips, evenly spread (default: all of a folder, 24 of a corpus)",
    )
    parser.add_argument(
        "--style",
        choices=("other", "self", "none"),
        default="other",
        help="source of each style: another clip of the same speaker (who is the subfolder), the clip itself, or none "
        "(default: other)",
    )
    _samples(3)(parser)
    values.add_number(parser, "--longest", values.number(2, 3600), 20.0, "longer clips are cut to S seconds", "S")
    _validation_share(parser)


def _validation_share(parser: argparse.ArgumentParser) -> None:
    values.add_number(
        parser,
        "--validation-share",
        values.number(0.001, 0.999),
        0.08,
        "of a corpus: share of speakers held out when the model was trained, as in its recipe",
        "SHARE",
    )


def _samples(default: int) -> Declare:
    def declare(parser: argparse.ArgumentParser) -> None:
        values.add_number(parser, "--samples", values.whole(1, 1000), default, "motions generated for each recording")

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


def _few_steps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--numbers",
        type=values.whole(1, 1000),
        nargs="+",
        default=[10, 8, 6, 5, 4, 3, 2, 1],
        metavar="N",
        help="numbers of denoising steps, a row each (default: 10 8 6 5 4 3 2 1)",
    )
    _closures(parser)


def _presets(parser: argparse.ArgumentParser) -> None:
    _samples(2)(parser)
    reads(
        parser.add_argument(
            "--encoder", type=Path, required=True, metavar="FILE", help="style encoder made by `evaluate held-out`"
        )
    )
    values.add_number(parser, "--references", values.whole(1, 10000), 12, "reference motions of each preset")


def _held_out(parser: argparse.ArgumentParser) -> None:
    writes(
        parser.add_argument(
            "-o", "--output", metavar="FILE", required=True, help="style encoder to write (.safetensors)"
        )
    )
    values.add_number(parser, "--speakers", values.whole(20), 300, "synthetic speakers to train on")
    values.add_number(parser, "--steps", values.whole(1), 1200, "training steps")


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
    values.add_number(
        parser, "--hours", values.number(0.001, 1000), 2.0, "speech that the probes learn from at most", "H"
    )
    _validation_share(parser)


def _seams(parser: argparse.ArgumentParser) -> None:
    _samples(2)(parser)
    values.add_number(parser, "--window", values.whole(2), 100, "frames between joins")


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
    values.add_number(parser, "--seconds", values.number(0.1), 12.0, "seconds to plot", "S")
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
    "compare": Measure(
        "comparison.command",
        "how good are systems on the clips of a protocol? The default: `evaluate MODEL...` is `evaluate compare MODEL...`",
        _compare,
        generator=False,
        recordings=False,
    ),
    "table": Measure(
        "table",
        "train our model, its ablations and other systems on the same corpus, and compare them",
        _table,
        generator=False,
        recordings=False,
    ),
    "protocol": Measure(
        "protocol.make",
        "pin the clips, styles and seeds of a comparison in a file",
        _protocol,
        generator=False,
        recordings=False,
    ),
    "real-lips": Measure("real_lips", "do the lips follow real speech, clip by clip?", _real_lips),
    "closures": Measure("closures", "do lips seal on p b m, open on vowels, rest in silence?", _closures),
    "few-steps": Measure("few_steps", "what do fewer denoising steps cost?", _few_steps),
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
