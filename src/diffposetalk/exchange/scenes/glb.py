"""Container of glTF 2.0 in one file (`.glb`): a JSON document and a binary chunk.

Source: glTF 2.0 (Khronos), "Binary glTF" and "Accessors".
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

BYTE = 5121
"""Component type uint8."""
SHORT = 5123
"""Component type uint16."""
INT = 5125
"""Component type uint32."""
FLOAT = 5126
"""Component type float32."""
VERTICES = 34962
"""Target of a buffer view that holds vertex attributes."""
INDICES = 34963
"""Target of a buffer view that holds vertex indices."""
WIDTHS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
"""Names of element types by their number of components."""
JSON_CHUNK = 0x4E4F534A
"""Type of the chunk that holds the document."""
BINARY_CHUNK = 0x004E4942
"""Type of the chunk that holds the arrays."""


class Binary:
    """The binary chunk, with the buffer views and accessors that point into it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.length = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, padded to a multiple of four, and return the number of their buffer view."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.length, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        padded = data + bytes(-len(data) % 4)
        self.pieces.append(padded)
        self.length += len(padded)
        self.views.append(view)
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, target: int | None = None, bounds: bool = False, unit: bool = False) -> int:
        """Append an array ``(n,)`` or ``(n, width)`` and return the number of its accessor.

        Args:
            values: uint8, uint16, uint32 or float32.
            target: `VERTICES` or `INDICES`; None if the view needs no target.
            bounds: whether to state minimum and maximum.
            unit: whether integers are normalised to [0, 1].
        """
        values = np.ascontiguousarray(values)
        accessor: dict[str, Any] = {"bufferView": self.view(values.tobytes(), target)} | _described(values, bounds)
        if unit:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def sparse(self, values: np.ndarray, bounds: bool) -> int:
        """Append ``(n, 3)`` float32 that is zero in most rows; only the other rows are written."""
        rows = np.flatnonzero(values.any(1))
        if not len(rows):
            rows = np.zeros(1, np.int64)  # a sparse accessor has at least one row
        if 2 * len(rows) > len(values):
            return self.accessor(values, VERTICES, bounds)
        index = rows.astype(np.uint16 if len(values) <= 65535 else np.uint32)
        self.accessors.append(
            _described(values, bounds)
            | {
                "sparse": {
                    "count": len(rows),
                    "indices": {
                        "bufferView": self.view(index.tobytes()),
                        "componentType": SHORT if index.itemsize == 2 else INT,
                    },
                    "values": {"bufferView": self.view(np.ascontiguousarray(values[rows]).tobytes())},
                }
            }
        )
        return len(self.accessors) - 1

    def file(self, document: dict[str, Any]) -> bytes:
        """Return the bytes of the file: the document with buffer, views and accessors, and the binary chunk."""
        whole = document | {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": self.length}],
        }
        text = json.dumps({key: value for key, value in whole.items() if value != []}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + self.length
        head = struct.pack("<4sIIII", b"glTF", 2, total, len(text), JSON_CHUNK)
        return b"".join([head, text, struct.pack("<II", self.length, BINARY_CHUNK), *self.pieces])


def _described(values: np.ndarray, bounds: bool) -> dict[str, Any]:
    """Return the type, length and, if asked for, bounds of an array, as an accessor states them."""
    width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
    component = {"u1": BYTE, "u2": SHORT, "u4": INT, "f4": FLOAT}[values.dtype.str[1:]]
    described: dict[str, Any] = {"componentType": component, "count": len(values), "type": WIDTHS[width]}
    if bounds:
        flat = values.reshape(len(values), width)
        described["min"], described["max"] = flat.min(0).tolist(), flat.max(0).tolist()
    return described
