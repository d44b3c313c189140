"""Read JSON files of the project's own formats, with one-line errors."""

from __future__ import annotations

import json
import os
from typing import Any

from diffposetalk.files.limits import JSON_FACTOR, read_bytes
from diffposetalk.files.parsing import parsing


def read_json(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        InputError: the file is missing, larger than the limit, or not a JSON object.
    """
    with parsing(path, what):
        value = json.loads(read_bytes(path, what, JSON_FACTOR))
        if not isinstance(value, dict):
            raise ValueError("it is not one JSON object")
        return value
