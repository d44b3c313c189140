"""Exceptions for users. Each message is one line: what is wrong, where, and what to do."""

from __future__ import annotations

LONGEST_MESSAGE = 1000
"""Longest message, characters. A longer one loses its middle."""


def one_line(message: str) -> str:
    """Return a message as one line of at most `LONGEST_MESSAGE` characters that a terminal can print safely.

    Messages quote file names and messages of libraries. Those may hold line breaks and control characters, and may be
    megabytes long.
    """
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2 - 3
        message = f"{message[:half]} ... {message[-half:]}"
    printable = "".join(
        letter if letter.isprintable() or letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in message
    )
    return " ".join(printable.split())


class DiffPoseTalkError(Exception):
    """Base of all errors that the user can fix. The message is always one line (`one_line`).

    ``exit_code`` is the exit code of the command line: 1 for bad data, 2 for a bad request.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        """Store the message as one line."""
        super().__init__(one_line(message))


class InputError(DiffPoseTalkError):
    """A file or an array cannot be used: it is missing, empty, damaged or of the wrong kind."""


class ModelError(DiffPoseTalkError):
    """A model, style or head does not fit: wrong layout, wrong dimensions, or another encoder."""


class UsageError(DiffPoseTalkError):
    """An option is unknown, out of range, or contradicts another option."""

    exit_code = 2


class DiffPoseTalkWarning(UserWarning):
    """A warning for the user; the work continues. The command line prints it as one line."""
