"""Write the networks of a model as ONNX files, for other programs and languages.

diffposetalk export-onnx -o onnx/
diffposetalk export-onnx --model my.safetensors -o onnx/

The folder receives speech_encoder.onnx, denoiser.onnx, style_encoder.onnx (and script.onnx for a model that takes
transcripts), and model.json with everything else that generation needs: sizes, learned nulls, noise schedule, channels,
styles. docs/onnx.md describes inputs and outputs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli.files import reads, writes

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("--model", default="lite", metavar="NAME|FILE", help="model to write (default: lite)"))
    writes(
        parser.add_argument(
            "-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write to; made if absent"
        )
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Write the files; return the result for `--json`."""
    from diffposetalk.generate.pretrained import model_path
    from diffposetalk.model.onnx.export import export_onnx
    from diffposetalk.model.onnx.load import load_onnx_model

    paths = export_onnx(load_onnx_model(model_path(args.model)), args.output)
    for path in paths:
        console.say(str(path))
    return {"outputs": [str(path) for path in paths]}
