"""Texts of the study pages: English by default, others where the study brings them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from diffposetalk.errors import InputError


@cache
def english() -> dict[str, str]:
    """Return the English texts: "start.begin" -> "Begin"."""
    return flat(tomllib.loads((resources.files(__package__) / "strings.toml").read_text(encoding="utf-8")))


def flat(tables: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested tables of texts as one table with dotted keys.

    Raises:
        InputError: a value is no text.
    """
    texts: dict[str, str] = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            texts |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            texts[prefix + key] = value
        else:
            raise InputError(f"the text {prefix}{key} is not in quotation marks")
    return texts


class Texts:
    """The texts of one study."""

    def __init__(self, replaced: dict[str, str] | None) -> None:
        """Take the texts that replace English ones."""
        self._texts = english() | (replaced or {})

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its ``{names}`` filled in."""
        text = self._texts[key]
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def group(self, name: str) -> dict[str, str]:
        """Return the texts of a table, by the last part of their keys."""
        start = f"{name}."
        return {key.removeprefix(start): text for key, text in self._texts.items() if key.startswith(start)}
