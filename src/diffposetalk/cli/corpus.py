"""Make a corpus to train on: synthesised speech with exact phone times, and facial and head motion for it.

The same seed makes the same corpus; a run that was stopped goes on where it was.

  diffposetalk corpus runs/corpus --hours 2 --seed 1
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("folder", metavar="FOLDER", help="where the corpus goes; made if absent")
    parser.add_argument("--hours", type=values.number(0.001, 1000), default=1.0, metavar="H", help="of speech (1)")
    parser.add_argument("--seed", type=values.whole(), default=0, metavar="N", help="same seed, same corpus (0)")
    parser.add_argument("--workers", type=values.whole(1, 256), metavar="N", help="processes (as many as cores)")


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Build the corpus; return the result for `--json`."""
    from diffposetalk.corpus.build import build_corpus

    with console.progress("corpus", "clips") as progress:
        summary = build_corpus(args.folder, hours=args.hours, seed=args.seed, workers=args.workers, progress=progress)
    return {"folder": args.folder, "summary": summary}
