"""One place that turns the failure of a parser into our error with the file's name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError

LONGEST = 160
"""Characters of a library's message that are passed on."""
LONGEST_OWN = 600
"""Characters of a message of our own, beyond the file's name."""


@contextlib.contextmanager
def parsing(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Raise `InputError` for whatever goes wrong inside while a user's file is read.

    Parsers meet damaged files, and the exceptions of zip, JSON, numpy, PyAV and our own code have no common base.
    Our own errors keep their type. Where an `InputError` or `ModelError` does not name the file, its name is put in
    front; a message that is too long or has several lines becomes one line of moderate length.

    Args:
        path: the file that is read.
        what: what it should be, for the message: "motion file".

    Raises:
        InputError: ``PATH: not a readable WHAT (first line of the cause)``.
    """
    try:
        yield
    except DiffPoseTalkError as error:
        message = _one_line(path if isinstance(error, (InputError, ModelError)) else "", str(error))
        if message == str(error):
            raise
        raise type(error)(message) from error
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except MemoryError:
        raise InputError(f"{path}: this {what} needs more memory than there is") from None
    except Exception as error:
        raise InputError(f"{path}: not a readable {what} ({first_line(error)})") from error


def _one_line(path: str | os.PathLike[str], message: str) -> str:
    """Return a message as one line of moderate length that names the file."""
    name, line = os.fspath(path), message
    if "\n" in line or "\r" in line:
        line = " ".join(line.split())
    if name not in line:
        line = f"{name}: {line}"
    return line if len(line) <= len(name) + LONGEST_OWN else line[: len(name) + LONGEST_OWN - 3] + "..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most `LONGEST` characters; its type where it has no message."""
    if isinstance(error, KeyError) and error.args:
        return f"it lacks {str(error.args[0])[:LONGEST]!r}"
    lines = str(error).strip().splitlines()
    line = lines[0].strip() if lines else ""
    if not line:
        return type(error).__name__
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
