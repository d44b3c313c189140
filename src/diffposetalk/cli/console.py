"""What a command says, and where: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from diffposetalk.errors import DiffPoseTalkError, DiffPoseTalkWarning, one_line
from diffposetalk.progress import Progress


class Console:
    """Speaks for one run of a command.

    Results go to stdout: lines for people, or with `--json` exactly one JSON object. Progress, warnings and errors go
    to stderr, a line each. A stdout that is full, closed or no longer read does not stop the work: what could not be
    printed is reported at the end.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False, debug: bool = False) -> None:
        """Say for whom: a script (`as_json`), a person who wants no progress (`quiet`), or a developer (`debug`)."""
        self.as_json = as_json
        self.quiet = quiet
        self.debug = debug
        self._lost: BaseException | None = None

    def say(self, line: str) -> None:
        """Print a line of the result for people."""
        if not self.as_json:
            self._print(line)

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Print rows in aligned columns."""
        widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(max(map(len, rows)))]
        for row in rows:
            self.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def finish(self, result: dict[str, Any]) -> None:
        """Print the JSON object, if that was asked for, and all that waits to be printed.

        Raises:
            DiffPoseTalkError: not all of the result could be printed; a reader that has gone (`| head`) is no error.
        """
        if self.as_json:
            self._print(json.dumps(result, default=_plain, allow_nan=False))
        self._flush()
        if self._lost is not None and not isinstance(self._lost, BrokenPipeError):
            reason = getattr(self._lost, "strerror", None) or str(self._lost)
            files = "; the files of this run are complete" if result else ""
            raise DiffPoseTalkError(f"the result could not be printed on stdout: {reason}{files}")

    def fail(self, message: str, exit_code: int) -> int:
        """Print one line about what went wrong; return the exit code."""
        line = self.complain(message)
        if self.as_json and self._lost is None:
            self._print(json.dumps({"error": line, "exit_code": exit_code}))
        self._flush()
        return exit_code

    def complain(self, message: str) -> str:
        """Print one line about what went wrong; return it."""
        line = one_line(message)
        self._note(f"diffposetalk: {line}")
        return line

    def warn(self, message: str) -> None:
        """Print one line of warning."""
        self._note(f"diffposetalk: warning: {one_line(message)}")

    def _print(self, line: str) -> None:
        if self._lost is None:
            try:
                if sys.stdout is None:
                    raise ValueError("it is closed")
                print(line)
            except (OSError, ValueError) as error:
                self._give_up(error)

    def _flush(self) -> None:
        if self._lost is None and sys.stdout is not None:
            try:
                sys.stdout.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        """Remember why stdout takes nothing, and let Python's own last flush at exit go nowhere."""
        self._lost = error
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    def _note(self, line: str) -> None:
        """Print a line on stderr; where that is impossible there is nobody to tell."""
        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                print(line, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Show our own warnings and log records as one line each; keep warnings of libraries to themselves."""
        log = logging.getLogger("diffposetalk")
        handler = _Lines(self)
        log.addHandler(handler)
        before, log.propagate = (log.level, log.propagate), False
        log.setLevel(logging.DEBUG if self.debug else logging.WARNING if self.quiet else logging.INFO)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("once", category=DiffPoseTalkWarning)
                warnings.showwarning = lambda message, *_rest, **_named: self.warn(str(message))
                yield
        finally:
            log.removeHandler(handler)
            log.setLevel(before[0])
            log.propagate = before[1]

    @contextlib.contextmanager
    def progress(self, what: str, unit: str = "") -> Iterator[Progress]:
        """Show a bar on stderr while the `with` block runs, if a person looks at it.

        Args:
            what: the work, such as `speaking`.
            unit: of the numbers given to the callback, such as `s` or `frames`.

        Yields:
            The progress to hand to the work.
        """
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield _unseen
            return
        import rich.console
        from rich import progress

        columns = (
            progress.TextColumn("{task.description:>10}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:.0f}/{task.total:.0f} " + unit),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=rich.console.Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=1)

            def show(done: float, total: float | None = None, what: str | None = None) -> None:
                bar.update(task, completed=done, total=total or max(done, 1), description=what)

            yield show


class _Lines(logging.Handler):
    """Prints log records of the library: warnings as warnings, the rest as plain lines on stderr."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if record.levelno >= logging.WARNING:
            self._console.warn(record.getMessage())
        else:
            self._console._note(f"diffposetalk: {one_line(record.getMessage())}")


def _unseen(done: float, total: float | None = None, what: str | None = None) -> None:
    """Progress that nobody looks at."""


def _plain(value: Any) -> Any:
    """Turn paths and numpy numbers into what JSON knows."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
