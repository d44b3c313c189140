"""Turn any failure of a parser into one of our errors that names the file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError, UsageError

LONGEST = 160
"""Characters that an error keeps of a library's message."""


@contextlib.contextmanager
def parsing(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Raise `InputError` for any exception inside the `with` block, where a user's file is read.

    The exceptions that zip, JSON, numpy and PyAV raise for damaged files have no common base class. Our own errors keep
    their type. If an `InputError`, `ModelError` or `UsageError` does not name the file, the name is added in front.

    Args:
        path: the file being read.
        what: expected kind of file, for the message: "motion file".

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
    """Return the first line of an error's message, at most `LONGEST` characters, or its type if the message is empty."""
    if isinstance(error, KeyError) and error.args:
        return f"it lacks {str(error.args[0])[:LONGEST]!r}"
    lines = str(error).strip().splitlines()
    line = lines[0].strip() if lines else ""
    if not line:
        return type(error).__name__
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
