"""Which options of a command name files: each is declared where the option is, all are checked together before the work."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from diffposetalk.files.file_set import FileSet


def reads(option: argparse.Action) -> argparse.Action:
    """Declare that an option names a file or folder that the command reads; a word that names none is let pass."""
    option.file_role = "reads"  # type: ignore[attr-defined]
    return option


def writes(option: argparse.Action) -> argparse.Action:
    """Declare that an option names a file or folder that the command makes."""
    option.file_role = "writes"  # type: ignore[attr-defined]
    return option


def declares(option: argparse.Action) -> argparse.Action:
    """Declare that an option names files that the command itself hands to `args.file_set`, such as numbered outputs."""
    option.file_role = "declares"  # type: ignore[attr-defined]
    return option


def role(option: argparse.Action) -> str | None:
    """Return what `reads`, `writes` or `declares` has said of an option; None for one that names no file."""
    return getattr(option, "file_role", None)


def check_files(parser: argparse.ArgumentParser, args: argparse.Namespace) -> FileSet:
    """Check all files that a command line names: inputs first, then outputs against them and one another.

    Args:
        parser: of the whole command line.
        args: what it has read.

    Returns:
        The files, for the command to declare those that follow from others.

    Raises:
        UsageError: see `FileSet`.
    """
    files = FileSet()
    options = list(_options(parser, args))
    for wanted in ("reads", "writes"):
        for option in options:
            if role(option) == wanted:
                name = option.option_strings[-1] if option.option_strings else str(option.metavar or option.dest)
                for word in _words(getattr(args, option.dest, None)):
                    files.reads(word, name) if wanted == "reads" else files.writes(word, name)
    return files


def _options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Iterator[argparse.Action]:
    """Walk through the options of the command that was given, and of its own commands."""
    for option in parser._actions:
        if isinstance(option, argparse._SubParsersAction):
            yield from _options(option.choices[getattr(args, option.dest)], args)
        else:
            yield option


def _words(value: object) -> list[str]:
    if value is None:
        return []
    return [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]
