"""Named morph targets out of a glTF file (.glb, or .gltf with its buffers): the meshes that have them, and the rest."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.geometry import skinning

_KINDS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TRIANGLES = 4


def read_targets(path: Path) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Read the resting surface of a scene and its named morph targets.

    Meshes that share a target's name (face, teeth, lashes) move together. Where meshes stand in the scene is taken into
    account; joints are left at rest.

    Returns:
        Vertices `(V, 3)`, triangles `(F, 3)`, names, and what each target adds `(E, V, 3)`, in the file's unit.

    Raises:
        InputError: the file is missing, damaged, compressed, or has no named morph targets.
    """
    try:
        return _Scene(path).targets()
    except InputError:
        raise
    except (KeyError, IndexError, ValueError, TypeError, struct.error) as error:
        raise InputError(f"{path}: not a readable glTF file ({type(error).__name__}: {error})") from None


class _Scene:
    """A file's JSON and its buffers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        self.inside = b""
        if data[:4] == b"glTF":
            length = struct.unpack_from("<I", data, 12)[0]
            if len(data) < struct.unpack_from("<I", data, 8)[0]:
                raise InputError(f"{path}: is cut short")
            self.inside = data[20 + length + 8 :]
            data = data[20 : 20 + length]
        self.json: dict[str, Any] = json.loads(data)
        needed = set(self.json.get("extensionsRequired", ())) & {
            "KHR_draco_mesh_compression",
            "EXT_meshopt_compression",
        }
        if needed:
            raise InputError(f"{path}: its meshes are compressed ({', '.join(sorted(needed))}); save it without")
        self.buffers = [self._buffer(each) for each in self.json.get("buffers", ())]

    def _buffer(self, described: dict[str, Any]) -> bytes:
        uri = described.get("uri")
        if uri is None:
            return self.inside
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        beside = (self.path.parent / uri).resolve()
        if beside.parent != self.path.parent.resolve():
            raise InputError(f"{self.path}: its buffer {uri} does not lie beside it")
        try:
            return beside.read_bytes()
        except OSError:
            raise InputError(f"{self.path}: its buffer {uri} is missing") from None

    def _accessor(self, index: int) -> np.ndarray:
        """Return the array `(count, width)` of an accessor."""
        about = self.json["accessors"][index]
        width, kind = _WIDTHS[about["type"]], np.dtype(_KINDS[about["componentType"]])
        values = np.zeros((about["count"], width), kind)
        if "bufferView" in about:
            values = self._view(about["bufferView"], about.get("byteOffset", 0), about["count"], width, kind).copy()
        if "sparse" in about:
            sparse = about["sparse"]
            at, what = sparse["indices"], sparse["values"]
            offset, kind_at = at.get("byteOffset", 0), np.dtype(_KINDS[at["componentType"]])
            rows = self._view(at["bufferView"], offset, sparse["count"], 1, kind_at)[:, 0]
            offset = what.get("byteOffset", 0)
            values[rows] = self._view(what["bufferView"], offset, sparse["count"], width, kind)
        if about.get("normalized") and kind.kind in "iu":
            return np.maximum(values / float(np.iinfo(kind.name).max), -1.0)
        return values

    def _view(self, index: int, offset: int, count: int, width: int, kind: np.dtype[Any]) -> np.ndarray:
        view = self.json["bufferViews"][index]
        stride = view.get("byteStride") or width * kind.itemsize
        start = view.get("byteOffset", 0) + offset
        data = self.buffers[view["buffer"]]
        return np.ndarray((count, width), kind, data, start, (stride, kind.itemsize))

    def targets(self) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
        pieces: list[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]] = []
        for node, place in self._nodes():
            mesh = self.json["meshes"][node["mesh"]]
            linear, shift = (np.eye(3), np.zeros(3)) if "skin" in node else (place[:3, :3], place[:3, 3])
            for part in mesh["primitives"]:
                if part.get("mode", TRIANGLES) != TRIANGLES:
                    continue
                rest = self._accessor(part["attributes"]["POSITION"]).astype(np.float64)
                index = self._accessor(part["indices"])[:, 0] if "indices" in part else np.arange(len(rest))
                names = mesh.get("extras", {}).get("targetNames") or part.get("extras", {}).get("targetNames") or []
                moves = {
                    str(name): self._accessor(target["POSITION"]).astype(np.float64) @ linear.T
                    for name, target in zip(names, part.get("targets", ()))
                    if "POSITION" in target
                }
                pieces.append((rest @ linear.T + shift, index.reshape(-1, 3).astype(np.int64), moves))
        names = list(dict.fromkeys(name for _, _, moves in pieces for name in moves))
        if not names:
            raise InputError(f"{self.path}: has no named morph targets (extras.targetNames of a mesh)")
        deltas, faces, first = [], [], 0
        for rest, index, moves in pieces:
            deltas.append(np.stack([moves.get(name, np.zeros_like(rest)) for name in names]))
            faces.append(index + first)
            first += len(rest)
        return np.concatenate([p[0] for p in pieces]), np.concatenate(faces), names, np.concatenate(deltas, 1)

    def _nodes(self) -> list[tuple[dict[str, Any], np.ndarray]]:
        """Return the nodes that show a mesh, and where each stands, `(4, 4)`."""
        nodes = self.json.get("nodes", [])
        below = {child for node in nodes for child in node.get("children", ())}
        found: list[tuple[dict[str, Any], np.ndarray]] = []
        todo = [(index, np.eye(4)) for index in range(len(nodes)) if index not in below]
        for _ in range(10 * len(nodes) + 1):
            if not todo:
                break
            index, above = todo.pop(0)
            here = above @ _local(nodes[index])
            if "mesh" in nodes[index]:
                found.append((nodes[index], here))
            todo += [(child, here) for child in nodes[index].get("children", ())]
        return found


def _local(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    axis = np.array([x, y, z], np.float64)
    length = float(np.linalg.norm(axis))
    place = np.eye(4)
    turn = axis * (2 * np.arctan2(length, w) / max(length, 1e-12))
    place[:3, :3] = skinning.rotation_matrix(turn) * np.array(node.get("scale", (1, 1, 1)), np.float64)
    place[:3, 3] = node.get("translation", (0, 0, 0))
    return place
