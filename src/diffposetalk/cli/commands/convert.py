"""Convert a checkpoint of the authors (.pt) into a model file. No code in it is run, and every weight must fit.

diffposetalk convert iter_0110000.pt --stats stats_train.npz --style-encoder iter_0026000.pt -o model.safetensors
diffposetalk animate talk.wav --model model.safetensors --head generic_model.pkl --style style.npy -o talk.mp4
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(
        parser.add_argument(
            "checkpoint", metavar="CKPT.pt", help="denoiser or style encoder, as saved by the authors' code"
        )
    )
    writes(
        parser.add_argument("-o", "--output", metavar="OUT", required=True, help="model file to write (.safetensors)")
    )
    reads(
        parser.add_argument("--stats", metavar="NPZ", help="statistics of the training data, such as stats_train.npz")
    )
    reads(parser.add_argument("--style-encoder", metavar="CKPT.pt", help="style encoder that belongs to the denoiser"))
    reads(
        parser.add_argument(
            "--speech-config", metavar="JSON", help="configuration of the speech encoder, if it is not of base size"
        )
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Convert, and list the dropped weights; return the result for `--json`."""
    output = values.outputs([args.output], (".safetensors",))[0]
    from diffposetalk.data.flame_statistics import Statistics
    from diffposetalk.released_weights.convert import convert

    statistics = Statistics.load(args.stats) if args.stats else None
    conversion = convert(Path(args.checkpoint), statistics, args.style_encoder, args.speech_config)
    conversion.model.save(output)
    dropped = {key: reason for mapped in conversion.mapped for key, reason in mapped.dropped.items()}
    n_weights = sum(len(mapped.tensors) for mapped in conversion.mapped)
    console.say(str(output))
    console.table([("weights", str(n_weights)), *dropped.items()])
    return {"output": str(output), "weights": n_weights, "dropped": dropped}
