# SPDX-License-Identifier: Apache-2.0 OR GPL-3.0-or-later
"""Animation curves, frame rate and sound strip in Blender 4.2 to 5; differences between the versions are handled here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np

_LINEAR = 1
"""Blender's number for linear interpolation."""


def write_curves(
    owner: Any, label: str, frames: np.ndarray, curves: Iterable[tuple[str, int, np.ndarray]], group: str = ""
) -> int:
    """Write curves to the action of a data block; its other curves stay unchanged.

    Args:
        owner: data block that is animated (an object, or a mesh's shape keys).
        label: name of a new action.
        frames: ``(T,)`` frame numbers, rising.
        curves: data path, index within the property (0 for single numbers) and ``(T,)`` values.
        group: name under which the curves are shown together.

    Returns:
        Number of curves written.
    """
    bag = _bag(owner, label)
    n_curves = 0
    for path, index, values in curves:
        old = bag.fcurves.find(path, index=index)
        if old is not None:
            bag.fcurves.remove(old)
        curve = bag.fcurves.new(path, index=index)
        if group:
            curve.group = bag.groups.get(group) or bag.groups.new(group)
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", np.stack([frames, values], 1).astype(np.float32).ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
        curve.update()
        n_curves += 1
    return n_curves


def _bag(owner: Any, label: str) -> Any:
    """Return the owner of `fcurves` and `groups`: the action, or since Blender 4.4 its channel bag for this data block."""
    animation = owner.animation_data or owner.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(label)
    action = animation.action
    if not hasattr(action, "slots"):
        return action
    if animation.action_slot is None:
        animation.action_slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(animation.action_slot, ensure=True)


def set_clock(scene: bpy.types.Scene, fps: float, first: int, n_frames: int) -> None:
    """Set the scene's frame rate (including 29.97 and similar) and length to those of the motion."""
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    scene.frame_start, scene.frame_end = first, first + n_frames - 1


def scene_fps(scene: bpy.types.Scene) -> float:
    """Return the frames per second of a scene."""
    return scene.render.fps / scene.render.fps_base


def add_sound(scene: bpy.types.Scene, path: str, first: int) -> Any:
    """Add a sound file to the sequencer on a free channel; the same sound at the same frame is replaced.

    Returns:
        The strip, or None if Blender cannot read the file.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    for strip in [item for item in strips if item.type == "SOUND" and item.frame_start == first]:
        if os.path.realpath(bpy.path.abspath(strip.sound.filepath)) == os.path.realpath(path):
            strips.remove(strip)
    channel = 1 + max((strip.channel for strip in strips), default=0)
    try:
        strip = strips.new_sound(os.path.splitext(os.path.basename(path))[0], path, channel, first)
    except RuntimeError:
        return None
    scene.sync_mode = "AUDIO_SYNC"
    return strip
