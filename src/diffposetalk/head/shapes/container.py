"""The outer shell of a glTF file: its JSON, its buffers, and the arrays (accessors) in them, within limits."""

from __future__ import annotations

import base64
import json
import struct
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.limits import JSON_FACTOR, check_bytes, read_bytes
from diffposetalk.head.shapes.compressed import DRACO, MESHOPT, UNDERSTOOD, decode_draco, decode_meshopt

_KINDS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WHAT = "glTF file"
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_HARMLESS = ("KHR_materials", "KHR_texture", "EXT_texture", "KHR_lights", "VRM", "VRMC_", "KHR_xmp", "KHR_animation")
"""Beginnings of extensions that change no geometry."""


class Container:
    """A file's JSON and the arrays that it describes."""

    def __init__(self, path: Path) -> None:
        """Read the JSON and the buffers that lie within the file.

        Raises:
            InputError: the file is cut short, larger than the limits, or needs an extension that is not read here.
        """
        self.path = path
        data = read_bytes(path, WHAT)
        self._inside = b""
        if data[:4] == b"glTF":
            length = struct.unpack_from("<I", data, 12)[0]
            if len(data) < struct.unpack_from("<I", data, 8)[0]:
                raise InputError(f"{path}: is cut short")
            check_bytes(path, length * JSON_FACTOR, WHAT)
            self._inside = data[20 + length + 8 :]
            data = data[20 : 20 + length]
        content = json.loads(data)
        if not isinstance(content, dict):
            raise InputError(f"{path}: not a glTF file: its JSON is a {type(content).__name__}, not a table")
        self.json: dict[str, Any] = content
        self._buffers: dict[int, bytes] = {}
        self._unpacked: dict[int, bytes] = {}
        for extension in self.json.get("extensionsRequired", ()):
            if extension not in UNDERSTOOD and not extension.startswith(_HARMLESS):
                raise InputError(
                    f"{path}: needs the extension {extension}, which is not read here; write it without, for example "
                    f"with `npx @gltf-transform/cli copy {path.name} plain.glb`"
                )

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            self._buffers[index] = self._read_buffer(self.json["buffers"][index])
        return self._buffers[index]

    def _read_buffer(self, about: dict[str, Any]) -> bytes:
        uri = about.get("uri")
        if uri is None:
            return self._inside
        if not isinstance(uri, str):
            raise InputError(f"{self.path}: a buffer's uri is a {type(uri).__name__}, not text")
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        from urllib.parse import unquote

        beside = (self.path.parent / unquote(uri)).resolve()
        if beside.parent != self.path.parent.resolve():
            raise InputError(f"{self.path}: its buffer {uri} does not lie beside it")
        if not beside.is_file():
            raise InputError(f"{self.path}: its buffer {uri} is missing")
        return read_bytes(beside, "buffer of a glTF file")

    def accessor(self, index: int) -> np.ndarray:
        """Return the array ``(count, width)`` of an accessor; normalised integers as numbers of [-1, 1]."""
        about = self.json["accessors"][index]
        width, kind = _WIDTHS[about["type"]], np.dtype(_KINDS[about["componentType"]])
        count = self.count(index)
        check_bytes(self.path, count * width * kind.itemsize, WHAT)
        values = np.zeros((count, width), kind)
        if "bufferView" in about:
            values = self._view(about["bufferView"], about.get("byteOffset", 0), count, width, kind).copy()
        if "sparse" in about:
            sparse = about["sparse"]
            at, what, n = sparse["indices"], sparse["values"], sparse["count"]
            kind_at = np.dtype(_KINDS[at["componentType"]])
            rows = self._view(at["bufferView"], at.get("byteOffset", 0), n, 1, kind_at)[:, 0]
            values[rows] = self._view(what["bufferView"], what.get("byteOffset", 0), n, width, kind)
        if about.get("normalized") and kind.kind in "iu":
            return np.maximum(values.astype(np.float32) / float(np.iinfo(kind.name).max), -1.0)
        return values

    def count(self, index: int) -> int:
        """Return how many elements an accessor declares."""
        count = self.json["accessors"][index]["count"]
        if not isinstance(count, int) or count < 0:
            raise InputError(f"{self.path}: accessor {index} has {count!r} elements")
        return count

    def accessor_name(self, index: int) -> str | None:
        """Return the name of an accessor, if it has one."""
        name = self.json["accessors"][index].get("name")
        return name if isinstance(name, str) and name else None

    def draco(self, part: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the attributes and ``indices`` of a primitive that Draco compressed; empty for any other."""
        about = part.get("extensions", {}).get(DRACO)
        if about is None:
            return {}
        return decode_draco(self.path, self._view_bytes(about["bufferView"]), about["attributes"])

    def _view(self, index: int, offset: int, count: int, width: int, kind: np.dtype[Any]) -> np.ndarray:
        view = self.json["bufferViews"][index]
        extension = next((name for name in MESHOPT if name in view.get("extensions", {})), None)
        stride = view.get("byteStride") or width * kind.itemsize
        if not isinstance(stride, int) or stride < kind.itemsize * width:
            raise InputError(f"{self.path}: bufferView {index} has the stride {stride!r}")
        if extension is not None:
            return np.ndarray((count, width), kind, self._unpack(index, extension), offset, (stride, kind.itemsize))
        data = self._buffer(view["buffer"])
        return np.ndarray((count, width), kind, data, view.get("byteOffset", 0) + offset, (stride, kind.itemsize))

    def _view_bytes(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        start = view.get("byteOffset", 0)
        return self._buffer(view["buffer"])[start : start + view["byteLength"]]

    def _unpack(self, index: int, extension: str) -> bytes:
        if index not in self._unpacked:
            about = self.json["bufferViews"][index]["extensions"][extension]
            check_bytes(self.path, about["count"] * about["byteStride"], WHAT)
            start = about.get("byteOffset", 0)
            packed = self._buffer(about["buffer"])[start : start + about["byteLength"]]
            self._unpacked[index] = decode_meshopt(self.path, extension, packed, about)
        return self._unpacked[index]

    @cached_property
    def nodes(self) -> list[dict[str, Any]]:
        """The scene's nodes."""
        nodes = self.json.get("nodes", [])
        if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
            raise InputError(f"{self.path}: its nodes are not a list of tables")
        return nodes
