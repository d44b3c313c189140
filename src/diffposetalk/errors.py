"""The few exceptions a user meets. Each carries one line: what is wrong, where, and what to do about it."""


class DiffPoseTalkError(Exception):
    """Base of every error that is the user's to mend; the command line prints it as one line.

    ``exit_code`` is what the command line returns: 1 for bad data, 2 for a bad request.
    """

    exit_code = 1


class InputError(DiffPoseTalkError):
    """A file or an array handed to us cannot be used: missing, empty, broken, of the wrong kind."""


class ModelError(DiffPoseTalkError):
    """A checkpoint, a style or a head does not fit: wrong layout, wrong dimensions, another encoder."""


class UsageError(DiffPoseTalkError):
    """An option is unknown, out of range or contradicts another."""

    exit_code = 2


class DiffPoseTalkWarning(UserWarning):
    """Something a user should know though the work goes on; the command line prints it as one line."""
