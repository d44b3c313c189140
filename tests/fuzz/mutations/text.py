"""Damaged documents of text: JSON, JSON lines, TOML, CSV."""

from __future__ import annotations

import json
import tomllib
from random import Random
from typing import Any

from ..values import NASTY, changed


def text_of(value: Any) -> bytes:
    """Return a tree as JSON text; what the writer refuses raises ValueError."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def of_json(data: bytes, rng: Random) -> bytes:
    """Change nodes of a JSON document."""
    return text_of(changed(json.loads(data), rng))


def of_json_lines(data: bytes, rng: Random) -> bytes:
    """Change nodes of a document of JSON lines."""
    rows = changed([json.loads(line) for line in data.splitlines()], rng)
    return b"".join(text_of(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows]))


def of_toml(data: bytes, rng: Random) -> bytes:
    """Change nodes of a TOML document, which is written in one line for each key."""
    document = changed(tomllib.loads(data.decode()), rng)
    if rng.random() < 0.1:
        document["base"] = rng.choice([*NASTY, "style.toml", "case.toml"])
    return "".join(f"{_toml(str(key))} = {_toml(value)}\n" for key, value in document.items()).encode()


def _toml(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def of_csv(data: bytes, rng: Random) -> bytes:
    """Change cells, rows, columns and separators."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 2, 5))):
        row = rng.choice(rows)
        act = rng.random()
        if act < 0.6:
            row[rng.randrange(len(row))] = str(rng.choice(NASTY))[:6000]
        elif act < 0.7:
            rows.remove(row)
        elif act < 0.8:
            row.insert(rng.randrange(len(row) + 1), "0.5")
        elif act < 0.9:
            del row[rng.randrange(len(row))]
        else:
            rows.append(list(row))
        if not rows or not all(rows):
            break
    text = "\n".join(rng.choice((",",) * 8 + (";", "\t")).join(row) for row in rows)
    return text.encode(rng.choice(("utf-8",) * 6 + ("utf-16", "utf-8-sig")), "replace")
