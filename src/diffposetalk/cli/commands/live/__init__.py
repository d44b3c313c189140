"""Drive a face in another program while somebody speaks: from a microphone, a file or stdin to one or more programs at once.

diffposetalk live --mic --to vmc://127.0.0.1
diffposetalk live --file talk.wav --play --to livelink://127.0.0.1 --to ws://127.0.0.1:8080/face
arecord -f S16_LE -r 16000 | diffposetalk live --stdin --rate 16000 --to vts://127.0.0.1
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.commands.animate import SAMPLING
from diffposetalk.cli.files import reads
from diffposetalk.cli.option_help import help_of
from diffposetalk.errors import UsageError
from diffposetalk.generate.options import SamplingOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from diffposetalk.cli.console import Console
    from diffposetalk.generate.stream import LookAhead
    from diffposetalk.live.sources import Source

DEFAULT_DEVICE = ""
"""Stands for the system's default microphone."""
LEFT_OUT = ("non_speech",)
"""Sampling options that a stream cannot follow."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from diffposetalk.live.receivers.table import PROTOCOLS

    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument(
        "--mic", nargs="?", const=DEFAULT_DEVICE, metavar="DEVICE",
        help="listen to a microphone: its number or a part of its name (default: that of the system)",
    )  # fmt: skip
    reads(sources.add_argument("--file", metavar="FILE", help="speak a sound or video file"))
    sources.add_argument("--stdin", action="store_true", help="read 16-bit mono samples from stdin")
    parser.add_argument(
        "--rate", type=values.whole(4000, 192_000), metavar="HZ", help="sample rate of stdin (default: 16000)"
    )
    known = "; ".join(f"{row.scheme}://HOST:{row.port} ({row.programs})" for row in PROTOCOLS.values())
    parser.add_argument(
        "--to", action="append", required=True, metavar="URL",
        help=f"where the face goes; may be given several times. The port may be left out. {known}",
    )  # fmt: skip
    parser.add_argument(
        "--fps", type=values.number(1, 240), default=60.0, metavar="N", help="faces a second (default: 60)"
    )
    parser.add_argument("--play", action="store_true", help="also play the sound, in time with the face")
    parser.add_argument(
        "--delay", type=values.number(-2000, 10_000), default=0.0, metavar="MS",
        help="milliseconds by which the face comes after its sound; below 0: before it (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--lookahead", type=lookahead, default=240.0, metavar="MS|offline",
        help="sound that is waited for: less is sooner, more follows the lips better; offline: 4 s at a time, as `animate` "
        "does (default: 240)",
    )  # fmt: skip
    parser.add_argument(
        "--hop", type=values.number(40, 1000), default=80.0, metavar="MS", help="motion made at a time (default: 80)"
    )
    parser.add_argument("--seconds", type=values.number(0.1), metavar="S", help="stop after so many seconds of sound")
    reads(
        parser.add_argument(
            "--style", metavar="NAME|FILE", help="speaking style: a preset, a style file or a motion (default: neutral)"
        )
    )
    reads(parser.add_argument("--model", default="lite", metavar="NAME|FILE", help="model (default: lite)"))
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:1 or mps (default: cpu)")
    sampling = parser.add_argument_group("sampling")
    for name, arguments in SAMPLING.items():
        if name not in LEFT_OUT:
            sampling.add_argument(f"--{name.replace('_', '-')}", help=help_of(SamplingOptions, name), **arguments)


def lookahead(text: str) -> LookAhead:
    """Parse milliseconds, or ``offline``."""
    milliseconds: Callable[[str], float] = values.number(0, 1000)
    return "offline" if text == "offline" else milliseconds(text)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Perform until the sound ends or the user stops it; return the result for `--json`."""
    from diffposetalk.live.outputs import Outputs
    from diffposetalk.live.perform import Performance
    from diffposetalk.live.receivers.table import address_of

    if args.rate is not None and not args.stdin:
        raise UsageError("--rate is the sample rate of --stdin; files and microphones have their own")
    if args.play and args.mic is not None:
        raise UsageError("--play would play the microphone into itself; leave it out")
    addresses = [address_of(url) for url in args.to]
    options = sampling_options(args)
    source = _source(args, console)  # a wrong one is refused before the model is loaded

    from diffposetalk.arkit import CHANNELS
    from diffposetalk.generate.talker import Talker
    from diffposetalk.live.playing import Player

    talker = Talker.from_pretrained(args.model, args.device)
    if not set(CHANNELS) <= set(talker.space.channels):
        raise UsageError(f"the model {args.model} does not make ARKit channels, which live programs need; use lite")
    stream = talker.stream(args.style, options, lookahead_ms=args.lookahead, hop_ms=args.hop)
    player = Player(args.rate or 16000) if args.play else None
    outputs = Outputs(addresses, console.complain)
    performance = Performance(stream, source, outputs, args.fps, player, args.delay / 1000, console.complain)
    if not console.quiet:
        console.say(f"{', '.join(map(str, addresses))}: {args.fps:g} faces a second; stop with Ctrl-C")
    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        performance.run(args.seconds)
    result = performance.summary.to_dict() | {"sent": outputs.sent}
    console.say(
        f"{result['seconds']:g} s, {result['frames']} faces; a hop took {result['hop_p50_ms']:g} ms "
        f"(99 %: {result['hop_p99_ms']:g} ms) and came too late {result['late']} times"
    )
    return result


def _source(args: argparse.Namespace, console: Console) -> Source:
    from diffposetalk.live.sources import FileSource, MicSource, StdinSource
    from diffposetalk.speech import SpeechFile

    if args.file is not None:
        SpeechFile(Path(args.file))
        return FileSource(Path(args.file))
    if args.stdin:
        return StdinSource(args.rate or 16000)
    return MicSource(args.mic or None, console.complain)


def sampling_options(args: argparse.Namespace) -> SamplingOptions:
    """Return the sampling options; options that are not given keep their defaults."""
    options = {field.name: getattr(args, field.name, None) for field in fields(SamplingOptions)}
    return SamplingOptions(**{name: value for name, value in options.items() if value is not None})
