"""Make docs/images/blender.jpg: our GLB of the head opened in Blender, a motion put onto it by the add-on, four frames by Cycles.

python tools/blender_picture.py HEAD.glb MOTION.npz OUT.jpg FRAME...   (a Python with bpy and pillow)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bpy
from mathutils import Vector
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "integrations" / "blender"))
SIDE = 360


def light(name: str, place: tuple[float, float, float], watts: float, size: float) -> None:
    """Put a soft lamp that shines at the face."""
    lamp = bpy.data.objects.new(name, bpy.data.lights.new(name, "AREA"))
    lamp.data.energy, lamp.data.size = watts, size
    lamp.location = place
    lamp.rotation_euler = (-Vector(place)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(lamp)


def main(head: str, motion: str, out: str, *frames: str) -> None:
    """Open, import, render."""
    import diffposetalk_import

    diffposetalk_import.register()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=head)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    face = next(item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys)
    bpy.context.view_layer.objects.active = face
    bpy.ops.import_anim.diffposetalk(filepath=motion, use_eyes=True)

    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.5, 0.52, 0.56, 1)
    scene.world.node_tree.nodes["Background"].inputs[1].default_value = 0.5
    light("Key", (0.6, -0.9, 0.6), 14, 0.5)
    light("Rim", (-0.7, 0.3, 0.5), 8, 0.4)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 125
    camera.location = (0.22, -0.95, 0.0)
    aim = Vector((0, 0.03, -0.02))
    camera.rotation_euler = (aim - camera.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 20, True
    scene.cycles.max_bounces = 4
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.render.image_settings.file_format = "PNG"

    sheet = Image.new("RGB", (SIDE * len(frames), SIDE))
    with tempfile.TemporaryDirectory() as folder:
        for index, frame in enumerate(frames):
            scene.frame_set(int(frame))
            scene.render.filepath = str(Path(folder) / f"{frame}.png")
            bpy.ops.render.render(write_still=True)
            sheet.paste(Image.open(scene.render.filepath).convert("RGB"), (index * SIDE, 0))
    sheet.save(out, optimize=True, quality=88)


if __name__ == "__main__":
    main(*sys.argv[1:])
