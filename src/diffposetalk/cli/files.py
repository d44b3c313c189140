"""Options that name files. They are declared with the option and checked together before the work."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from diffposetalk.files.file_set import FileSet


def reads(option: argparse.Action) -> argparse.Action:
    """Declare that an option names a file or folder to read. A word that is not a file is ignored."""
    option.file_role = "reads"  # type: ignore[attr-defined]
    return option


def writes(option: argparse.Action) -> argparse.Action:
    """Declare that an option names a file or folder to write."""
    option.file_role = "writes"  # type: ignore[attr-defined]
    return option


def declares(option: argparse.Action) -> argparse.Action:
    """Declare that the command itself passes the files of an option to `args.file_set`, such as numbered outputs."""
    option.file_role = "declares"  # type: ignore[attr-defined]
    return option


def role(option: argparse.Action) -> str | None:
    """Return "reads", "writes" or "declares"; None for an option that does not name files."""
    return getattr(option, "file_role", None)


def check_files(parser: argparse.ArgumentParser, args: argparse.Namespace) -> FileSet:
    """Check all files of a command line: no output may overwrite an input or another output.

    Args:
        parser: parser of the whole command line.
        args: parsed options.

    Returns:
        The files. The command adds outputs that follow from other options.

    Raises:
        UsageError: see `FileSet`.
    """
    files = FileSet()
    options = list(_options(parser, args))
    for kind in ("reads", "writes"):
        for option in options:
            if role(option) == kind:
                name = option.option_strings[-1] if option.option_strings else str(option.metavar or option.dest)
                for word in _words(getattr(args, option.dest, None)):
                    files.reads(word, name) if kind == "reads" else files.writes(word, name)
    return files


def _options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Iterator[argparse.Action]:
    """Yield the options of the chosen command, including its subcommands."""
    for option in parser._actions:
        if isinstance(option, argparse._SubParsersAction):
            yield from _options(option.choices[getattr(args, option.dest)], args)
        else:
            yield option


def _words(value: object) -> list[str]:
    if value is None:
        return []
    return [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]
