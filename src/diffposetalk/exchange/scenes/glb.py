"""The container of glTF 2.0 in one file (`.glb`): a JSON document and a binary chunk that grows array by array.

Source: glTF 2.0 (Khronos), "Binary glTF" and "Accessors".
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

BYTE, SHORT, INT, FLOAT = 5121, 5123, 5125, 5126
"""glTF's numbers for the types of components."""
VERTICES, INDICES = 34962, 34963
"""glTF's numbers for what a buffer view is for."""
WIDTHS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


class Binary:
    """The binary chunk as it grows, with the views and accessors that point into it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.length = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, padded to four, and return the number of their view."""
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
            target: what the view is for, where it has to say so.
            bounds: with the least and greatest value.
            unit: integers stand for [0, 1].
        """
        values = np.ascontiguousarray(values)
        accessor: dict[str, Any] = {"bufferView": self.view(values.tobytes(), target)} | _described(values, bounds)
        if unit:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def sparse(self, values: np.ndarray, bounds: bool) -> int:
        """Append ``(n, 3)`` float32 that is zero in most rows: only the other rows are written."""
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
        """Return the whole file: the document, completed by buffer, views and accessors, and the binary chunk."""
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
    """Return what an accessor says of an array: type, length, and where wanted its bounds."""
    width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
    component = {"u1": BYTE, "u2": SHORT, "u4": INT, "f4": FLOAT}[values.dtype.str[1:]]
    described: dict[str, Any] = {"componentType": component, "count": len(values), "type": WIDTHS[width]}
    if bounds:
        flat = values.reshape(len(values), width)
        described["min"], described["max"] = flat.min(0).tolist(), flat.max(0).tolist()
    return described
