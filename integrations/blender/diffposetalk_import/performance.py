# SPDX-License-Identifier: Apache-2.0 OR GPL-3.0-or-later
"""Apply a motion to shape keys, bones and the scene. Everything is checked first, then written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np

from .curves import add_sound, scene_fps, set_clock, write_curves
from .motion_file import ImportProblem, MotionFile, load, sound_beside
from .names import find_bone, listed, match_channels
from .rotations import axes_of, gaze_of, quaternions, rotation_channels


@dataclass(frozen=True)
class Options:
    """Options of an import; the operator's properties of the same names describe them."""

    head_target: str = "AUTO"
    head_bone: str = ""
    neck_bone: str = ""
    neck_share: float = 0.4
    use_eyes: bool = False
    left_eye_bone: str = ""
    right_eye_bone: str = ""
    jaw_bone: str = ""
    axes: str = "AUTO"
    first: int = 1
    use_clock: bool = True
    use_sound: bool = True
    sound: str = ""


@dataclass(frozen=True)
class Report:
    """Result of an import."""

    summary: str
    """One line."""
    warning: str = ""
    """One line; empty if there is no warning."""


@dataclass
class _Plan:
    faces: list[tuple[Any, dict[str, list[str]]]] = field(default_factory=list)
    bones: list[tuple[Any, str, np.ndarray]] = field(default_factory=list)
    turned: Any = None
    warnings: list[str] = field(default_factory=list)


def perform(path: str, active: Any, chosen: list[Any], scene: bpy.types.Scene, options: Options) -> Report:
    """Import a motion file.

    Args:
        path: the `.npz`.
        active: active object: a mesh with shape keys, or the armature of one.
        chosen: other selected objects; their meshes are driven too.
        scene: gets the frame rate, length and sound.
        options: what the user chose.

    Raises:
        ImportProblem: in one line, why nothing was imported; nothing has been changed then.
    """
    motion = load(path)
    sound = _sound(path, options)
    plan = _plan(motion, active, chosen, options)

    label = os.path.splitext(os.path.basename(path))[0]
    if options.use_clock:
        set_clock(scene, motion.fps, options.first, len(motion))
    frames = options.first + np.arange(len(motion)) * (scene_fps(scene) / motion.fps)
    n_keys = 0
    for keys, matched in plan.faces:
        values = {name: motion.column(channel) for channel, names in matched.items() for name in names}
        for name, weights in values.items():
            block = keys.key_blocks[name]
            block.slider_min = min(block.slider_min, max(-10.0, float(weights.min())))
            block.slider_max = max(block.slider_max, min(10.0, float(weights.max())))
        curves = ((f'key_blocks["{bpy.utils.escape_identifier(name)}"].value', 0, values[name]) for name in values)
        n_keys += write_curves(keys, f"{label} face", frames, curves)
    done = [f"{n_keys} shape keys"] if n_keys else []
    for armature, bone, vectors in plan.bones:
        _turn_bone(armature, bone, vectors, axes_of(armature.matrix_world, options.axes), f"{label} head", frames)
    if plan.bones:
        done.append(f"bones {listed(bone for _, bone, _ in plan.bones)} of '{plan.bones[0][0].name}'")
    if plan.turned is not None:
        _turn_object(plan.turned, motion.head_pose, options.axes, f"{label} head", frames)
        done.append(f"the object '{plan.turned.name}'")
    if sound:
        if add_sound(scene, sound, options.first) is None:
            plan.warnings.append(f"Blender reads no sound from {os.path.basename(sound)}")
        else:
            done.append(f"sound {os.path.basename(sound)}")
    summary = f"{label}: {len(motion)} frames at {motion.fps:g} a second onto {', '.join(done)}"
    return Report(summary, "; ".join(plan.warnings))


def meshes_of(active: Any, chosen: list[Any]) -> list[Any]:
    """Return the active and selected meshes with shape keys, and the meshes that an active armature moves."""
    candidates = [active, *chosen]
    if active.type == "ARMATURE":
        candidates += [item for item in bpy.data.objects if armature_of(item) == active]
    meshes: dict[Any, Any] = {}
    for item in candidates:
        if item.type == "MESH" and item.data.shape_keys:
            meshes.setdefault(item.data.shape_keys, item)
    return list(meshes.values())


def armature_of(item: Any) -> Any:
    """Return the armature that moves an object (the object itself, by a modifier, or a parent), or None."""
    if item.type == "ARMATURE":
        return item
    for modifier in item.modifiers:
        if modifier.type == "ARMATURE" and modifier.object:
            return modifier.object
    return armature_of(item.parent) if item.parent else None


def keys_of(item: Any) -> list[str]:
    """Return the names of a mesh's shape keys without the reference key."""
    keys = item.data.shape_keys
    return [block.name for block in keys.key_blocks if block != keys.reference_key]


def _sound(path: str, options: Options) -> str | None:
    if options.sound:
        sound = bpy.path.abspath(options.sound)
        if not os.path.isfile(sound):
            raise ImportProblem(f"{sound}: no such sound file")
        return sound
    return sound_beside(path) if options.use_sound else None


def _plan(motion: MotionFile, active: Any, chosen: list[Any], options: Options) -> _Plan:
    if active is None:
        raise ImportProblem("no active object: select the mesh with ARKit shape keys, or its armature")
    plan = _Plan()
    meshes = meshes_of(active, chosen)
    if not meshes:
        raise ImportProblem(
            f"'{active.name}' has no shape keys: select the mesh that has the face's (ARKit names such as jawOpen)"
        )
    driven: set[str] = set()
    for mesh in meshes:
        keys = mesh.data.shape_keys
        if keys.library or mesh.data.library:
            raise ImportProblem(f"'{mesh.name}' is linked from another file: make it local or a library override first")
        if not keys.use_relative:
            raise ImportProblem(
                f"the shape keys of '{mesh.name}' are not relative: tick Relative in its shape key panel"
            )
        matched = match_channels(motion.names, keys_of(mesh))
        driven |= set(matched)
        if matched:
            plan.faces.append((keys, matched))
    where = f"'{meshes[0].name}'" if len(meshes) == 1 else f"{len(meshes)} meshes"
    if not driven:
        raise ImportProblem(
            f"no shape key of {where} fits the motion: it has {listed(keys_of(meshes[0]), 4)}, "
            f"the motion speaks {listed(motion.names, 4)}"
        )
    missing = [name for name in motion.names if name not in driven]
    if missing:
        plan.warnings.append(f"{len(missing)} of {len(motion.names)} channels have no shape key: {listed(missing, 60)}")
    _plan_head(plan, motion, active, meshes, options)
    return plan


def _plan_head(plan: _Plan, motion: MotionFile, active: Any, meshes: list[Any], options: Options) -> None:
    armature = next((owner for item in (active, *meshes) if (owner := armature_of(item))), None)
    wants_bones = options.head_target in ("AUTO", "BONE")
    if options.head_target == "BONE" and armature is None:
        raise ImportProblem(f"no armature moves '{active.name}': choose another head target, or parent it to one")
    if wants_bones and armature is not None:
        head = _bone(armature, options.head_bone, {"head"})
        if head is None and options.head_target == "BONE":
            raise ImportProblem(f"no bone of '{armature.name}' is called head: name it in the import's options")
        if head is None:
            plan.warnings.append(f"no bone of '{armature.name}' is called head, so the head's motion is left out")
        else:
            neck = _bone(armature, options.neck_bone, {"neck"}) if options.neck_share > 0 else None
            neck = neck if neck != head else None
            share = options.neck_share if neck else 0.0
            if neck:
                plan.bones.append((armature, neck, motion.head_pose * share))
            plan.bones.append((armature, head, motion.head_pose * (1 - share)))
    elif options.head_target in ("AUTO", "OBJECT"):
        if active.rotation_mode == "AXIS_ANGLE":
            raise ImportProblem(
                f"'{active.name}' rotates by axis and angle: set its rotation mode to Quaternion or Euler"
            )
        plan.turned = active
    if armature is None:
        if options.use_eyes or options.jaw_bone:
            raise ImportProblem(f"no armature moves '{active.name}', so there are no eye or jaw bones to turn")
        return
    if options.use_eyes:
        for index, (side, name) in enumerate((("Left", options.left_eye_bone), ("Right", options.right_eye_bone))):
            bone = _bone(armature, name, {"eye", side.lower()})
            if bone is None:
                raise ImportProblem(
                    f"no bone of '{armature.name}' is called {side.lower()} eye: name it in the import's options"
                )
            eyes = motion.eye_pose
            gaze = gaze_of(motion.column, side) if eyes is None else eyes[:, 3 * index : 3 * index + 3]
            plan.bones.append((armature, bone, gaze))
    if motion.jaw_pose is not None:
        jaw = _bone(armature, options.jaw_bone, {"jaw"})
        if jaw:
            plan.bones.append((armature, jaw, motion.jaw_pose))
        else:
            plan.warnings.append(f"no bone of '{armature.name}' is called jaw, so jaw_pose is left out")


def _bone(armature: Any, name: str, words: set[str]) -> str | None:
    bones = armature.data.bones
    if name and name not in bones:
        raise ImportProblem(f"'{armature.name}' has no bone {name!r}; it has {listed(bone.name for bone in bones)}")
    return name or find_bone(words, (bone.name for bone in bones))


def _turn_bone(armature: Any, bone: str, vectors: np.ndarray, axes: Any, label: str, frames: np.ndarray) -> None:
    pose = armature.pose.bones[bone]
    rest = armature.data.bones[bone].matrix_local.to_3x3().normalized()
    turns = quaternions(vectors, rest.inverted() @ axes)
    name, values = rotation_channels(turns, pose.rotation_mode)
    curves = ((pose.path_from_id(name), index, values[:, index]) for index in range(values.shape[1]))
    write_curves(armature, label, frames, curves, group=bone)


def _turn_object(item: Any, vectors: np.ndarray, axes: str, label: str, frames: np.ndarray) -> None:
    """Key the delta rotation, which adds to the object's own rotation, so that a second import replaces the first."""
    mode = item.rotation_mode
    stands = item.rotation_quaternion.to_matrix() if mode == "QUATERNION" else item.rotation_euler.to_matrix()
    name, values = rotation_channels(quaternions(vectors, stands @ axes_of(item.matrix_world, axes)), mode)
    curves = ((f"delta_{name}", index, values[:, index]) for index in range(values.shape[1]))
    write_curves(item, label, frames, curves, group="Delta rotation")
