"""The command `diffposetalk`: its subcommands, and the end of a run."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

from diffposetalk import __version__
from diffposetalk.cli.console import Console
from diffposetalk.cli.files import check_files
from diffposetalk.errors import DiffPoseTalkError, UsageError, one_line
from diffposetalk.files.parsing import first_line

COMMANDS = {
    "animate": "make a talking head from speech: video, motion, or files of other software",
    "live": "drive a face in another program while somebody speaks: microphone, file or stdin",
    "style": "list the styles of a model, or read a style from a video or a motion",
    "track": "read motion and identity of a face from a video",
    "render": "draw a motion as video or picture",
    "retarget": "move a motion from one head to another",
    "export": "write a motion as files of other software: GLB, USD, CSV, JSON, BVH, ...",
    "export-onnx": "write the networks of a model as ONNX files, for other programs",
    "serve": "make motion live for other programs, over a WebSocket",
    "convert": "convert the authors' checkpoint (.pt) to a model file",
    "assets": "list, check and install FLAME and other files that you provide",
    "info": "show what a model, style, motion or sound file contains",
    "corpus": "make training data: synthesised speech with face and head motion",
    "dataset": "check, show, convert and build data sets for training",
    "train": "train a model from a recipe",
    "evaluate": "measure a model on real recordings",
    "study": "ask people: make, host and count a user study",
}
"""Command -> its help. Each command is a module of `cli.commands`."""

GENERAL = ("--json", "--quiet", "--debug")
"""Options of every command."""
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 plus the number of the signal, as in shells."""


class Parser(argparse.ArgumentParser):
    """Argument parser that prints one line for a wrong command line."""

    default_subcommand = ""
    """Subcommand that is meant if the first word after the general options is none; empty: it has to be named."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line, with a hint to `--help`.

        Raises:
            UsageError: always; `run` prints it, as JSON too where that was asked for.
        """
        raise UsageError(f"{one_line(message)} (see `{self.prog} --help`)")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse an unknown option here, where the options of the command are known, with the nearest of them."""
        if self.default_subcommand and args:
            args = self._with_subcommand(list(args))
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            import difflib

            near = difflib.get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, 1)
            self.error(f"unknown argument {unknown[0]}{f'; did you mean {near[0]}?' if near else ''}")
        return namespace, unknown

    def _with_subcommand(self, words: list[str]) -> list[str]:
        """Return the words with the default subcommand, if they name none."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        known = {"-h", "--help", *(name for group in groups for name in group.choices)}
        first = next((place for place, word in enumerate(words) if word not in GENERAL), len(words))
        if first == len(words) or words[first] in known:
            return words
        return [*words[:first], self.default_subcommand, *words[first:]]

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help through the console, which handles a full or closed stdout."""
        if file is sys.stdout or file is None:
            console = Console()
            console.say(message.removesuffix("\n"))
            console.finish({})
        else:
            super()._print_message(message, file)


class _Ended(BaseException):
    """Raised by a signal that ends the program; like Ctrl-C, so that unfinished files are removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def build_parser(arguments: Sequence[str] | None = None) -> Parser:
    """Return the parser of the whole command line.

    Args:
        arguments: the words to parse. Only the module of their command is imported. Default: all are imported.
    """
    imported = set(COMMANDS) if arguments is None else {next((word for word in arguments if word in COMMANDS), "")}
    common = Parser(add_help=False)
    group = common.add_argument_group("general")
    group.add_argument("--json", action="store_true", help="print one JSON object on stdout instead of text")
    group.add_argument("--quiet", action="store_true", help="show no progress")
    group.add_argument("--debug", action="store_true", help="show the full Python traceback of an error")
    parser = Parser(
        prog="diffposetalk",
        description="Turn speech into a talking 3D head, in a speaking style that you choose.",
        epilog="`diffposetalk COMMAND --help` lists the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"diffposetalk {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, what in COMMANDS.items():
        if name not in imported:
            commands.add_parser(name, help=what, add_help=False)
            continue
        module = import_module(f"diffposetalk.cli.commands.{name.replace('-', '_')}")
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
        Exit code: 0 done; 1 bad data or a failure; 2 a bad request; 129, 130 or 143 after SIGHUP, Ctrl-C or SIGTERM.
    """
    console = Console(as_json="--json" in arguments)
    with _Signals() as signals:
        try:
            parser = build_parser(arguments)
            try:
                args = parser.parse_args(arguments)
            except SystemExit as stop:  # --help or --version
                return stop.code if isinstance(stop.code, int) else 2
            if args.command is None:
                parser.print_help()
                return 2
            console = Console(as_json=args.json, quiet=args.quiet or args.json, debug=args.debug)
            with console.warnings_as_lines():
                args.file_set = check_files(parser, args)
                result = args.run(args, console)
                console.finish(result)
            return int(result.get("exit_code", 0))  # `dataset check` returns 1 if the data set is bad
        except BaseException as error:
            if console.debug:
                traceback.print_exc()
            return _ending(console, signals.first or error)


class _Signals:
    """Turns signals that end the program into exceptions while a command runs.

    `first` is the exception of the first signal. It decides the exit code, because libraries may turn an interrupt
    during their import into another error. Further signals within `PAUSE_S` (repeated Ctrl-C) are ignored, so that they
    do not disturb the clean-up. Signals that are already ignored stay ignored: `nohup`, or Ctrl-C for background jobs.
    """

    PAUSE_S = 1.0
    """Seconds in which further signals are ignored."""

    def __init__(self) -> None:
        self.first: BaseException | None = None
        self._at = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._end)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.first is not None and now - self._at < self.PAUSE_S:
            return
        self._at = now
        error = KeyboardInterrupt() if number == signal.SIGINT else _Ended(number)
        self.first = self.first or error
        raise error


def _ending(console: Console, error: BaseException) -> int:
    """Print why the run ended; return the exit code."""
    if isinstance(error, DiffPoseTalkError):
        return console.fail(str(error), error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return console.fail("interrupted; nothing half-written was left behind", INTERRUPTED)
    if isinstance(error, _Ended):
        return console.fail("terminated; nothing half-written was left behind", 128 + error.number)
    if isinstance(error, MemoryError):
        return console.fail("out of memory", 1)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return console.fail("this needs torch: pip install 'diffposetalk[research]'", 1)
    kind = type(error).__name__
    reason = first_line(error)
    return console.fail(f"unexpected {kind}: {reason}: a defect of ours; --debug shows where, please report it", 1)
