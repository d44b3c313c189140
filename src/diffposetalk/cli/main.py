"""The command `diffposetalk`: which commands there are, and how a run of one ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from diffposetalk import __version__
from diffposetalk.cli.console import Console
from diffposetalk.errors import DiffPoseTalkError

COMMANDS = {
    "animate": "speech -> video of a talking head, or motion",
    "style": "list manners of speaking, or read one from a video or motion",
    "track": "video of a face -> motion and identity",
    "render": "motion -> video or picture, or any other file",
    "retarget": "motion on one head -> motion on another",
    "export": "motion -> files of other software: GLB, USD, CSV, JSON, BVH, ...",
    "convert": "the authors' checkpoint (.pt) -> model file",
    "assets": "list, check and place FLAME and other files that you bring",
    "info": "what a model, style, motion or sound file holds",
    "corpus": "make training data: synthesised speech with facial and head motion",
    "dataset": "look into, convert and make data sets to train on",
    "train": "train a model by a recipe",
    "evaluate": "measure a model on real recordings",
}

INTERRUPTED = 130
TERMINATED = 143


class Parser(argparse.ArgumentParser):
    """Argument parser that answers a wrong command line with one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to read more; exit with 2."""
        self.exit(2, f"diffposetalk: {message} (see `{self.prog} --help`)\n")


class _Terminated(BaseException):
    """Asked to end by SIGTERM; unwinds like Ctrl-C, so that no half-written file stays."""


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    common = Parser(add_help=False)
    group = common.add_argument_group("general")
    group.add_argument("--json", action="store_true", help="print one JSON object on stdout instead of text")
    group.add_argument("--quiet", action="store_true", help="show no progress")
    group.add_argument("--debug", action="store_true", help="show the whole trace of an error")
    parser = Parser(
        prog="diffposetalk",
        description="Speech in, talking 3D head out, with head motion and a chosen manner of speaking.",
        epilog="`diffposetalk COMMAND --help` tells a command's options.",
    )
    parser.add_argument("--version", action="version", version=f"diffposetalk {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, what in COMMANDS.items():
        module = import_module(f"diffposetalk.cli.commands.{name}")
        command = commands.add_parser(
            name,
            help=what,
            parents=[common],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: the words after `diffposetalk`.

    Returns:
        Exit code: 0 done, 1 bad data or a failure, 2 a bad request, 130 interrupted, 143 terminated.
    """
    parser = build_parser()
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:  # --help, --version, or a wrong command line
        return stop.code if isinstance(stop.code, int) else 2
    if args.command is None:
        parser.print_help()
        return 2
    console = Console(as_json=args.json, quiet=args.quiet or args.json)

    def terminate(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if in_main_thread else None
    try:
        with console.warnings_as_lines():
            result = args.run(args, console)
            console.finish(result)
            sys.stdout.flush()
        return int(result.get("exit_code", 0))  # a command may find that what it looked at is bad
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:
        if args.debug:
            traceback.print_exc()
        return _ending(console, error)
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)


def _ending(console: Console, error: BaseException) -> int:
    """Say in one line why the run ended; return its exit code."""
    if isinstance(error, DiffPoseTalkError):
        return console.fail(str(error), error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return console.fail("interrupted; nothing half-written was left behind", INTERRUPTED)
    if isinstance(error, _Terminated):
        return console.fail("terminated; nothing half-written was left behind", TERMINATED)
    if isinstance(error, MemoryError):
        return console.fail("out of memory", 1)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    kind = type(error).__name__
    return console.fail(f"unexpected {kind}: {error}: a defect of ours; --debug shows where, please report it", 1)
