"""The few exceptions a user meets. Each carries one line: what is wrong, where, and what to do about it."""

from __future__ import annotations

LONGEST_MESSAGE = 1000
"""Characters of a message; of a longer one the middle is left out."""


def one_line(message: str) -> str:
    """Return a message as one line of at most `LONGEST_MESSAGE` characters that a terminal can print safely.

    Names of files and messages of libraries are part of messages, and may hold line breaks, control characters or
    megabytes.
    """
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2 - 3
        message = f"{message[:half]} ... {message[-half:]}"
    printable = "".join(
        letter if letter.isprintable() or letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in message
    )
    return " ".join(printable.split())


class DiffPoseTalkError(Exception):
    """Base of every error that is the user's to mend; its message is always one line (`one_line`).

    ``exit_code`` is what the command line returns: 1 for bad data, 2 for a bad request.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        """Take the message as one line."""
        super().__init__(one_line(message))


class InputError(DiffPoseTalkError):
    """A file or an array handed to us cannot be used: missing, empty, broken, of the wrong kind."""


class ModelError(DiffPoseTalkError):
    """A checkpoint, a style or a head does not fit: wrong layout, wrong dimensions, another encoder."""


class UsageError(DiffPoseTalkError):
    """An option is unknown, out of range or contradicts another."""

    exit_code = 2


class DiffPoseTalkWarning(UserWarning):
    """Something a user should know though the work goes on; the command line prints it as one line."""
