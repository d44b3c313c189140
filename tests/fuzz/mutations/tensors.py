"""Damaged safetensors files: their header, and our own description in it."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from ..values import changed
from .text import text_of


def of_safetensors(data: bytes, rng: Random) -> bytes:
    """Change the header of a safetensors file: of the tensors, or of our own in it, which is JSON in JSON in JSON."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    if rng.random() < 0.75 and "__metadata__" in header:
        header["__metadata__"] = _changed_text(header["__metadata__"], rng)
    else:
        header = changed(header, rng)
    text = text_of(header)
    return len(text).to_bytes(8, "little") + text + body


def _changed_text(values: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Change a dictionary whose values may be JSON text, at a random depth."""
    key = rng.choice(list(values))
    inner = values[key]
    if isinstance(inner, str) and rng.random() < 0.85:
        try:
            tree = json.loads(inner)
        except ValueError:
            tree = None
        if isinstance(tree, dict) and tree and rng.random() < 0.7:
            return values | {key: json.dumps(_changed_text(tree, rng))}
        if tree is not None:
            return values | {key: json.dumps(changed(tree, rng))}
    return changed(values, rng)
