"""Headers of our safetensors files: kind of file, settings, and tensor shapes."""

from __future__ import annotations

import json
import os
from typing import Any

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import HEADER_KEY
from diffposetalk.files.parsing import parsing


def read_header(path: str | os.PathLike[str], what: str) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """Read the header of a safetensors file, without its tensors.

    Args:
        path: the file.
        what: expected kind of file, for errors: "model file".

    Returns:
        The header (text by name; empty for files of other programs) and the shape of each tensor.

    Raises:
        InputError: the file is missing or damaged.
    """
    with parsing(path, what):
        from safetensors import safe_open

        if os.path.isdir(path):
            raise InputError(f"{path}: is a folder; a {what} is needed")
        with safe_open(path, "numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER_KEY, "{}"))
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    if not isinstance(header, dict):
        raise InputError(f"{path}: not a readable {what} (its header is a {type(header).__name__}, not a table)")
    return header, shapes


def header_table(path: str | os.PathLike[str], header: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a JSON table from a header.

    Raises:
        InputError: it is missing, or holds something else.
    """
    with parsing(path, "model file"):
        value = json.loads(header[key]) if key in header else None
    if not isinstance(value, dict):
        raise InputError(f"{path}: the header is damaged (its {key} is not a table)")
    return value


def header_lines(path: str | os.PathLike[str], header: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return a JSON list of text from a header; empty if the header has none.

    Raises:
        InputError: it holds something else.
    """
    with parsing(path, "model file"):
        value = json.loads(header.get(key, "[]"))
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise InputError(f"{path}: the header is damaged (its {key} are not a list of text)")
    return tuple(value)
