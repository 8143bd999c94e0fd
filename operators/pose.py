"""Posing: rest poses, IK and FK, looking, limits, the floor."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.expression_items import pose_items
from ..addon.rig import pose_tools
from ..addon.rig.control_names import (
    EYES_TARGET,
    FACE,
    HEAD_TARGET,
    LIMBS,
    ik_control,
    pole_control,
)
from ..addon.rig.ik import get_ik_influence, switch_to_fk, switch_to_ik
from ..addon.rig.joint_limits import has_active_limits, set_limits
from ..addon.rig.keying import (
    is_auto_keying,
    key_bones,
    key_properties,
    key_switches,
    read_switches,
)
from ..addon.rig.look_at import JOINTS, is_looking, list_target_bones, look_at, stop_looking
from ..addon.scene.avatar_objects import AvatarObjects, find_avatar
from ..addon.scene.body_object import expression_names
from ..engine.core.types import JOINT_NAMES, LikenessError

_LIMBS = [
    ("left_hand", "Left Arm", "From shoulder to hand"),
    ("right_hand", "Right Arm", "From shoulder to hand"),
    ("left_foot", "Left Leg", "From hip to foot"),
    ("right_foot", "Right Leg", "From hip to foot"),
]
_ROOT = JOINT_NAMES[0]


class _Posing:
    """For operators on the rig of the active object's avatar."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None:
            cls.poll_message_set("Select a part of an avatar first")  # type: ignore[attr-defined]
            return False
        why = pose_tools.find_posing_problem(avatar.armature)
        if why:
            cls.poll_message_set(why)  # type: ignore[attr-defined]
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        avatar = find_avatar(context.object)
        assert avatar is not None  # poll
        before = read_switches(avatar.armature)
        try:
            self.pose(context, avatar)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        if is_auto_keying(context):
            key_switches(avatar.armature, before, context.scene.frame_current)
        return {"FINISHED"}

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        raise NotImplementedError


def _key(context: Any, armature: Any, names: Any) -> None:
    if is_auto_keying(context):
        key_bones(armature, names, context.scene.frame_current)


def _key_face(context: Any, armature: Any) -> None:
    if is_auto_keying(context):
        key_properties(armature, FACE, expression_names(armature), context.scene.frame_current)


class SetPose(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Pose the whole body. It keeps its place and direction, and its lowest point stays as high as
    it was; IK and looking are switched off"""

    bl_idname = "likeness.set_pose"
    bl_label = "Set Pose"

    name: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Pose", description="What the body does", items=pose_items
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        if self.name == "photo":
            pose_tools.set_photo_pose(avatar.armature, expression_names(avatar.armature))
            _key_face(context, avatar.armature)
        else:
            pose_tools.set_named_pose(avatar.armature, avatar.body, self.name)
        _key(context, avatar.armature, JOINT_NAMES)


class ResetBones(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Turn the selected bones back to rest. The pelvis keeps its place"""

    bl_idname = "likeness.reset_bones"
    bl_label = "Reset Selected"

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not context.selected_pose_bones_from_active_object:
            cls.poll_message_set("Select bones in Pose Mode first")
            return False
        return True

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        names = [bone.name for bone in context.selected_pose_bones_from_active_object]
        pose_tools.reset_bones(avatar.armature, names)
        _key(context, avatar.armature, names)


class MirrorPose(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Swap left and right of the whole pose and of the expression, on the spot"""

    bl_idname = "likeness.mirror_pose"
    bl_label = "Mirror Pose"

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        pose_tools.mirror_pose(avatar.armature)
        _key(context, avatar.armature, (*JOINT_NAMES, *pose_tools.list_movable_controls()))
        _key_face(context, avatar.armature)


class FeetToGround(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Move the person up or down until the lowest point of the body is on the ground.
    A skirt does not count; controls in IK come along"""

    bl_idname = "likeness.feet_to_ground"
    bl_label = "Feet to Ground"

    height: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Height", description="World height of the ground", unit="LENGTH", default=0.0
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        moved = pose_tools.move_to_height(avatar.armature, avatar.body, self.height)
        self.report({"INFO"}, f"Moved by {1000 * moved:.0f} mm")
        limbs = [limb for limb in LIMBS if get_ik_influence(avatar.armature, limb) > 0.0]
        controls = [name for limb in limbs for name in (ik_control(limb), pole_control(limb))]
        _key(context, avatar.armature, [_ROOT, *controls])


class SwitchIK(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Switch limbs between FK (turn its bones) and IK (move hand or foot), without a jump"""

    bl_idname = "likeness.switch_ik"
    bl_label = "Switch IK/FK"

    limb: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Limb",
        description="What is switched",
        items=[*_LIMBS, ("ALL", "All", "Both arms and both legs")],
    )
    to: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="To",
        description="What the limb then follows",
        items=[
            ("TOGGLE", "The Other", "From FK to IK, or back"),
            ("IK", "IK", "The limb reaches for its control"),
            ("FK", "FK", "The limb's bones are turned"),
        ],
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        armature = avatar.armature
        limbs = list(LIMBS) if self.limb == "ALL" else [self.limb]
        on = all(get_ik_influence(armature, limb) > 0.5 for limb in limbs)
        if self.to == "IK" or (self.to == "TOGGLE" and not on):
            bent = switch_to_ik(armature, limbs)
            if bent:
                names = ", ".join(LIMBS[limb][1].replace("_", " ") for limb in bent)
                self.report({"INFO"}, f"Bent backwards, so without IK limit for now: {names}")
        else:
            switch_to_fk(armature, limbs)
        if is_auto_keying(context):
            frame = context.scene.frame_current
            for limb in limbs:
                key_bones(armature, (*LIMBS[limb], ik_control(limb), pole_control(limb)), frame)


class LookAt(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Let head or eyes follow a target, which is put where they look now; or let them go.
    Nothing jumps"""

    bl_idname = "likeness.look_at"
    bl_label = "Look at Target"

    target: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Target",
        description="What looks",
        items=[
            (HEAD_TARGET, "Head", "The face turns to its target"),
            (EYES_TARGET, "Eyes", "Both eyes look at their target"),
        ],
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        armature = avatar.armature
        (stop_looking if is_looking(armature, self.target) else look_at)(armature, self.target)
        if is_auto_keying(context):
            moved = (*JOINTS[self.target], *list_target_bones(self.target))
            key_bones(armature, moved, context.scene.frame_current)


class JointLimits(_Posing, bpy.types.Operator):  # type: ignore[misc]
    """Hold the joints within what a body can do, or let them turn freely. Off in a new avatar:
    the photo's pose must not be altered"""

    bl_idname = "likeness.joint_limits"
    bl_label = "Joint Limits"

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        set_limits(avatar.armature, not has_active_limits(avatar.armature))


CLASSES = (SetPose, ResetBones, MirrorPose, FeetToGround, SwitchIK, LookAt, JointLimits)
