# SPDX-License-Identifier: Apache-2.0 OR GPL-3.0-or-later
"""Blender add-on: DiffPoseTalk motion (`.npz`) onto ARKit shape keys, a head bone, the scene's clock and a sound strip."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from .motion_file import ImportProblem
from .names import find_bone, listed, match_channels
from .performance import Options, armature_of, keys_of, meshes_of, perform

bl_info = {
    "name": "DiffPoseTalk Import",
    "author": "The DiffPoseTalk authors",
    "version": (0, 1, 0),
    "blender": (4, 2, 0),
    "location": "File > Import > DiffPoseTalk Motion (.npz); 3D View > Sidebar > Animation",
    "description": "Speech-driven face and head motion onto ARKit shape keys and a head bone",
    "category": "Animation",
}

_SIDED = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
_SIDED += ("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch", "mouthPress", "mouthLowerDown", "mouthUpperUp")
_SIDED += ("browDown", "browOuterUp", "cheekSquint", "noseSneer")
"""Channels of both sides, without `Left` or `Right`."""
_SINGLE = ("jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft")
_SINGLE += ("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "browInnerUp")
_SINGLE += ("cheekPuff", "tongueOut")
"""Channels without a side."""
ARKIT = (*(name + side for name in _SIDED for side in ("Left", "Right")), *_SINGLE)

"""The 52 channels, for the count in the panel."""
HEAD_TARGETS = (
    ("AUTO", "Head bone or object", "The head bone of the mesh's armature, else the active object"),
    ("BONE", "Head bone", "A bone of the armature that moves the mesh"),
    ("OBJECT", "Object", "The active object, as delta rotation"),
    ("NONE", "Nothing", "The face moves, the head is held still"),
)
"""Choices of `head_target`: identifier, name, description."""
AXES = (
    ("AUTO", "Automatic", "Y up if the object was turned so that its own Y is up in the scene, else Z up"),
    ("Z_UP", "Z up, faces -Y", "As characters made in Blender"),
    ("Y_UP", "Y up, faces +Z", "As characters from glTF or FBX files whose axes were not converted"),
)
"""Choices of `axes`: identifier, name, description."""


class DIFFPOSETALK_OT_import_motion(bpy.types.Operator, ImportHelper):
    """Import face and head motion onto the active mesh's ARKit shape keys and its armature's head bone"""

    bl_idname = "import_anim.diffposetalk"
    bl_label = "Import DiffPoseTalk Motion"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO", "PRESET"}
    filename_ext = ".npz"

    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    head_target: EnumProperty(name="Head turns", description="What takes the head's rotation", items=HEAD_TARGETS)
    head_bone: StringProperty(name="Head bone", description="Empty: the bone called head, however the rig spells it")
    neck_bone: StringProperty(name="Neck bone", description="Empty: the bone called neck, if there is one")
    neck_share: FloatProperty(
        name="Neck's share",
        description="Part of the head's rotation that the neck bone takes; 0 leaves the neck alone",
        min=0, max=1, default=0.4,
    )  # fmt: skip
    use_eyes: BoolProperty(
        name="Turn eye bones",
        description="Turn eye bones by the gaze channels; leave off where eyeLook shape keys turn the eyes already",
        default=False,
    )
    left_eye_bone: StringProperty(name="Left eye bone", description="The subject's left; empty: found by name")
    right_eye_bone: StringProperty(name="Right eye bone", description="The subject's right; empty: found by name")
    jaw_bone: StringProperty(
        name="Jaw bone", description="For motions with a jaw rotation (FLAME); empty: found by name"
    )
    axes: EnumProperty(
        name="Character's axes", description="Axes of the armature's or object's own space at rest", items=AXES
    )
    first: IntProperty(name="First frame", description="Frame of the scene at which motion and sound begin", default=1)
    use_clock: BoolProperty(
        name="Set frame rate and range",
        description="Give the scene the motion's frame rate and length; if off, keys go to the right times of the scene's own",
        default=True,
    )
    use_sound: BoolProperty(
        name="Sound of the same name",
        description="Add the sound file that lies beside the motion under the same name",
        default=True,
    )
    sound: StringProperty(name="Sound file", description="Another sound to add", subtype="FILE_PATH")

    def execute(self, context: Any) -> set[str]:
        """Import, and report the result or the error as one line."""
        options = Options(**{option.name: getattr(self, option.name) for option in fields(Options)})
        try:
            report = perform(
                self.filepath, context.active_object, list(context.selected_objects), context.scene, options
            )
        except ImportProblem as problem:
            self.report({"ERROR"}, str(problem))
            return {"CANCELLED"}
        if report.warning:
            self.report({"WARNING"}, report.warning)
        self.report({"INFO"}, report.summary)
        return {"FINISHED"}


class DIFFPOSETALK_PT_face(bpy.types.Panel):
    """Shows which keys and bones a motion will drive, and the import button"""

    bl_label = "DiffPoseTalk"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Animation"

    def draw(self, context: Any) -> None:
        """Show the number of ARKit shape keys of the meshes, and the head bone."""
        layout, active = self.layout, context.active_object
        meshes = meshes_of(active, list(context.selected_objects)) if active else []
        if not meshes:
            layout.label(text="Select a mesh with shape keys", icon="INFO")
        for mesh in meshes:
            missing = set(ARKIT) - set(match_channels(ARKIT, keys_of(mesh)))
            column = layout.column(align=True)
            column.label(
                text=f"{mesh.name}: {len(ARKIT) - len(missing)} of {len(ARKIT)} ARKit keys", icon="SHAPEKEY_DATA"
            )
            if missing and len(missing) < len(ARKIT):
                column.label(text=f"without {listed(sorted(missing), 4)}")
        armature = armature_of(active) if active else None
        if armature:
            bone = find_bone({"head"}, (bone.name for bone in armature.data.bones))
            layout.label(text=f"Head bone: {bone or 'none found, name it in the options'}", icon="BONE_DATA")
        row = layout.row()
        row.enabled = bool(meshes)
        row.operator(DIFFPOSETALK_OT_import_motion.bl_idname, text="Import motion...", icon="IMPORT")


def _menu_entry(self: Any, _context: Any) -> None:
    self.layout.operator(DIFFPOSETALK_OT_import_motion.bl_idname, text="DiffPoseTalk Motion (.npz)")


def register() -> None:
    """Add the operator, the panel and the menu entry."""
    bpy.utils.register_class(DIFFPOSETALK_OT_import_motion)
    bpy.utils.register_class(DIFFPOSETALK_PT_face)
    bpy.types.TOPBAR_MT_file_import.append(_menu_entry)


def unregister() -> None:
    """Remove the operator, the panel and the menu entry."""
    bpy.types.TOPBAR_MT_file_import.remove(_menu_entry)
    bpy.utils.unregister_class(DIFFPOSETALK_PT_face)
    bpy.utils.unregister_class(DIFFPOSETALK_OT_import_motion)
