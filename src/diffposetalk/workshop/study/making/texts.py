"""Texts of the pages in another language, as a lab writes them."""

from __future__ import annotations

import tomllib
from pathlib import Path

from diffposetalk.errors import InputError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.workshop.study.serving.texts import english, flat

KIND = "file of texts"
"""Name of the files in messages."""


def read_texts(path: str | Path) -> dict[str, str]:
    """Read the texts that replace English ones.

    Args:
        path: TOML file with keys of ``serving/strings.toml``.

    Returns:
        Dotted key -> text.

    Raises:
        InputError: the file cannot be read, or has an unknown key.
    """
    with parsing(path, KIND):
        texts = flat(tomllib.loads(read_bytes(path, KIND).decode("utf-8-sig")))
        unknown = sorted(set(texts) - set(english()))
        if unknown:
            raise InputError(f"there is no text {unknown[0]!r}; docs/study.md says which there are")
    return texts
