"""What the evaluation commands share: their options, how they print, how errors look."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffposetalk.errors import DiffPoseTalkError, UsageError

REALDATA = Path("../shared/realdata")
"""Where the real recordings lie, from the project's root."""


def parser(name: str, description: str, generator: bool = True) -> argparse.ArgumentParser:
    """Return an argument parser with the options that all commands have."""
    options = argparse.ArgumentParser(prog=f"python -m diffposetalk.workshop.evaluate.{name}", description=description)
    options.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options.add_argument("--realdata", type=Path, default=REALDATA, metavar="DIR", help="default: %(default)s")
    if generator:
        options.add_argument(
            "--generator",
            default="lite",
            metavar="WHAT",
            help="a model (name or file), 'energy' (loudness moves the jaw: a stand-in), or MODULE:FUNCTION",
        )
        options.add_argument("--style", default=None, help="preset or style file; default: the generator's own")
        options.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="sampling option handed to the generator, e.g. steps=8 or style_scale=1.2; may be repeated",
        )
    return options


def read_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs; numbers become numbers.

    Raises:
        UsageError: a pair has no ``=``.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--option {pair}: must be NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


Main = Callable[[Sequence[str] | None], tuple[dict[str, Any], str, bool]]
"""Takes arguments; returns the result for JSON, the same as text, and whether JSON is wanted."""


def run(main: Main, argv: Sequence[str] | None = None) -> int:
    """Run a command and print its result.

    Args:
        main: the command.
        argv: arguments; default those of the process.

    Returns:
        Exit code: 0, or that of the error, whose one line goes to standard error.
    """
    try:
        result, text, as_json = main(argv)
    except DiffPoseTalkError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    print(json.dumps(_plain(result), indent=1, allow_nan=False) if as_json else text)
    return 0


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lay out rows as a Markdown table; floats get three decimals."""
    cells = [[f"{c:.3f}" if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in [list(header), *cells]]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def verdict(passed: bool) -> str:
    """Return the word for a met or missed target."""
    return "met" if passed else "MISSED"


def _plain(value: Any) -> Any:
    """Turn numpy values and paths into what JSON knows; nan and infinities become null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return str(value) if isinstance(value, Path) else value
