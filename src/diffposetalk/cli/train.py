"""Train a model by a recipe (a TOML file under configs/)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("recipe", metavar="RECIPE", help="TOML file")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="where the run goes")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe; repeatable")


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Train; return the result for `--json`."""
    from diffposetalk.train.recipe import train_recipe

    return train_recipe(args.recipe, args.output, args.set)
