"""Heads that are loaded once for many uses."""

from __future__ import annotations

from functools import cache

from diffposetalk.head import HeadModel, load_head


@cache
def shared_head(name: str) -> HeadModel:
    """Return the head of a name, as `load_head` does, loaded at the first call only."""
    return load_head(name)
