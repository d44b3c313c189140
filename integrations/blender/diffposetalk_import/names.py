# SPDX-License-Identifier: Apache-2.0 OR GPL-3.0-or-later
"""Match names of shape keys and bones as different programs spell them. This module does not use Blender."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SIDES = {"l": "left", "r": "right"}
"""Abbreviation of a side -> side."""
_DECORATION = frozenset(
    [
        "def",
        "org",
        "ctrl",
        "mixamorig",
        "j",
        "bip",
        "c",
        "cc",
        "base",
        "bip01",
        "bip001",
        "valvebiped",
        "rig",
        "bone",
        "jnt",
        "joint",
        "adj",
        "face",
        "m",
        "x",
        "b",
    ]
)
"""Words in bone names that carry no meaning."""


def match_channels(channels: Iterable[str], keys: Iterable[str]) -> dict[str, list[str]]:
    """Find the shape keys that each motion channel drives.

    Case and separators are ignored (`JawOpen`, `jaw_open`). A side may be spelt `_L`, `.R` or `Left`. A prefix before `.`,
    `:`, `|` or `_` is ignored if the whole name is unknown (`Head.jawOpen`). A channel without a side drives a left and a
    right key if the rig has split it (`browInnerUp`).

    Args:
        channels: names of the motion's columns.
        keys: names of the shape keys without the reference key.

    Returns:
        Channel -> keys; channels without keys are left out.
    """
    whole = {_plain(channel): channel for channel in channels}
    split = {plain + side: channel for plain, channel in whole.items() for side in _SIDES.values()}
    matches: dict[str, list[str]] = {}
    for forms in (_whole_forms, _tail_forms):
        for table in (whole, split):
            hits: dict[str, list[str]] = {}
            for key in keys:
                channel = next((table[form] for form in forms(key) if form in table), None)
                if channel is not None and channel not in matches:
                    hits.setdefault(channel, []).append(key)
            for channel, names in hits.items():
                exact = [name for name in names if name == channel] if table is whole else []
                matches[channel] = exact or (names[:1] if table is whole else names)
    return matches


def find_bone(words: set[str], bones: Iterable[str]) -> str | None:
    """Return the bone whose name holds all these words and the fewest other words, or None.

    Args:
        words: such as `{"head"}` or `{"eye", "left"}`.
        bones: names of an armature's bones.
    """
    best: tuple[int, str] | None = None
    for bone in bones:
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bone)
        parts = [_SIDES.get(word, word) for word in re.findall(r"[a-z]+\d*", spaced.lower())]
        rest = [word for word in parts if word not in words]
        if words <= set(parts) and all(word in _DECORATION for word in rest) and (best is None or len(rest) < best[0]):
            best = len(rest), bone
    return best[1] if best else None


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return names as one short line."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _whole_forms(name: str) -> list[str]:
    forms = [_plain(name)]
    side = re.fullmatch(r"(.*[a-z])(?:[_.\- ]([LRlr])|([LR]))", name)
    if side:
        forms.append(_plain(side[1]) + _SIDES[(side[2] or side[3]).lower()])
    return forms


def _tail_forms(name: str) -> list[str]:
    tails = [re.split(pattern, name, maxsplit=1)[-1] for pattern in (r".*[:|]", r"^[^.]*\.", r"^[^_]*_")]
    return [form for tail in tails if tail != name for form in _whole_forms(tail)]
