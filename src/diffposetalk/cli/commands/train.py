"""Train a model from a recipe: a TOML file, or the name of a recipe that comes with the program.

A run that was stopped continues when it is started again.

  diffposetalk train lite -o runs/lite --set corpus=corpus
  diffposetalk train people -o runs/people --set data=people
  diffposetalk train paper/denoiser -o runs/paper --set data=HDTF_TFHP/lmdb --set head=flame.pkl
  diffposetalk train baselines/faceformer -o runs/faceformer --set corpus=corpus
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diffposetalk.cli.files import reads, writes
from diffposetalk.config import read_config, recipes
from diffposetalk.errors import DiffPoseTalkError, UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("recipe", metavar="RECIPE", help=f"TOML file, or one of {', '.join(recipes())}"))
    writes(
        parser.add_argument(
            "-o", "--output", metavar="FOLDER", required=True, help="folder of the run; made if missing"
        )
    )
    parser.add_argument(
        "--set", metavar="A.B=VALUE", action="append", default=[], help="change a value of the recipe; repeatable"
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Train all stages; return the result for `--json`."""
    try:
        from diffposetalk.workshop.baselines.recipe import train_baseline
        from diffposetalk.workshop.train.distill.recipe import train_distilled
        from diffposetalk.workshop.train.lite.recipe import train_recipe
        from diffposetalk.workshop.train.paper.run import train_paper
    except ModuleNotFoundError as error:
        raise DiffPoseTalkError(f"training needs {error.name}: pip install 'diffposetalk[train]'") from error
    from diffposetalk.files.atomic import check_run_folder

    trainings = {"lite": train_recipe, "paper": train_paper, "baseline": train_baseline, "distill": train_distilled}
    kind = read_config(args.recipe, args.set).get("kind", "lite")
    if kind == "corpus":
        raise UsageError(f"{args.recipe}: the kind 'corpus' is now called 'lite'")
    if not isinstance(kind, str) or kind not in trainings:
        raise UsageError(f"{args.recipe}: unknown kind {kind!r}; choose from {', '.join(trainings)}")
    output = check_run_folder(args.output)
    with console.progress("training", "") as progress:
        result = trainings[kind](args.recipe, output, args.set, progress)
    console.say(result["model"])
    console.table([(name, f"{value:.3f}") for name, value in result["figures"].items()])
    return result
