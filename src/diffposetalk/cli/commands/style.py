"""List the styles of a model, or read a style from motion or video for `animate --style`.

diffposetalk style
diffposetalk style talk.npz -o mine.style.safetensors
diffposetalk style lively somebody.mp4 --shares 0.3,0.7 -o mixed.style.safetensors
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.generate.style_of import StyleSource
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.style_reader import StyleReader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(
        parser.add_argument(
            "references",
            metavar="REFERENCE",
            nargs="*",
            help=f"preset, style file, motion ({values.motion_endings()}) or video of some seconds; several are mixed",
        )
    )
    writes(parser.add_argument("-o", "--output", metavar="OUT", help="style file to write (.safetensors)"))
    parser.add_argument(
        "--shares", type=values.shares, metavar="A,B,...", help="weight of each reference (default: equal)"
    )
    reads(
        parser.add_argument(
            "--model",
            default="lite",
            metavar="NAME|FILE",
            help="model with a style encoder, or a file of the style encoder alone (default: lite, the bundled one)",
        )
    )
    reads(
        parser.add_argument(
            "--head",
            metavar="NAME|FILE",
            help="FLAME head of a FLAME motion; with a FLAME model also the head to track videos on",
        )
    )
    values.add_input_fps(parser, "--fps", "--input-fps")
    reads(parser.add_argument("--landmarker", metavar="FILE", help="face model of MediaPipe, to track videos"))


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """List the presets, or read a style; return the result for `--json`."""
    if args.output and not args.references:
        raise UsageError("-o needs something to read the style from: diffposetalk style MOTION.npz -o OUT")
    output = values.outputs([args.output], (".safetensors",))[0] if args.output else None
    if args.references and output is None:
        raise UsageError("nothing to write: name the style file with -o, such as -o mine.style.safetensors")

    from diffposetalk.generate.talker import Talker
    from diffposetalk.style import Style, check_shares

    if args.shares is not None:
        check_shares(len(args.references), args.shares)
    if output is None:
        talker = Talker.from_pretrained(args.model)
        presets = {name: style.source for name, style in talker.model.presets.items()}
        console.table(list(presets.items()) or [("this model brings no styles",)])
        return {"model": args.model, "presets": presets}

    from diffposetalk.generate.style_of import style_of

    reader = _reader(args.model)
    styles: list[Style] = []
    for word in args.references:
        with console.progress("tracking", "s") as progress:
            options: dict[str, Any] = {"head": args.head, "landmarker": args.landmarker, "progress": progress}
            source = _source(word, args.input_fps)
            style = (
                reader.style(source, **options)
                if isinstance(reader, Talker)
                else style_of(source, reader, {}, **options)
            )
        assert style is not None, "a word always means a style"
        styles.append(style if source is word else replace(style, source=Path(word).name))
    style = Style.blended(styles, args.shares)
    style.save(output)
    console.say(str(output))
    return {"output": str(output), "source": style.source, "encoder": style.encoder}


def _source(word: str, fps: float | None) -> StyleSource:
    """Return the word itself, or the motion of a CSV file if its frame rate is given."""
    if fps is None or Path(word).suffix.lower() != ".csv":
        return word
    from diffposetalk.exchange import load_motion

    return load_motion(word, fps=fps)


def _reader(model: str) -> StyleReader | Talker:
    """Load what reads styles: a model, or a style encoder alone."""
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.checkpoint import header_kind
    from diffposetalk.model.style_reader import KIND, StyleReader

    path = Path(model)
    if path.is_file() and header_kind(path) == KIND:
        return StyleReader.load(path)
    return Talker.from_pretrained(model)
