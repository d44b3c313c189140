"""The files that one run reads and writes, checked against one another before the work."""

from __future__ import annotations

import os

from diffposetalk.errors import UsageError
from diffposetalk.files.paths import AnyPath, checked_name, file_key, is_node, is_pipe


class FileSet:
    """Inputs and outputs of one run; a contradiction among them is refused when it is declared.

    Example:
        >>> files = FileSet()
        >>> files.reads("talk.npz", "MOTION")
        >>> files.writes("talk.npz")
        Traceback (most recent call last):
        diffposetalk.errors.UsageError: talk.npz: would overwrite the input talk.npz (MOTION); name another output
    """

    def __init__(self) -> None:
        """Start with no files."""
        self._inputs: dict[object, tuple[str, str]] = {}
        self._outputs: dict[object, str] = {}

    def reads(self, path: AnyPath, option: str) -> None:
        """Declare an input, before the outputs.

        Args:
            path: as given; a word that names no file (a preset, the name of a head) is let pass.
            option: how the command line calls it: "--style".

        Raises:
            UsageError: the name is empty or too long, or stands for a named pipe.
        """
        given = os.fspath(checked_name(path, option))
        if is_pipe(given):
            raise UsageError(f"{given}: is a pipe, which can be read only once; save it as a file first ({option})")
        if os.path.exists(given):
            self._inputs[file_key(given)] = (given, option)

    def writes(self, path: AnyPath, option: str = "-o") -> None:
        """Declare an output, a file or a folder; devices and pipes may be named more than once.

        Raises:
            UsageError: the name is empty or too long, or stands for an input or another output.
        """
        output = os.fspath(checked_name(path, option))
        if is_node(output):
            return
        key = file_key(output)
        if key in self._outputs:
            also = "" if output == self._outputs[key] else f" (also as {self._outputs[key]})"
            raise UsageError(f"{output}: named twice as an output{also}")
        if key in self._inputs:
            given, input_option = self._inputs[key]
            raise UsageError(f"{output}: would overwrite the input {given} ({input_option}); name another output")
        self._outputs[key] = output
