"""What a command says, and where: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Protocol


class Progress(Protocol):
    """Called with how much is done, where known of how much, and of what if that changes."""

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None: ...


class Console:
    """Speaks for one run of a command.

    Results go to stdout: lines for people, or with `--json` exactly one JSON object. Progress, warnings and errors go
    to stderr, a line each.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        """Say for whom: a script (`as_json`), or a person who wants no progress (`quiet`)."""
        self.as_json = as_json
        self.quiet = quiet

    def say(self, line: str) -> None:
        """Print a line of the result for people."""
        if not self.as_json:
            print(line)

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Print rows in aligned columns."""
        widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(max(map(len, rows)))]
        for row in rows:
            self.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def finish(self, result: dict[str, Any]) -> None:
        """Print the JSON object, if that was asked for."""
        if self.as_json:
            print(json.dumps(result, default=_plain, allow_nan=False))

    def fail(self, message: str, exit_code: int) -> int:
        """Print one line about what went wrong; return the exit code."""
        self.finish({"error": self.complain(message), "exit_code": exit_code})
        return exit_code

    def complain(self, message: str) -> str:
        """Print one line about what went wrong; return it."""
        line = " ".join(message.split())
        print(f"diffposetalk: {line}", file=sys.stderr)
        return line

    def warn(self, message: str) -> None:
        """Print one line of warning."""
        print(f"diffposetalk: warning: {' '.join(message.split())}", file=sys.stderr)

    @contextlib.contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Show our own warnings as one line each; keep those of libraries to themselves."""
        from diffposetalk.errors import DiffPoseTalkWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", category=DiffPoseTalkWarning)
            warnings.showwarning = lambda message, *_rest, **_named: self.warn(str(message))
            yield

    @contextlib.contextmanager
    def progress(self, what: str, unit: str = "") -> Iterator[Progress]:
        """Show a bar on stderr while the `with` block runs, if a person looks at it.

        Args:
            what: the work, such as `speaking`.
            unit: of the numbers given to the callback, such as `s` or `frames`.

        Yields:
            A function of how much is done and of the total (None where unknown).
        """
        if self.quiet or not sys.stderr.isatty():
            yield _unseen
            return
        import rich.console
        from rich import progress

        columns = (
            progress.TextColumn("{task.description:>10}"),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:.0f}/{task.total:.0f} " + unit),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=rich.console.Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=1)

            def show(done: float, total: float | None = None, what: str | None = None) -> None:
                bar.update(task, completed=done, total=total or max(done, 1), description=what)

            yield show


def _unseen(done: float, total: float | None = None, what: str | None = None) -> None:
    """Progress that nobody looks at."""


def _plain(value: Any) -> Any:
    """Turn paths and numpy numbers into what JSON knows."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
