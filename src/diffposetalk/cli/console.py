"""Output of a command: results go to stdout, everything else to stderr."""

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
from diffposetalk.progress import Progress, silent


class Console:
    """Prints the output of one command.

    Results go to stdout: lines for people, or with `--json` exactly one JSON object. Progress, warnings and errors go
    to stderr, one line each. If stdout is full or closed, the work continues and the failure is reported at the end.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False, debug: bool = False) -> None:
        """Choose JSON output (`as_json`), no progress (`quiet`), or stack traces and debug messages (`debug`)."""
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

    def flush(self) -> None:
        """Hand the lines so far to whoever reads stdout, before work without end."""
        self._flush()

    def finish(self, result: dict[str, Any]) -> None:
        """Print the JSON object if `--json` was given, and flush stdout.

        Raises:
            DiffPoseTalkError: the result could not be printed completely. A closed pipe (`| head`) is not an error.
        """
        if self.as_json:
            self._print(json.dumps(result, default=_plain, allow_nan=False))
        self._flush()
        if self._lost is not None and not isinstance(self._lost, BrokenPipeError):
            reason = getattr(self._lost, "strerror", None) or str(self._lost)
            files = "; the files of this run are complete" if result else ""
            raise DiffPoseTalkError(f"the result could not be printed on stdout: {reason}{files}")

    def fail(self, message: str, exit_code: int) -> int:
        """Print an error as one line; return the exit code."""
        line = self.complain(message)
        if self.as_json and self._lost is None:
            self._print(json.dumps({"error": line, "exit_code": exit_code}))
        self._flush()
        return exit_code

    def complain(self, message: str) -> str:
        """Print an error as one line; return the line."""
        line = one_line(message)
        self._note(f"diffposetalk: {line}")
        return line

    def warn(self, message: str) -> None:
        """Print a warning as one line."""
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
        """Remember the failure of stdout, and point stdout at the null device so that Python's flush at exit succeeds."""
        self._lost = error
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    def _note(self, line: str) -> None:
        """Print a line on stderr; failures are ignored."""
        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                print(line, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Print our own warnings and log records as one line each; hide the warnings of libraries."""
        log = logging.getLogger("diffposetalk")
        handler = _Lines(self)
        log.addHandler(handler)
        before, log.propagate = (log.level, log.propagate), False
        log.setLevel(logging.DEBUG if self.debug else logging.WARNING if self.quiet else logging.INFO)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("once", category=DiffPoseTalkWarning)
                warnings.showwarning = lambda message, *_args, **_kwargs: self.warn(str(message))
                yield
        finally:
            log.removeHandler(handler)
            log.setLevel(before[0])
            log.propagate = before[1]

    @contextlib.contextmanager
    def progress(self, what: str, unit: str = "") -> Iterator[Progress]:
        """Show a progress bar during the `with` block if stderr is a terminal.

        Args:
            what: name of the work, such as `speaking`.
            unit: unit of the progress, such as `s` or `frames`.

        Yields:
            The callback for the work.
        """
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield silent
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
    """Prints our log records on stderr: warnings as warnings, others as plain lines."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if record.levelno >= logging.WARNING:
            self._console.warn(record.getMessage())
        else:
            self._console._note(f"diffposetalk: {one_line(record.getMessage())}")


def _plain(value: Any) -> Any:
    """Convert numpy values and paths to JSON types."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
