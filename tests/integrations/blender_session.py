"""Scenes in Blender, for `test_blender.py`: run by a Python that has `bpy`, writes what it saw as JSON and npz.

python blender_session.py FOLDER, where FOLDER holds head.npz and the motions that the test made.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "integrations" / "blender"))
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


def blender_axes(points: np.ndarray) -> np.ndarray:
    """Y up, face +Z -> Z up, face -Y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def build(head: dict[str, np.ndarray], spelling: Any = str, skipped: tuple[str, ...] = (), y_up: bool = False) -> Any:
    """Make an empty scene with the head's mesh, shape keys and armature; return the mesh object.

    Args:
        head: `vertices (V, 3)`, `faces`, `expression (52, V, 3)`, `names`, `joints (4, 3)` of neck, head, eyes, `weights (V, 5)`.
        spelling: what the shape keys are called.
        skipped: channels that the mesh lacks.
        y_up: everything in the motion's axes, and the armature turned so that it stands upright.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    axes = (lambda points: points) if y_up else blender_axes
    mesh = bpy.data.meshes.new("Face")
    mesh.from_pydata(axes(head["vertices"]).tolist(), [], head["faces"].tolist())
    face = bpy.data.objects.new("Face", mesh)
    bpy.context.collection.objects.link(face)
    face.shape_key_add(name="Basis")
    for name, delta in zip(head["names"], head["expression"]):
        if name not in skipped:
            key = face.shape_key_add(name=spelling(name))
            key.data.foreach_set("co", axes(head["vertices"] + delta).astype(np.float32).ravel())

    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    names = ("neck", "head", "eye.L", "eye.R", "chest")
    joints = [*head["joints"], head["joints"][0] - np.array((0, 0.1, 0))]
    # Rest axes that match no axis of the world.
    directions = ((0.02, 0.1, 0.05), (0, 0.12, -0.01), (0, 0, 0.03), (0, 0.01, 0.03), (0, 0.1, 0))
    for index, (bone_name, joint) in enumerate(zip(names, joints)):
        bone = rig.data.edit_bones.new(bone_name)
        bone.head = axes(joint)
        bone.tail = axes(joint + np.array(directions[index]))
        bone.roll = 0.3 + index
        bone.parent = rig.data.edit_bones["neck" if index == 1 else "head"] if index in (1, 2, 3) else None
    bpy.ops.object.mode_set(mode="OBJECT")
    for index, bone_name in enumerate(names):
        group = face.vertex_groups.new(name=bone_name)
        for vertex in np.flatnonzero(head["weights"][:, index] > 0):
            group.add([int(vertex)], float(head["weights"][vertex, index]), "REPLACE")
    face.modifiers.new("Rig", "ARMATURE").object = rig
    if y_up:
        rig.matrix_world = Matrix.Rotation(np.pi / 2, 4, "X")
    face.parent = rig
    choose(face)
    return face


def choose(item: Any) -> None:
    """Make one object the active and only selected one."""
    bpy.ops.object.select_all(action="DESELECT")
    item.select_set(True)
    bpy.context.view_layer.objects.active = item


def curves(owner: Any) -> list[Any]:
    """All curves of a data block's action, in any Blender."""
    action = owner.animation_data.action
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    slot = owner.animation_data.action_slot
    return list(action.layers[0].strips[0].channelbag(slot).fcurves)


def table(owner: Any) -> dict[str, list[list[float]]]:
    """Every curve as its keys: path[index] -> [[frame, value], ...]."""
    return {f"{c.data_path}[{c.array_index}]": [list(p.co) for p in c.keyframe_points] for c in curves(owner)}


def seen(item: Any) -> np.ndarray:
    """World positions of a mesh's vertices as Blender shows them at the current frame."""
    item = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(len(item.data.vertices) * 3, np.float32)
    item.data.vertices.foreach_get("co", points)
    matrix = np.array(item.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def at_frames(item: Any, frames: range) -> np.ndarray:
    """`(T, V, 3)` world positions over frames."""
    pictures = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        pictures.append(seen(item))
    return np.stack(pictures)


def load(name: str, **options: Any) -> str:
    """Run the operator; return its error in one line, or nothing."""
    try:
        bpy.ops.import_anim.diffposetalk(filepath=str(FOLDER / name), **options)
    except RuntimeError as error:
        return str(error).strip()
    return ""


def clock() -> dict[str, Any]:
    """Frame rate, range and sound strips of the scene."""
    scene = bpy.context.scene
    editor = scene.sequence_editor
    strips = [] if editor is None else (editor.strips if hasattr(editor, "strips") else editor.sequences)
    return {
        "fps": scene.render.fps / scene.render.fps_base,
        "range": [scene.frame_start, scene.frame_end],
        "sync": scene.sync_mode,
        "strips": [[s.type, Path(s.sound.filepath).name, s.frame_start, s.frame_final_duration] for s in strips],
    }


def main() -> None:
    """Run every scene."""
    import diffposetalk_import as add_on
    from diffposetalk_import import performance
    from diffposetalk_import.rotations import GAZE

    add_on.register()
    head = dict(np.load(FOLDER / "head.npz"))
    head["names"] = [str(name) for name in head["names"]]
    result: dict[str, Any] = {"blender": bpy.app.version_string, "gaze": GAZE, "arkit": add_on.ARKIT}
    result["sound"] = bpy.app.build_options.audaspace
    arrays: dict[str, np.ndarray] = {}

    face = build(head)
    rig = face.parent
    result["first"] = {"error": load("impulses.npz", use_eyes=True), "clock": clock()}
    result["first"] |= {"keys": table(face.data.shape_keys), "bones": table(rig)}
    arrays["impulses"] = at_frames(face, range(1, 1 + len(np.load(FOLDER / "impulses.npz")["expression"])))
    walk = rig.animation_data.action
    curve = (walk if not hasattr(walk, "slots") else performance.write_curves.__globals__["_bag"](rig, "")).fcurves
    curve.new('pose.bones["hips"].location', index=0).keyframe_points.insert(1, 7.0)
    result["again"] = {
        "error": load("impulses.npz"),
        "keys": table(face.data.shape_keys),
        "bones": table(rig),
        "clock": clock(),
    }

    build(head)
    bpy.context.scene.render.fps = 24
    options = {"use_clock": False, "use_sound": False, "first": 10, "head_target": "NONE"}
    result["own clock"] = {"error": load("impulses.npz", **options), "clock": clock()}
    result["own clock"]["keys"] = table(bpy.context.active_object.data.shape_keys)
    result["own clock"]["armature animated"] = bool(bpy.data.objects["Rig"].animation_data)

    face = build(head, lambda name: f"Face.{name[0].upper()}{name[1:]}", skipped=("jawLeft", "tongueOut"))
    report = performance.perform(str(FOLDER / "ntsc.npz"), face, [], bpy.context.scene, performance.Options(first=5))
    result["pascal"] = {"warning": report.warning, "summary": report.summary, "clock": clock()}
    result["pascal"]["keys"] = table(face.data.shape_keys)

    face = build(head, y_up=True)
    result["y up"] = {"error": load("impulses.npz", use_eyes=True)}
    arrays["y up"] = at_frames(face, range(1, 1 + len(arrays["impulses"])))

    for mode in ("XYZ", "YZX", "AXIS_ANGLE"):
        face = build(head)
        for bone in face.parent.pose.bones:
            bone.rotation_mode = mode
        result[mode] = {"error": load("impulses.npz", use_eyes=True, use_sound=False)}
        arrays[mode] = at_frames(face, range(1, 1 + len(arrays["impulses"])))

    face = build(head)
    face.modifiers.clear()
    face.parent = None
    face.rotation_euler = (0.0, 0.0, 0.5)
    face.location = (1, 2, 3)
    errors = [load("impulses.npz", use_sound=False)]
    bpy.context.scene.frame_set(40)
    errors.append(load("impulses.npz", use_sound=False))
    result["object"] = {"error": "".join(errors), "curves": sorted(table(face))}
    arrays["object"] = at_frames(face, range(1, 1 + len(arrays["impulses"])))

    face = build(head)
    choose(face.parent)
    result["armature active"] = {"error": load("impulses.npz"), "keys": len(table(face.data.shape_keys))}

    build(head)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.import_anim.diffposetalk("EXEC_DEFAULT", True, filepath=str(FOLDER / "impulses.npz"))
    n_actions = len(bpy.data.actions)
    bpy.ops.ed.undo()
    result["undo"] = {"before": n_actions, "after": len(bpy.data.actions), "clock": clock()}

    arrays |= our_glb(result)
    result["problems"] = problems(head)
    add_on.unregister()
    add_on.register()
    add_on.unregister()
    (FOLDER / "result.json").write_text(json.dumps(result))
    np.savez_compressed(FOLDER / "result.npz", **arrays)


def our_glb(result: dict[str, Any]) -> dict[str, np.ndarray]:
    """Open head.glb, whose own animation is the impulses; then put the same motion onto it by the add-on."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 25
    bpy.ops.import_scene.gltf(filepath=str(FOLDER / "head.glb"))
    face = next(item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys)
    n_frames = len(np.load(FOLDER / "impulses.npz")["expression"])
    first = round(min(key.co[0] for key in curves(face.data.shape_keys)[0].keyframe_points))
    own = at_frames(face, range(first, first + n_frames))
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    choose(face)
    result["glb"] = load("impulses.npz", use_eyes=True)
    return {"glb": own, "glb by the add-on": at_frames(face, range(1, 1 + n_frames))}


def problems(head: dict[str, Any]) -> dict[str, str]:
    """What each wrong input is answered with."""
    said = {}
    face = build(head)
    for path in sorted(FOLDER.glob("bad_*.npz")):
        said[path.stem] = load(path.name)
    said["no file"] = load("nowhere.npz")
    said["no bone"] = load("impulses.npz", head_bone="skull")
    said["no sound"] = load("impulses.npz", sound=str(FOLDER / "nowhere.wav"))
    said["changed"] = str(bool(face.data.shape_keys.animation_data or face.parent.animation_data))
    said["flame"] = load("flame.npz")
    rig = face.parent
    face.data.shape_keys.use_relative = False
    said["absolute"] = load("impulses.npz")
    face.shape_key_clear()
    said["no keys"] = load("impulses.npz")
    choose(rig)
    said["rig without face"] = load("impulses.npz")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    said["nothing active"] = load("impulses.npz")
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.collection.objects.link(cube)
    cube.data.from_pydata([Vector((0, 0, 0))], [], [])
    cube.shape_key_add(name="Basis")
    cube.shape_key_add(name="Key 1")
    choose(cube)
    said["other keys"] = load("impulses.npz")
    cube.shape_key_add(name="jawOpen")
    said["no eyes"] = load("impulses.npz", use_eyes=True)
    said["no armature"] = load("impulses.npz", head_target="BONE")
    return said


if __name__ == "__main__":
    main()
