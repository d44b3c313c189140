"""Checks before the work that a run's outputs overwrite neither its inputs nor one another."""

from __future__ import annotations

import os

from diffposetalk.errors import UsageError
from diffposetalk.files.paths import AnyPath, checked_name, file_key, is_node, is_pipe


class FileSet:
    """Inputs and outputs of one run. A conflict is refused as soon as it is declared.

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
        """Declare an input. Inputs are declared before outputs.

        Args:
            path: as the user wrote it. A word that is not a file (a preset, the name of a head) is ignored.
            option: the command-line option: "--style".

        Raises:
            UsageError: the name is empty or too long, or is a named pipe.
        """
        name = os.fspath(checked_name(path, option))
        if is_pipe(name):
            raise UsageError(f"{name}: is a pipe, which can be read only once; save it as a file first ({option})")
        if os.path.exists(name):
            self._inputs[file_key(name)] = (name, option)

    def writes(self, path: AnyPath, option: str = "-o") -> None:
        """Declare an output file or folder. Devices and pipes may be declared more than once.

        Raises:
            UsageError: the name is empty or too long, or is the same file as an input or another output.
        """
        output = os.fspath(checked_name(path, option))
        if is_node(output):
            return
        key = file_key(output)
        if key in self._outputs:
            also = "" if output == self._outputs[key] else f" (also as {self._outputs[key]})"
            raise UsageError(f"{output}: named twice as an output{also}")
        if key in self._inputs:
            input_name, input_option = self._inputs[key]
            raise UsageError(f"{output}: would overwrite the input {input_name} ({input_option}); name another output")
        self._outputs[key] = output
