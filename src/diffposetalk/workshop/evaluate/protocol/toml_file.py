"""Protocols as TOML files."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from diffposetalk.config import from_dict, to_dict
from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import first_line, parsing
from diffposetalk.workshop.evaluate.protocol.contents import Protocol

LARGEST_BYTES = 50_000_000
"""Largest size of a protocol file, bytes."""


def read_protocol(path: str | Path) -> Protocol:
    """Read a protocol file.

    Raises:
        InputError: the file is missing, is not TOML, or a key is unknown, missing or impossible.
    """
    path = Path(path)
    with parsing(path, "protocol"):
        data = read_bytes(path, "protocol")
        if len(data) > LARGEST_BYTES:
            raise InputError(f"{path}: a protocol has at most {LARGEST_BYTES} bytes, this file has {len(data)}")
        try:
            values = tomllib.loads(data.decode("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a TOML file ({first_line(error)})") from None
        try:
            return from_dict(Protocol, values, "protocol")
        except UsageError as error:  # wrong content of a file, not a wrong command line
            raise InputError(f"{path}: {error}") from None


def write_protocol(protocol: Protocol, path: str | Path) -> None:
    """Write a protocol file; the same protocol gives the same bytes."""
    write_atomically(path, protocol_text(protocol).encode())


def protocol_text(protocol: Protocol) -> str:
    """Return a protocol as TOML."""
    return "\n".join([_HEADER, *_table(to_dict(protocol), protocol), ""])


_HEADER = """# Protocol of a comparison: `diffposetalk evaluate MODEL... --data THIS_FILE -o report/`.
# The hashes pin the files: a file that was changed is refused."""


def _table(values: dict[str, Any], protocol: Protocol) -> Iterator[str]:
    """Yield the lines: plain keys first, then a table for each topology and each clip."""
    lists = ("topologies", "clips")
    for name in (field.name for field in fields(Protocol) if field.name not in lists):
        yield f"{name} = {_value(values[name])}"
    for name in lists:
        for row in values[name]:
            yield from ("", f"[[{name}]]")
            for key, value in row.items():
                if value not in ("", []):
                    yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    """Return a value as TOML; JSON has the same texts, numbers and lists."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, float):
        return repr(round(value, 6))
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
