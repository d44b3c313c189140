"""Animated GLB: one skinned mesh with named morph targets, joints for neck, head and eyes, and an animation.

Source: glTF 2.0 (Khronos), with KHR_materials_specular; target names in `mesh.extras.targetNames`, the convention that
three.js, Blender, Godot and Unity's importers read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.exchange.companions import write_sound
from diffposetalk.exchange.scenes.glb import INDICES, VERTICES, Binary
from diffposetalk.exchange.scenes.look import Part, has_holes, parts_of, picture_of, reflectance, repeats
from diffposetalk.exchange.scenes.rig import Rig, normal_shapes, normals, rig_of

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

LINEAR = 9729
"""Texture filter: linear."""
TRILINEAR = 9987
"""Texture filter: linear, also between mipmaps."""
CLAMP = 33071
"""Texture wrap: clamp to edge."""
REPEAT = 10497
"""Texture wrap: repeat."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write a moving head as `.glb`, and the sound beside it.

    Raises:
        InputError, ModelError: see `rig_of`.
    """
    rig = rig_of(scene.head_of(motion), motion, scene.identity, scene.options.used_only)
    extras: dict[str, Any] = {"head": motion.head, "fps": motion.fps}
    sound = write_sound(scene.speech, path)
    if sound is not None:
        extras["sound"] = sound
    path.write_bytes(glb_bytes(rig, extras))


def glb_bytes(rig: Rig, extras: dict[str, Any] | None = None) -> bytes:
    """Return the GLB file of a moving head.

    Args:
        rig: the head and its motion.
        extras: content of `asset.extras`, such as the name of the sound file.

    Returns:
        The bytes of the file. With sparse accessors, 52 targets with normals take about 3 MB, and a minute of motion 0.4 MB.
    """
    binary = Binary()
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
    joints, shares = rig.strongest(4)
    rest_normals, normal_targets = normals(rig.mesh.vertices, rig.mesh.faces), normal_shapes(rig)
    for part in parts_of(rig.mesh):
        material = _material(part, rig, binary, document)
        mesh["primitives"].append(
            _primitive(part, rig, binary, (joints, shares), rest_normals, normal_targets) | {"material": material}
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
    return binary.file(document)


def _primitive(
    part: Part,
    rig: Rig,
    binary: Binary,
    skin: tuple[np.ndarray, np.ndarray],
    rest_normals: np.ndarray,
    normal_targets: np.ndarray,
) -> dict[str, Any]:
    """Add the triangles of one material; vertices are split at seams of the texture coordinates."""
    mesh = rig.mesh
    uv = None if part.material.texture is None else part.uv(mesh)
    corners = part.triangles(mesh).reshape(-1, 1).astype(np.int64)
    if uv is not None:
        corners = np.column_stack([corners, np.round(uv.reshape(-1, 2) * 65536)]).astype(np.int64)
    _, first, index = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    point = corners[first, 0]
    facing = np.float32(-1 if part.flipped else 1)
    attributes = {
        "POSITION": binary.accessor(mesh.vertices[point].astype(np.float32), VERTICES, bounds=True),
        "NORMAL": binary.accessor(facing * rest_normals[point], VERTICES),
        "JOINTS_0": binary.accessor(skin[0][point], VERTICES),
        "WEIGHTS_0": binary.accessor(skin[1][point], VERTICES),
    }
    if uv is not None:
        turned = uv.reshape(-1, 2)[first].astype(np.float32) * [1, -1] + [0, 1]  # glTF's origin is the upper left
        attributes["TEXCOORD_0"] = binary.accessor(turned.astype(np.float32), VERTICES)
    if mesh.vertex_color is not None and not part.flipped:
        tint = np.concatenate([np.clip(mesh.vertex_color[point], 0, 1), np.ones((len(point), 1))], 1)
        attributes["COLOR_0"] = binary.accessor(np.round(tint * 65535).astype(np.uint16), VERTICES, unit=True)
    primitive: dict[str, Any] = {
        "attributes": attributes,
        "indices": binary.accessor(index.reshape(-1).astype(np.uint16 if len(point) <= 65535 else np.uint32), INDICES),
    }
    if len(rig.shape_names):
        primitive["targets"] = [
            {
                "POSITION": binary.sparse(shape[point], bounds=True),
                "NORMAL": binary.sparse(facing * turned_by[point], bounds=False),
            }
            for shape, turned_by in zip(rig.shapes, normal_targets)
        ]
    return primitive


def _material(part: Part, rig: Rig, binary: Binary, document: dict[str, Any]) -> int:
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
    entry: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": surface}
    if has_holes(material):
        entry["alphaMode"] = "BLEND"
    entry["extensions"] = {"KHR_materials_specular": {"specularFactor": min(1.0, reflectance(part, rig.mesh) / 0.04)}}
    document["materials"].append(entry)
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


def _animation(rig: Rig, binary: Binary) -> dict[str, Any]:
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
