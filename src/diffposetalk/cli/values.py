"""Parse values of command-line options, with clear errors."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from diffposetalk.files.atomic import check_output


def number(low: float = -math.inf, high: float = math.inf) -> type:
    """Return an argparse type for finite numbers between `low` and `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not math.isfinite(value) or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not {_range(low, high)}")
        return value

    return parse  # type: ignore[return-value]


def whole(low: int = 0, high: int = 2**63 - 1) -> type:
    """Return an argparse type for whole numbers between `low` and `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not {_range(low, high)}")
        return value

    return parse  # type: ignore[return-value]


def _range(low: float, high: float) -> str:
    if high == math.inf or high >= 2**63 - 1:
        return f"at least {low:g}" if low > -math.inf else "a finite number"
    return f"between {low:g} and {high:g}"


def add_number(
    parser: argparse.ArgumentParser,
    option: str,
    kind: Callable[[str], float],
    default: float,
    what: str,
    metavar: str = "N",
) -> None:
    """Declare an option that is a number; its help ends with the default."""
    parser.add_argument(option, type=kind, default=default, metavar=metavar, help=f"{what} (default: {default:g})")


def add_input_fps(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare the option for the frame rate of a CSV file, `args.input_fps`."""
    parser.add_argument(
        *names, dest="input_fps", type=number(1, 240), metavar="N",
        help="frame rate of a .csv file (default: from its time codes)",
    )  # fmt: skip


def motion_endings() -> str:
    """Return the endings of files that motion is read from, for help texts: `.npz, .csv, ...`."""
    from diffposetalk.exchange import suffixes

    return ", ".join(suffixes(reading=True))


def outputs(paths: Sequence[str], suffixes: tuple[str, ...]) -> list[Path]:
    """Check output paths before the work.

    Args:
        paths: paths as given.
        suffixes: accepted file name endings.

    Returns:
        The paths.

    Raises:
        UsageError: an ending is unknown, or a path cannot be written; see `check_output`.
    """
    return [check_output(path, suffixes) for path in paths]


def numbered(path: Path, index: int, count: int) -> Path:
    """Return the path of sample `index`: `path` for a single sample, else `talk-2.mp4` and so on."""
    return path if count == 1 else path.with_name(f"{path.stem}-{index + 1}{path.suffix}")


def threshold(text: str) -> tuple[float, float, float]:
    """Parse `RATIO,LOW,HIGH`."""
    try:
        ratio, low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write RATIO,LOW,HIGH such as 0.99,1,4") from None
    return ratio, low, high


def shares(text: str) -> tuple[float, ...]:
    """Parse `A,B,...`."""
    try:
        return tuple(number(0)(part) for part in text.split(","))
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: write numbers such as 0.7,0.3 ({error})") from None


def add_general(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands share to a subcommand."""
    general = parser.add_argument_group("general")
    for flag, what in (
        ("--json", "print one JSON object on stdout instead of text"),
        ("--quiet", "show no progress"),
        ("--debug", "show the whole trace of an error"),
    ):
        general.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=what)
