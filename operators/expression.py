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
from ..addon.scene.avatar_objects import AvatarObjects
from ..addon.scene.body_object import get_expression, set_expression
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator
from .errors import report_errors

_REGION_ITEMS = [
    ("ALL", "All", "The whole face"),
    *((name.upper().replace(" ", "_"), name, f"Only {name.lower()}") for name in REGIONS),
]


class _FaceOperator(AvatarOperator):
    """An operator on the face of the active object's avatar."""

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        if avatar.armature.library is not None:
            return LINKED
        return "" if get_expression(avatar.armature) else "This body has no expressions"


def _set(context: Any, avatar: AvatarObjects, weights: dict[str, float]) -> None:
    """Set expressions, and key them if auto keying is on."""
    set_expression(avatar.armature, tuple(weights), np.array(list(weights.values())))
    if is_auto_keying(context):
        _key(avatar.armature, weights, context.scene.frame_current)


def _key(armature: Any, names: Any, frame: int) -> int:
    """Insert keyframes of expressions.

    Returns:
        Number of keyframes.

    Raises:
        LikenessError: An older version made the avatar.
    """
    bone = armature.pose.bones.get(FACE)
    if bone is None:
        raise LikenessError("An older version of Likeness made this avatar.", "Import it again.")
    for name in names:
        bone.keyframe_insert(data_path=f'["{name}"]', frame=frame, group=FACE)
    return len(tuple(names))


class SetExpression(_FaceOperator, bpy.types.Operator):  # type: ignore[misc]
    """Set a named expression. The gaze does not change"""

    bl_idname = "likeness.set_expression"
    bl_label = "Set Expression"

    name: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Expression", description="Expression to set", items=expression_items
    )
    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="0 changes nothing, 1 sets the full expression",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    mode: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Mode",
        description="How to combine with the current expression",
        items=[
            ("REPLACE", "Replace", "Fade out the current expression by the strength"),
            ("ADD", "Add", "Add to the current expression"),
        ],
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        now = get_expression(avatar.armature)
        new = blend_expression(now, self.name, self.strength, self.mode == "REPLACE")
        _set(context, avatar, {n: v for n, v in new.items() if v != now[n]})


class ResetExpression(_FaceOperator, bpy.types.Operator):  # type: ignore[misc]
    """Reset expressions to neutral"""

    bl_idname = "likeness.reset_expression"
    bl_label = "Reset Expression"

    region: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Region", description="Part of the face to reset", items=_REGION_ITEMS
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        region = next((n for n in REGIONS if n.upper().replace(" ", "_") == self.region), None)
        names = filter_expressions(tuple(get_expression(avatar.armature)), region)
        _set(context, avatar, dict.fromkeys(names, 0.0))


class MirrorExpression(_FaceOperator, bpy.types.Operator):  # type: ignore[misc]
    """Copy the expressions of one side of the face to the other"""

    bl_idname = "likeness.mirror_expression"
    bl_label = "Make Expression Symmetric"

    source: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="From",
        description="Side to copy from",
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


class KeyExpression(_FaceOperator, bpy.types.Operator):  # type: ignore[misc]
    """Insert a keyframe of every expression at the current frame"""

    bl_idname = "likeness.key_expression"
    bl_label = "Key All Expressions"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        names = get_expression(avatar.armature)
        count = _key(avatar.armature, names, context.scene.frame_current)
        self.report({"INFO"}, f"{count} expressions keyed at frame {context.scene.frame_current}")


class AddPoseLibrary(bpy.types.Operator):  # type: ignore[misc]
    """Add the poses and expressions of Likeness to the asset libraries in Blender's preferences,
    so that the asset browser and the asset shelf of Pose Mode show them. To undo this, remove
    the entry there"""

    bl_idname = "likeness.add_pose_library"
    bl_label = "Add Pose Library"
    bl_options = {"REGISTER"}  # noqa: RUF012  (preferences are not part of undo)

    @report_errors
    def execute(self, context: Any) -> set[str]:
        entry, new = add_library(context)
        context.preferences.is_dirty = True
        what = "Added the asset library" if new else "Blender already lists the asset library"
        self.report({"INFO"}, f"{what} '{entry.name}': {entry.path}")
        return {"FINISHED"}


CLASSES = (SetExpression, ResetExpression, MirrorExpression, KeyExpression, AddPoseLibrary)
