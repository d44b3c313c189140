"""Turn speech into a talking head: a video (.mp4), motion (.npz), files of other software, or all of them.

diffposetalk animate talk.wav -o talk.mp4
diffposetalk animate talk.wav --style lively --seed 7 -o talk.mp4 -o talk.npz -o talk.glb -o talk.csv
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import outputs, picture, values

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.generate.options import SamplingOptions
    from diffposetalk.generate.talker import Talker
    from diffposetalk.motion import Motion
    from diffposetalk.style import Style


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("speech", metavar="SPEECH", help="any sound or video file")
    outputs.add_arguments(parser)
    parser.add_argument("--contact-sheet", metavar="PNG", help="also a picture of frames taken through the video")
    parser.add_argument("--style", metavar="NAME|FILE", help="manner of speaking (neutral), or a video of it")
    parser.add_argument("--samples", type=values.whole(1, 1000), default=1, metavar="N", help="different results (1)")
    parser.add_argument("--model", default="lite", metavar="NAME|FILE", help="model (lite, the bundled one)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="where the networks run: cpu, cuda, mps (cpu)")
    parser.add_argument("--max-hours", type=values.number(0.001), default=4.0, metavar="H", help="longest speech (4)")
    sampling = parser.add_argument_group("sampling")
    sampling.add_argument("--seed", type=values.whole(), default=0, metavar="N", help="same seed, same motion (0)")
    sampling.add_argument("--sampler", choices=("dpmpp", "ddim", "ddpm"), help="(dpmpp)")
    sampling.add_argument("--steps", type=values.whole(1, 100_000), metavar="N", help="network evaluations a window")
    sampling.add_argument("--guidance", choices=("incremental", "independent"), help="(incremental)")
    sampling.add_argument("--speech-scale", type=values.number(0), metavar="X", help="how strongly speech drives it")
    sampling.add_argument("--style-scale", type=values.number(0), metavar="X", help="how strongly the style shows")
    sampling.add_argument(
        "--compat", action="store_true", help="treat long speech as the authors' demo does (converted weights only)"
    )
    sampling.add_argument("--threshold", type=values.threshold, metavar="R,LOW,HIGH", help="dynamic thresholding")
    motion = parser.add_argument_group("motion")
    motion.add_argument("--head-scale", type=values.number(0), metavar="X", help="amplitude of head motion; 0: still")
    motion.add_argument("--expression-scale", type=values.number(0), metavar="X", help="amplitude of expression")
    picture.add_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Generate, then write everything asked for; return the result for `--json`."""
    sheet = values.outputs([args.contact_sheet], (".png",)) if args.contact_sheet else []
    wanted = outputs.Outputs.of(args, tuple(sheet))
    options = sampling_options(args)

    from diffposetalk.speech import SpeechFile

    speech = SpeechFile(Path(args.speech), max_duration=args.max_hours * 3600)
    pictures = picture.Picture(args, console)

    from diffposetalk.generate.talker import Talker
    from diffposetalk.motion import Motion

    talker = Talker.from_pretrained(args.model, args.device)
    style = talker.style(_motion_style(args.style, talker, console, args.head))
    if wanted.pictures:
        pictures.head_for(talker.model.space.head)  # refused before the work
    if args.compat:
        from diffposetalk.released_weights.demo import demo

        windows = demo(talker, speech, args.samples, style, options, pictures.identity)
    else:
        windows = talker.windows(speech, args.samples, style, options, pictures.identity)
    started = time.monotonic()
    takes: list[list[Motion]] = [[] for _ in range(args.samples)]
    with console.progress("speaking", "s") as progress:
        seconds = 0.0
        for window in windows:
            for take, part in zip(takes, window):
                take.append(part)
            seconds += window[0].duration
            progress(seconds, speech.duration)
    motions = [Motion.joined(take) for take in takes]
    generation_s = time.monotonic() - started
    written: dict[str, Any] = {"outputs": []}
    for index, motion in enumerate(motions):
        one = wanted.write(motion, pictures, speech, console, index, len(motions))
        written = {**one, "outputs": written["outputs"] + one["outputs"]}
    return {
        **written,
        "duration": motions[0].duration,
        "frames": len(motions[0]),
        "fps": motions[0].fps,
        "style": style.source if style else None,
        "seed": args.seed,
        "generation_seconds": round(generation_s, 3),
        "rendering_seconds": round(pictures.seconds, 3),
    }


def _motion_style(word: str | None, talker: Talker, console: Console, head: str | None) -> str | Style | None:
    """Read `--style` where it is motion or a video of somebody; leave it as it is otherwise."""
    from diffposetalk.cli.reference import is_reference, read_style

    if word is None or word in talker.presets or not is_reference(Path(word)) or not Path(word).exists():
        return word
    return read_style(Path(word), talker, console, head if talker.space.head == "flame" else None)


def sampling_options(args: argparse.Namespace) -> SamplingOptions:
    """Return the options given; what was not given keeps its default.

    Raises:
        UsageError: they contradict one another.
    """
    from dataclasses import fields

    from diffposetalk.generate.options import SamplingOptions

    named = {field.name: getattr(args, field.name, None) for field in fields(SamplingOptions)}
    if args.compat and args.sampler is None:
        named["sampler"] = "ddpm"
    return SamplingOptions(**{name: value for name, value in named.items() if value is not None})
