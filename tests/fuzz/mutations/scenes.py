"""Damaged glTF scenes, binary and as text."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

from ..values import changed
from .text import text_of


def of_glb(data: bytes, rng: Random) -> bytes:
    """Change the JSON of a GLB file; its lengths are made right again."""
    length = struct.unpack_from("<I", data, 12)[0]
    document, rest = json.loads(data[20 : 20 + length]), data[20 + length :]
    text = text_of(_with_loops(changed(document, rng), rng))
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


def of_gltf(data: bytes, rng: Random) -> bytes:
    """Change the JSON of a glTF file."""
    return text_of(_with_loops(changed(json.loads(data), rng), rng))


def _with_loops(document: Any, rng: Random) -> Any:
    """Sometimes make nodes children of themselves, or accessors without end."""
    act = rng.random()
    if isinstance(document, dict) and isinstance(nodes := document.get("nodes"), list) and nodes and act < 0.08:
        for node in nodes:
            if isinstance(node, dict):
                node["children"] = [rng.randrange(len(nodes)) for _ in range(rng.choice((1, 2, 50)))]
    if isinstance(document, dict) and isinstance(accessors := document.get("accessors"), list) and act > 0.92:
        accessor = rng.choice(accessors)
        if isinstance(accessor, dict):
            accessor["count"] = rng.choice((5 * 10**8, 2**40, -1, 0, 1))
            if rng.random() < 0.5:
                accessor.pop("bufferView", None)
    return document
