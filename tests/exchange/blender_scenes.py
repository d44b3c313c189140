"""Run inside Blender's Python: import scene files and save what Blender draws. `blender_scenes.py FOLDER FPS FRAME...`

For each of `a.glb`, `a.usdc` and `a.pc2` (with `a_rest.obj`) in the folder: `NAME.npz` with evaluated vertices in our
axes, `(frames, V, 3)`, and the names of shape keys, bones and materials.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np


def drawn(thing: bpy.types.Object) -> np.ndarray:
    """World positions after modifiers, Blender's Z up turned to Y up."""
    final = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = final.to_mesh()
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    world = np.array(final.matrix_world)
    points = flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
    final.to_mesh_clear()
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], 1)


def main(folder: Path, fps: int, frames: list[int]) -> None:
    for suffix in ("glb", "usdc", "pc2"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.fps = fps
        if suffix == "glb":
            bpy.ops.import_scene.gltf(filepath=str(folder / "a.glb"))
        elif suffix == "usdc":
            bpy.ops.wm.usd_import(filepath=str(folder / "a.usdc"))
        else:
            bpy.ops.wm.obj_import(filepath=str(folder / "a_rest.obj"))
        meshes = [item for item in bpy.data.objects if item.type == "MESH"]
        face = max(meshes, key=lambda item: len(item.data.vertices))
        if suffix == "pc2":
            cache = face.modifiers.new("speech", "MESH_CACHE")
            cache.cache_format, cache.filepath, cache.frame_start = "PC2", str(folder / "a.pc2"), 0
        points = []
        for frame in frames:
            scene.frame_set(frame)
            points.append(drawn(face))
        keys = face.data.shape_keys.key_blocks[1:] if face.data.shape_keys else []
        np.savez(
            folder / f"{suffix}.npz",
            points=np.stack(points),
            shapes=np.array([key.name for key in keys], str),
            bones=np.array([bone.name for armature in bpy.data.armatures for bone in armature.bones], str),
            materials=np.array([slot.material.name for slot in face.material_slots], str),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(frame) for frame in sys.argv[3:]])
