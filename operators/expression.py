"""The face: named expressions, reset, keyframes."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy
import numpy as np

from ..addon.expression_items import REGIONS, expression_items, filter_expressions
from ..addon.pose_library import add_library, blend_expression
from ..addon.rig.control_names import FACE
from ..addon.rig.keying import is_auto_keying
from ..addon.rig.pose_tools import LINKED
from ..addon.scene.avatar_objects import AvatarObjects, find_avatar
from ..addon.scene.body_object import get_expression, set_expression
from ..engine.core.types import LikenessError

_REGION_ITEMS = [
    ("ALL", "All", "The whole face"),
    *((name.upper().replace(" ", "_"), name, f"Only {name.lower()}") for name in REGIONS),
]


class _Face:
    """For operators on the face of the active object's avatar."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None:
            cls.poll_message_set("Select a part of an avatar first")  # type: ignore[attr-defined]
            return False
        if avatar.armature.library is not None:
            cls.poll_message_set(LINKED)  # type: ignore[attr-defined]
            return False
        if not get_expression(avatar.armature):
            cls.poll_message_set("This body has no expressions")  # type: ignore[attr-defined]
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        avatar = find_avatar(context.object)
        assert avatar is not None  # poll
        try:
            self.change(context, avatar)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        return {"FINISHED"}

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        raise NotImplementedError


def _set(context: Any, avatar: AvatarObjects, weights: dict[str, float]) -> None:
    """Set these expressions, and key them where auto keying is on."""
    set_expression(avatar.armature, tuple(weights), np.array(list(weights.values())))
    if is_auto_keying(context):
        _key(avatar.armature, weights, context.scene.frame_current)


def _key(armature: Any, names: Any, frame: int) -> int:
    """Keyframes of these expressions; how many."""
    bone = armature.pose.bones.get(FACE)
    if bone is None:
        raise LikenessError("An older version made this avatar.", "Import it again.")
    for name in names:
        bone.keyframe_insert(data_path=f'["{name}"]', frame=frame, group=FACE)
    return len(tuple(names))


class SetExpression(_Face, bpy.types.Operator):  # type: ignore[misc]
    """Give the face a named expression. The eyes go on looking where they look"""

    bl_idname = "likeness.set_expression"
    bl_label = "Set Expression"

    name: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Expression", description="What the face shows", items=expression_items
    )
    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="0 changes nothing, 1 is the whole expression",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    mode: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Mode",
        description="What becomes of the present expression",
        items=[
            ("REPLACE", "Replace", "It gives way, as far as the strength goes"),
            ("ADD", "Add", "It stays, and the new one is added to it"),
        ],
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        now = get_expression(avatar.armature)
        new = blend_expression(now, self.name, self.strength, self.mode == "REPLACE")
        _set(context, avatar, {n: v for n, v in new.items() if v != now[n]})


class ResetExpression(_Face, bpy.types.Operator):  # type: ignore[misc]
    """Set expressions to neutral"""

    bl_idname = "likeness.reset_expression"
    bl_label = "Reset Expression"

    region: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Region", description="Which part of the face", items=_REGION_ITEMS
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        region = next((n for n in REGIONS if n.upper().replace(" ", "_") == self.region), None)
        names = filter_expressions(tuple(get_expression(avatar.armature)), region)
        _set(context, avatar, dict.fromkeys(names, 0.0))


class MirrorExpression(_Face, bpy.types.Operator):  # type: ignore[misc]
    """Make the face symmetric: one side takes over what the other does"""

    bl_idname = "likeness.mirror_expression"
    bl_label = "Make Expression Symmetric"

    source: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="From",
        description="The side that the other takes over from",
        items=[
            ("Left", "Left", "The person's left side"),
            ("Right", "Right", "The person's right side"),
        ],
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        now = get_expression(avatar.armature)
        other = "Right" if self.source == "Left" else "Left"
        new = {
            name.removesuffix(self.source) + other: value
            for name, value in now.items()
            if name.endswith(self.source) and name.removesuffix(self.source) + other in now
        }
        alone = {n: 0.0 for n in now if n in ("jawLeft", "jawRight", "mouthLeft", "mouthRight")}
        _set(context, avatar, new | alone)


class KeyExpression(_Face, bpy.types.Operator):  # type: ignore[misc]
    """Insert a keyframe of every expression at the current frame"""

    bl_idname = "likeness.key_expression"
    bl_label = "Key All Expressions"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        names = get_expression(avatar.armature)
        count = _key(avatar.armature, names, context.scene.frame_current)
        self.report({"INFO"}, f"{count} expressions keyed at frame {context.scene.frame_current}")


class AddPoseLibrary(bpy.types.Operator):  # type: ignore[misc]
    """List the poses and expressions of Likeness among the asset libraries of Blender's
    preferences, so that the asset browser and the pose mode's asset shelf show them. Nothing
    else is changed; remove the entry in Preferences > File Paths"""

    bl_idname = "likeness.add_pose_library"
    bl_label = "Add Pose Library"
    bl_options = {"REGISTER"}  # noqa: RUF012  (preferences are not part of undo)

    def execute(self, context: Any) -> set[str]:
        try:
            entry, new = add_library(context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.preferences.is_dirty = True
        what = "Added the asset library" if new else "Blender already lists the asset library"
        self.report({"INFO"}, f"{what} '{entry.name}': {entry.path}")
        return {"FINISHED"}


CLASSES = (SetExpression, ResetExpression, MirrorExpression, KeyExpression, AddPoseLibrary)
