"""The list of an avatar's motions: switch, mix, trim, delete."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.motion import motion_list
from ..addon.scene.avatar_objects import AvatarObjects
from .avatar_operator import AvatarOperator


class _OnMotion(AvatarOperator):
    """An operator on one of the active avatar's motions; a mixin."""

    name: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Motion", description="Name of the motion", options={"SKIP_SAVE"}
    )


class UseMotion(_OnMotion, bpy.types.Operator):  # type: ignore[misc]
    """Let this motion move the avatar"""

    bl_idname = "likeness.use_motion"
    bl_label = "Use Motion"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        action = motion_list.get_motion(avatar.armature, self.name) if self.name else None
        motion_list.use_motion(avatar.armature, action, context.scene)


class MixMotion(_OnMotion, bpy.types.Operator):  # type: ignore[misc]
    """Add this motion to the current one, as strips of the NLA editor"""

    bl_idname = "likeness.mix_motion"
    bl_label = "Mix Motion"

    order: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Order",
        description="When the motion runs",
        items=[
            ("AFTER", "After", "When the others end, faded in"),
            ("OVER", "Together", "With the others, from their first frame"),
        ],
    )
    part: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Part",
        description="What of the motion is used",
        items=[
            ("ALL", "Everything", "The whole body"),
            ("UPPER", "Upper Body", "All above the hips"),
            ("FACE", "Face", "Expressions, jaw and eyes"),
        ],
    )
    frames: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Fade", description="Length of the fade in frames", default=10, min=0, soft_max=60
    )
    influence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Influence",
        description="How much of the motion is used",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
    )

    def invoke(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_props_dialog(self, confirm_text="Mix")
        return answer

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.row().prop(self, "order", expand=True)
        if self.order == "OVER":
            layout.prop(self, "part")
            layout.prop(self, "influence")
        layout.prop(self, "frames")

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        action = motion_list.get_motion(avatar.armature, self.name)
        after = self.order == "AFTER"
        motion_list.mix_motion(
            avatar.armature, action, context.scene, after, self.frames, self.influence, self.part
        )


class TrimMotion(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Remove what the current motion does outside a range of frames"""

    bl_idname = "likeness.trim_motion"
    bl_label = "Trim"

    first: bpy.props.IntProperty(name="First Frame", description="First frame to keep", default=1)  # type: ignore[valid-type]
    last: bpy.props.IntProperty(name="Last Frame", description="Last frame to keep", default=250)  # type: ignore[valid-type]

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        data = avatar.armature.animation_data
        return "" if data is not None and data.action is not None else "Choose a motion first"

    def invoke(self, context: Any, event: Any) -> set[str]:
        scene = context.scene
        self.first, self.last = scene.frame_start, scene.frame_end
        if scene.use_preview_range:
            self.first, self.last = scene.frame_preview_start, scene.frame_preview_end
        answer: set[str] = context.window_manager.invoke_props_dialog(self, confirm_text="Trim")
        return answer

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        motion_list.trim_motion(avatar.armature, self.first, self.last, context.scene)


class DeleteMotion(_OnMotion, bpy.types.Operator):  # type: ignore[misc]
    """Delete this motion from the file"""

    bl_idname = "likeness.delete_motion"
    bl_label = "Delete Motion"

    def invoke(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_confirm(
            self, event, title="Delete Motion", message=self.name, confirm_text="Delete"
        )
        return answer

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        action = motion_list.get_motion(avatar.armature, self.name)
        motion_list.delete_motion(avatar.armature, action, context.scene)


CLASSES = (UseMotion, MixMotion, TrimMotion, DeleteMotion)
