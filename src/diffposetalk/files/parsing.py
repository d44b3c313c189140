"""One place that turns the failure of a parser into our error with the file's name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError, UsageError

LONGEST = 160
"""Characters of a library's message that are passed on."""


@contextlib.contextmanager
def parsing(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Raise `InputError` for whatever goes wrong inside while a user's file is read.

    Parsers meet damaged files, and the exceptions of zip, JSON, numpy, PyAV and our own code have no common base.
    Our own errors keep their type. The file's name is put in front of an `InputError`, `ModelError` or `UsageError` that
    does not name it.

    Args:
        path: the file that is read.
        what: what it should be, for the message: "motion file".

    Raises:
        InputError: ``PATH: not a readable WHAT (first line of the cause)``.
    """
    try:
        yield
    except DiffPoseTalkError as error:
        if not isinstance(error, (InputError, ModelError, UsageError)) or os.fspath(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except MemoryError:
        raise InputError(f"{path}: this {what} needs more memory than there is") from None
    except Exception as error:
        raise InputError(f"{path}: not a readable {what} ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most `LONGEST` characters; its type where it has no message."""
    if isinstance(error, KeyError) and error.args:
        return f"it lacks {str(error.args[0])[:LONGEST]!r}"
    lines = str(error).strip().splitlines()
    line = lines[0].strip() if lines else ""
    if not line:
        return type(error).__name__
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
