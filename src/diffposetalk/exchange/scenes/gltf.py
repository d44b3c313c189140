"""Animated GLB: one skinned mesh with named morph targets, joints for neck, head and eyes, and the motion on them.

Source: glTF 2.0 (Khronos), with KHR_materials_specular; target names in `mesh.extras.targetNames`, the convention that
three.js, Blender, Godot and Unity's importers read.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.exchange.companions import write_sound
from diffposetalk.exchange.scenes.look import Part, has_holes, parts_of, picture_of, reflectance, repeats
from diffposetalk.exchange.scenes.rig import Rig, normal_shapes, normals, rig_of

if TYPE_CHECKING:
    from diffposetalk.exchange import Scene
    from diffposetalk.motion import Motion

BYTE, SHORT, INT, FLOAT = 5121, 5123, 5125, 5126
"""glTF's numbers for the types of components."""
VERTICES, INDICES = 34962, 34963
"""glTF's numbers for what a buffer view is for."""
LINEAR, TRILINEAR, CLAMP, REPEAT = 9729, 9987, 33071, 10497
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write a moving head as `.glb`, the sound beside it.

    Raises:
        InputError: the motion has no frames.
        ModelError: the motion does not fit the head.
    """
    rig = rig_of(scene.head_of(motion), motion, scene.identity, scene.options.used_only)
    extras: dict[str, Any] = {"head": motion.head, "fps": motion.fps}
    sound = write_sound(scene.speech, path)
    if sound is not None:
        extras["sound"] = sound
    path.write_bytes(glb_bytes(rig, extras))


class _Binary:
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
        """Append an array `(n,)` or `(n, width)` and return the number of its accessor.

        Args:
            values: uint8, uint16, uint32 or float32.
            target: what for, where the view has to say it.
            bounds: with the least and greatest value.
            unit: integers stand for [0, 1].
        """
        values = np.ascontiguousarray(values)
        said: dict[str, Any] = {"bufferView": self.view(values.tobytes(), target)} | _described(values, bounds)
        if unit:
            said["normalized"] = True
        self.accessors.append(said)
        return len(self.accessors) - 1

    def sparse(self, values: np.ndarray, bounds: bool) -> int:
        """Append `(n, 3)` float32 that is zero in most rows: only the other rows are written."""
        rows = np.flatnonzero(values.any(1))
        if not len(rows):
            rows = np.zeros(1, np.int64)  # a sparse accessor has at least one row
        if 2 * len(rows) > len(values):
            return self.accessor(values, VERTICES, bounds)
        index = rows.astype(np.uint16 if len(values) <= 65535 else np.uint32)
        said = _described(values, bounds) | {
            "sparse": {
                "count": len(rows),
                "indices": {
                    "bufferView": self.view(index.tobytes()),
                    "componentType": SHORT if index.itemsize == 2 else INT,
                },
                "values": {"bufferView": self.view(np.ascontiguousarray(values[rows]).tobytes())},
            }
        }
        self.accessors.append(said)
        return len(self.accessors) - 1


def _described(values: np.ndarray, bounds: bool) -> dict[str, Any]:
    width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
    component = {"u1": BYTE, "u2": SHORT, "u4": INT, "f4": FLOAT}[values.dtype.str[1:]]
    said: dict[str, Any] = {"componentType": component, "count": len(values), "type": KINDS[width]}
    if bounds:
        flat = values.reshape(len(values), width)
        said["min"], said["max"] = flat.min(0).tolist(), flat.max(0).tolist()
    return said


def glb_bytes(rig: Rig, extras: dict[str, Any] | None = None) -> bytes:
    """Return the GLB file of a moving head.

    Args:
        rig: the head and its motion.
        extras: what `asset.extras` shall say, such as the name of the sound file.

    Returns:
        The whole file; sparse accessors keep 52 targets with normals at about 3 MB, a minute of motion is 0.4 MB.
    """
    binary = _Binary()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "diffposetalk", "extras": extras or {}},
        "extensionsUsed": ["KHR_materials_specular"],
        "scene": 0,
        "scenes": [{"name": "head", "nodes": [0, 1]}],
        "materials": [], "textures": [], "images": [], "samplers": [],
    }  # fmt: skip
    mesh: dict[str, Any] = {"name": "head", "primitives": []}
    n_shapes = len(rig.shape_names)
    if n_shapes:
        mesh |= {"weights": [0.0] * n_shapes, "extras": {"targetNames": list(rig.shape_names)}}
    held_by, shares = rig.strongest(4)
    rest_normals, normal_targets = normals(rig.mesh.vertices, rig.mesh.faces), normal_shapes(rig)
    for part in parts_of(rig.mesh):
        material = _material(part, rig, binary, document)
        mesh["primitives"].append(
            _primitive(part, rig, binary, (held_by, shares), rest_normals, normal_targets) | {"material": material}
        )
    document["meshes"] = [mesh]
    document["nodes"] = [{"name": "Face", "mesh": 0, "skin": 0}, *_joint_nodes(rig)]
    bind = np.tile(np.eye(4, dtype=np.float32), (len(rig.joints), 1, 1))
    bind[:, 3, :3] = -rig.joints  # columns are stored one after another
    document["skins"] = [
        {
            "name": "head",
            "skeleton": 1,
            "joints": [1 + joint for joint in range(len(rig.joints))],
            "inverseBindMatrices": binary.accessor(bind.reshape(-1, 16)),
        }
    ]
    document["animations"] = [_animation(rig, binary)]
    document |= {"accessors": binary.accessors, "bufferViews": binary.views, "buffers": [{"byteLength": binary.length}]}
    kept = {key: value for key, value in document.items() if value != []}
    text = json.dumps(kept, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + binary.length
    head = struct.pack("<4sIIII", b"glTF", 2, total, len(text), 0x4E4F534A)
    return b"".join([head, text, struct.pack("<II", binary.length, 0x004E4942), *binary.pieces])


def _primitive(
    part: Part,
    rig: Rig,
    binary: _Binary,
    holding: tuple[np.ndarray, np.ndarray],
    rest_normals: np.ndarray,
    normal_targets: np.ndarray,
) -> dict[str, Any]:
    """Write the triangles of one material: points are split where texture coordinates part."""
    mesh = rig.mesh
    uv = None if part.material.texture is None else part.uv(mesh)
    corners = part.triangles(mesh).reshape(-1, 1).astype(np.int64)
    if uv is not None:
        corners = np.column_stack([corners, np.round(uv.reshape(-1, 2) * 65536)]).astype(np.int64)
    _, kept, index = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    point = corners[kept, 0]
    facing = np.float32(-1 if part.flipped else 1)
    attributes = {
        "POSITION": binary.accessor(mesh.vertices[point].astype(np.float32), VERTICES, bounds=True),
        "NORMAL": binary.accessor(facing * rest_normals[point], VERTICES),
        "JOINTS_0": binary.accessor(holding[0][point], VERTICES),
        "WEIGHTS_0": binary.accessor(holding[1][point], VERTICES),
    }
    if uv is not None:
        turned = uv.reshape(-1, 2)[kept].astype(np.float32) * [1, -1] + [0, 1]  # glTF's origin is the upper left
        attributes["TEXCOORD_0"] = binary.accessor(turned.astype(np.float32), VERTICES)
    if mesh.vertex_color is not None and not part.flipped:
        tint = np.concatenate([np.clip(mesh.vertex_color[point], 0, 1), np.ones((len(point), 1))], 1)
        attributes["COLOR_0"] = binary.accessor(np.round(tint * 65535).astype(np.uint16), VERTICES, unit=True)
    said: dict[str, Any] = {
        "attributes": attributes,
        "indices": binary.accessor(index.reshape(-1).astype(np.uint16 if len(point) <= 65535 else np.uint32), INDICES),
    }
    if len(rig.shape_names):
        said["targets"] = [
            {
                "POSITION": binary.sparse(shape[point], bounds=True),
                "NORMAL": binary.sparse(facing * turned_by[point], bounds=False),
            }
            for shape, turned_by in zip(rig.shapes, normal_targets)
        ]
    return said


def _material(part: Part, rig: Rig, binary: _Binary, document: dict[str, Any]) -> int:
    material, uv = part.material, part.uv(rig.mesh)
    surface: dict[str, Any] = {
        "baseColorFactor": [*(min(1.0, max(0.0, float(value))) for value in material.base_color), 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": float(material.roughness),
    }
    if material.texture is not None and uv is not None:
        data, suffix = picture_of(material.texture)
        kind = "image/png" if suffix == ".png" else "image/jpeg"
        document["images"].append({"name": material.name, "mimeType": kind, "bufferView": binary.view(data)})
        wrap = REPEAT if repeats(uv) else CLAMP
        document["samplers"].append({"magFilter": LINEAR, "minFilter": TRILINEAR, "wrapS": wrap, "wrapT": wrap})
        last = len(document["images"]) - 1
        document["textures"].append({"source": last, "sampler": last})
        surface["baseColorTexture"] = {"index": last}
    said: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": surface}
    if has_holes(material):
        said["alphaMode"] = "BLEND"
    said["extensions"] = {"KHR_materials_specular": {"specularFactor": min(1.0, reflectance(part, rig.mesh) / 0.04)}}
    document["materials"].append(said)
    return len(document["materials"]) - 1


def _joint_nodes(rig: Rig) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(rig.joint_names):
        parent = rig.parents[joint]
        place = rig.joints[joint] - (rig.joints[parent] if parent >= 0 else 0)
        nodes.append({"name": name, "translation": place.tolist()})
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(1 + joint)
    return nodes


def _animation(rig: Rig, binary: _Binary) -> dict[str, Any]:
    times = binary.accessor((np.arange(len(rig)) / rig.fps).astype(np.float32), bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def play(node: int, path: str, values: np.ndarray) -> None:
        output = binary.accessor(values.astype(np.float32))
        samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    if rig.shape_names:
        play(0, "weights", rig.weights.reshape(-1))
    for joint in rig.turning:
        play(1 + joint, "rotation", rig.rotations[:, joint])
    if len(rig.translations) > 1:
        for joint in range(len(rig.joint_names)):
            if np.ptp(rig.translations[:, joint], axis=0).max() > 0:
                play(1 + joint, "translation", rig.translations[:, joint])
    return {"name": "speech", "samplers": samplers, "channels": channels}
