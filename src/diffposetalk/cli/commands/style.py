"""List a model's manners of speaking, or read one from motion or a video for use with `animate --style`.

diffposetalk style
diffposetalk style talk.npz -o mine.style.safetensors
diffposetalk style lively somebody.mp4 --shares 0.3,0.7 -o mixed.style.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.style_reader import StyleModel
    from diffposetalk.style import Style


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "references",
        metavar="REFERENCE",
        nargs="*",
        help="motion (.npz, .csv, .json, .parquet) or video of at least some seconds, or a style; several are mixed",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="where the style goes (.safetensors)")
    parser.add_argument("--shares", type=values.shares, metavar="A,B,...", help="of several references (equal)")
    parser.add_argument(
        "--model",
        default="lite",
        metavar="NAME|FILE",
        help="model whose style encoder reads it (lite), or that encoder",
    )
    parser.add_argument(
        "--head",
        metavar="NAME|FILE",
        help="FLAME that motion of FLAME is for, or a video is fitted on for a model of FLAME",
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """List the presets, or read a style; return the result for `--json`."""
    if args.output and not args.references:
        raise UsageError("-o needs something to read the style from: diffposetalk style MOTION.npz -o OUT")
    output = values.outputs([args.output], (".safetensors",))[0] if args.output else None
    if args.references and output is None:
        raise UsageError("nothing to write: name the style file with -o, such as -o mine.style.safetensors")

    from diffposetalk.generate.talker import Talker
    from diffposetalk.style import Style

    if output is None:
        talker = Talker.from_pretrained(args.model)
        presets = {name: style.source for name, style in talker.model.presets.items()}
        console.table(list(presets.items()) or [("this model brings no styles",)])
        return {"model": args.model, "presets": presets}

    reader = _reader(args.model)
    style = Style.blended([_style(word, reader, console, args.head) for word in args.references], args.shares)
    style.save(output)
    console.say(str(output))
    return {"output": str(output), "source": style.source, "encoder": style.encoder}


def _style(word: str, reader: StyleModel | Talker, console: Console, head: str | None) -> Style:
    """Return the style that a word of the command line means: read from motion or a video, or made before."""
    from diffposetalk.cli.reference import is_reference, read_style
    from diffposetalk.generate.talker import Talker
    from diffposetalk.style import Style

    path = Path(word)
    presets = reader.presets if isinstance(reader, Talker) else ()
    if word not in presets and is_reference(path):
        return read_style(path, reader, console, head)
    style = reader.style(word) if isinstance(reader, Talker) else Style.load(path)
    assert style is not None, "a word always means one"
    return style


def _reader(model: str) -> StyleModel | Talker:
    """Return what reads styles: a model, or a style encoder converted alone."""
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.checkpoint import header_kind
    from diffposetalk.model.style_reader import KIND, StyleModel

    path = Path(model)
    if path.is_file() and header_kind(path) == KIND:
        return StyleModel.load(path)
    return Talker.from_pretrained(model)
