"""Avatars as glTF files, written by hand: skinned, quantised, in several meshes, with names wherever programs put them."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class GltfFile:
    """A scene under construction."""

    json: dict[str, Any] = field(
        default_factory=lambda: {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
            "meshes": [],
            "nodes": [],
            "scene": 0,
        }
    )
    blob: bytes = b""

    def accessor(self, array: np.ndarray, kind: str, name: str | None = None, normalized: bool = False) -> int:
        """Append an array as an accessor of the type ``kind``."""
        data = np.ascontiguousarray(array)
        view = {"buffer": 0, "byteOffset": len(self.blob), "byteLength": data.nbytes}
        types = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
        if data.ndim == 2 and data.strides[0] % 4:  # vertex attributes lie at multiples of 4 bytes
            padded = np.zeros((len(data), -(-data.strides[0] // 4) * 4), np.uint8)
            padded[:, : data.strides[0]] = data.view(np.uint8).reshape(len(data), -1)
            view |= {"byteStride": padded.shape[1], "byteLength": padded.nbytes}
            self.blob += padded.tobytes()
        else:
            self.blob += data.tobytes()
        self.blob += b"\0" * (-len(self.blob) % 4)
        self.json["bufferViews"].append(view)
        about: dict[str, Any] = {"bufferView": len(self.json["bufferViews"]) - 1, "type": kind, "count": len(data)}
        about["componentType"] = types[data.dtype.str[1:]]
        if kind == "VEC3" and data.dtype.kind == "f":
            about |= {"min": data.min(0).tolist(), "max": data.max(0).tolist()}
        if name:
            about["name"] = name
        if normalized:
            about["normalized"] = True
        self.json["accessors"].append(about)
        return len(self.json["accessors"]) - 1

    def write(self, path: Path) -> Path:
        """Write the scene as ``.glb``."""
        nodes = self.json["nodes"]
        below = {child for node in nodes for child in node.get("children", ())}
        content = self.json | {"buffers": [{"byteLength": len(self.blob)}]}
        content["scenes"] = [{"nodes": [number for number in range(len(nodes)) if number not in below]}]
        text = json.dumps(content).encode()
        text += b" " * (-len(text) % 4)
        lead = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(self.blob))
        path.write_bytes(
            lead
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(self.blob), b"BIN\0")
            + self.blob
        )
        return path


def patch(n: int, centre: tuple[float, float, float], size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a bumpy patch of ``n`` by ``n`` points: vertices ``(n n, 3)`` and triangles ``(F, 3)``."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, n), np.linspace(-0.5, 0.5, n))
    z = 0.3 - x**2 - y**2 + 0.02 * rng.standard_normal(x.shape)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3) * size + np.array(centre)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + n], 1),
            np.stack([corner + 1, corner + n + 1, corner + n], 1),
        ]
    )
    return vertices.astype(np.float32), faces


@dataclass(frozen=True)
class Part:
    """One mesh of an avatar."""

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    moves: dict[str, np.ndarray]


def parts(channels: tuple[str, ...] = ("jawOpen", "mouthSmileLeft", "eyeBlinkRight"), prefix: str = "") -> list[Part]:
    """Return a face with all channels, teeth that follow the first, and lashes that follow the last."""
    rng = np.random.default_rng(1)
    face, face_triangles = patch(9, (0, 1.6, 0.1), 0.22, 0)
    teeth, teeth_triangles = patch(5, (0, 1.57, 0.13), 0.05, 2)
    lashes, lash_triangles = patch(4, (-0.03, 1.65, 0.16), 0.03, 3)

    def some(shape: tuple[int, ...]) -> np.ndarray:
        return (0.002 * rng.standard_normal(shape)).astype(np.float32)

    return [
        Part("Face", face, face_triangles, {prefix + name: some(face.shape) for name in channels}),
        Part("Teeth", teeth, teeth_triangles, {prefix + channels[0]: some(teeth.shape)}),
        Part("Lashes", lashes, lash_triangles, {prefix + channels[-1]: some(lashes.shape)}),
    ]


def avatar(
    path: Path,
    meshes: list[Part] | None = None,
    names: str = "mesh",
    skinned: bool = True,
    quantised: bool = False,
    changes: dict[str, Any] | None = None,
) -> Path:
    """Write an avatar: an armature scaled by .01 whose joints carry its meshes, as game avatars are exported.

    Args:
        path: where to.
        meshes: its parts; None for `parts`.
        names: where the targets' names lie: "mesh", "primitive", "accessor" or "none".
        skinned: whether joints carry the meshes; else their nodes stand in the scene.
        quantised: positions as 16-bit integers, whose scale lies in the inverse bind matrices, or in the node where
            there are no joints (as `gltf-transform quantize` has it).
        changes: of the JSON.
    """
    file = GltfFile()
    nodes = file.json["nodes"]
    nodes.append({"name": "Armature", "scale": [0.01] * 3, "rotation": [0, 0, 0, 1], "children": [1]})
    nodes.append({"name": "Hips", "translation": [0, 100, 0], "children": [2]})
    nodes.append({"name": "Head", "translation": [0, 55, 0]})
    places = [np.diag([0.01, 0.01, 0.01, 1.0])]
    for node in nodes[1:]:
        step = np.eye(4)
        step[:3, 3] = node["translation"]
        places.append(places[-1] @ step)
    if quantised:
        file.json["extensionsRequired"] = file.json["extensionsUsed"] = ["KHR_mesh_quantization"]
    for part in parts() if meshes is None else meshes:
        low, high = part.vertices.min(0), part.vertices.max(0)
        scale, shift = float((high - low).max()) / 2, (low + high) / 2
        unpack = np.diag([scale, scale, scale, 1.0])
        unpack[:3, 3] = shift
        whole = part.vertices

        def stored(values: np.ndarray, scale: float = scale) -> np.ndarray:
            return np.round(values / scale * 32767).astype(np.int16) if quantised else values.astype(np.float32)

        position = file.accessor(stored(whole - (shift if quantised else 0)), "VEC3", normalized=quantised)
        targets = [
            {"POSITION": file.accessor(stored(move), "VEC3", name if names == "accessor" else None, quantised)}
            for name, move in part.moves.items()
        ]
        indices = file.accessor(part.faces.astype(np.uint16).reshape(-1), "SCALAR")
        primitive: dict[str, Any] = {"attributes": {"POSITION": position}, "indices": indices, "targets": targets}
        mesh: dict[str, Any] = {"name": part.name, "primitives": [primitive]}
        if names in ("mesh", "primitive"):
            (mesh if names == "mesh" else primitive)["extras"] = {"targetNames": list(part.moves)}
        node: dict[str, Any] = {"name": part.name, "mesh": len(file.json["meshes"])}
        if skinned:
            joints = np.zeros((len(whole), 4), np.uint8)
            joints[:, 1] = 1
            weights = np.zeros((len(whole), 4), np.float32)
            weights[:, 0] = np.linspace(1, 0.25, len(whole))
            weights[:, 1] = 1 - weights[:, 0]
            primitive["attributes"] |= {
                "JOINTS_0": file.accessor(joints, "VEC4"),
                "WEIGHTS_0": file.accessor(weights, "VEC4"),
            }
            inverse = [np.linalg.inv(place) @ (unpack if quantised else np.eye(4)) for place in (places[2], places[1])]
            stack = np.stack([matrix.T.reshape(-1) for matrix in inverse]).astype(np.float32)
            skin = {"joints": [2, 1], "inverseBindMatrices": file.accessor(stack, "MAT4")}
            file.json.setdefault("skins", []).append(skin)
            node["skin"] = len(file.json["skins"]) - 1
        elif quantised:
            node |= {"scale": [scale] * 3, "translation": shift.tolist()}
        file.json["meshes"].append(mesh)
        nodes.append(node)
    file.json |= changes or {}
    return file.write(path)
