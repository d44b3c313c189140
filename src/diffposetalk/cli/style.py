"""List a model's manners of speaking, or read one from motion or a video for use with `animate --style`.

diffposetalk style
diffposetalk style talk.npz -o mine.style.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.generate import Talker
    from diffposetalk.style_model import StyleModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "motion",
        metavar="FILE",
        nargs="?",
        help="motion (.npz, .csv, .json, .parquet) or video of at least some seconds",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="where the style goes (.safetensors)")
    parser.add_argument(
        "--model",
        default="lite",
        metavar="NAME|FILE",
        help="model whose style encoder reads it (lite), or that encoder",
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """List the presets, or encode a motion; return the result for `--json`."""
    if args.output and not args.motion:
        raise UsageError("-o needs a motion file to read the style from: diffposetalk style MOTION.npz -o OUT")
    output = values.outputs([args.output], (".safetensors",))[0] if args.output else None
    if args.motion and output is None:
        raise UsageError("nothing to write: name the style file with -o, such as -o mine.style.safetensors")

    from diffposetalk.generate import Talker

    if args.motion is None or output is None:
        talker = Talker.from_pretrained(args.model)
        presets = {name: style.source for name, style in talker.model.presets.items()}
        console.table(list(presets.items()) or [("this model brings no styles",)])
        return {"model": args.model, "presets": presets}

    from diffposetalk.cli.reference import read_reference

    reader = _reader(args.model)
    motion = read_reference(Path(args.motion), reader.space.head != "flame", console)
    style = reader.read_style(motion, Path(args.motion).name)
    style.save(output)
    console.say(str(output))
    return {"output": str(output), "source": style.source, "encoder": style.encoder, "seconds": motion.duration}


def _reader(model: str) -> StyleModel | Talker:
    """Return what reads styles: a model, or a style encoder converted alone."""
    from diffposetalk.checkpoint import header_kind
    from diffposetalk.generate import Talker
    from diffposetalk.style_model import KIND, StyleModel

    path = Path(model)
    if path.is_file() and header_kind(path) == KIND:
        return StyleModel.load(path)
    return Talker.from_pretrained(model)
