"""Spellings of ARKit's channel names in meshes, and the names of visemes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diffposetalk.arkit import INDEX

_BY_LOWER = {name.lower(): name for name in INDEX}
_SIDES = {
    "l": "left",
    "left": "left",
    "lft": "left",
    "lt": "left",
    "r": "right",
    "right": "right",
    "rgt": "right",
    "rt": "right",
}
_ENDINGS = {"bs", "shape", "blendshape", "mesh", "geo", "morph", "target", "position", "shp", "h", "weight", "value"}
"""Words behind a name that say nothing about the channel."""
_GLUED = re.compile(r"^(\d+|arkit|blendshapes?|bs|morph|shape|face|head)(?=\w)")
"""Prefixes that are also written without a separator."""
_GLUED_ENDS = re.compile(r"(?<=[a-z])(shape|bs|morph|target|weight)$")
"""Words behind a name that are also written without a separator."""
OCULUS_VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")
"""Visemes of Oculus Lipsync; in meshes usually with the prefix ``viseme_``."""
_VISEMES = {name.lower() for name in OCULUS_VISEMES} | {"a", "ih", "oh", "ou", "ee", "aah", "ch_sh", "th_l"}


@dataclass(frozen=True)
class Spelling:
    """What a shape's name stands for."""

    channel: str
    """ARKit's name, or the name itself where it is none of ARKit's."""
    half: bool = False
    """Whether it is one side of a channel that has no sides, such as ``browInnerUp_L``."""


def spelling(name: str) -> Spelling:
    """Recognise ARKit's channels in other spellings.

    Known are prefixes (``ARKit_jawOpen``, ``blendShape1.jawOpen``, ``Head_mouthSmile_L``, Reallusion's
    ``A01_Brow_Inner_Up``), sides as ``_L``, ``_R``, ``L`` or in front, words apart (``Mouth Smile Left``), numbers and
    words such as ``_BS`` behind. A name that joins two channels (``jawOpen_mouthClose``, a correction) is none of them.
    """
    tokens = [token for token in re.split(r"[^A-Za-z0-9]+", name) if token]
    while len(tokens) > 1 and (tokens[-1].isdigit() or tokens[-1].lower() in _ENDINGS):
        tokens.pop()
    for first in range(len(tokens)):
        match = _match(tokens[first:])
        if match is not None:
            return Spelling(name) if any(_match([token]) for token in tokens[:first]) else match
    return Spelling(name)


def _match(tokens: Sequence[str]) -> Spelling | None:
    """Return the channel that all of the tokens together name."""
    candidates = ["".join(tokens).lower()]
    if len(tokens) > 1:
        if tokens[-1].lower() in _SIDES:
            candidates.append("".join(tokens[:-1]).lower() + _SIDES[tokens[-1].lower()])
        if tokens[0].lower() in _SIDES:
            candidates.append("".join(tokens[1:]).lower() + _SIDES[tokens[0].lower()])
    if re.search(r"[a-z](L|R)$", tokens[-1]):
        candidates.append("".join(tokens)[:-1].lower() + _SIDES[tokens[-1][-1].lower()])
    candidates += [_GLUED.sub("", key) for key in candidates]
    candidates += [_GLUED_ENDS.sub("", key) for key in candidates]
    for key in candidates:
        if key in _BY_LOWER:
            return Spelling(_BY_LOWER[key])
    for key in candidates:
        for side in ("left", "right"):
            if key.endswith(side) and key.removesuffix(side) in _BY_LOWER:
                return Spelling(_BY_LOWER[key.removesuffix(side)], half=True)
    return None


def arkit_name(name: str) -> str:
    """Return ARKit's spelling of a shape's name, or the name itself where it is none of ARKit's channels."""
    return spelling(name).channel


def viseme_names(names: Iterable[str]) -> list[str]:
    """Return the names that are visemes: Oculus' (``viseme_aa``), or VRM's mouth shapes (``aa``, ``A``)."""
    return [name for name in names if re.sub(r"^(.*[._\s])?viseme[_\s.]*", "", name, flags=re.I).lower() in _VISEMES]


def few(names: Iterable[str], most: int = 6) -> str:
    """Return the first names for a message, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return (", ".join(name if len(name) <= 40 else name[:37] + "..." for name in listed[:most]) or "none") + more
