"""Posing: rest poses, IK and FK, looking, limits, the floor."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.expression_items import pose_items
from ..addon.rig import pose_tools
from ..addon.rig.bone_names import plain_name
from ..addon.rig.control_names import (
    EYES_TARGET,
    FACE,
    FEET,
    HEAD_TARGET,
    LIMBS,
    NECK,
    PARENTS,
    ik_control,
    pole_control,
)
from ..addon.rig.controls import PARENTED, limb_controls
from ..addon.rig.ik import get_ik_influence, switch_parent, switch_to_fk, switch_to_ik
from ..addon.rig.joint_limits import has_active_limits, set_limits
from ..addon.rig.keying import (
    is_auto_keying,
    key_bones,
    key_properties,
    key_switches,
    read_switches,
)
from ..addon.rig.look_at import JOINTS, is_looking, list_target_bones, look_at, stop_looking
from ..addon.scene.avatar_objects import AvatarObjects
from ..addon.scene.body_object import expression_names
from ..addon.scene.rig_upgrade import is_outdated, upgrade_rig
from ..engine.core.types import JOINT_NAMES, LikenessError
from .avatar_operator import AvatarOperator

_LIMBS = [
    ("left_hand", "Left Arm", "From shoulder to hand"),
    ("right_hand", "Right Arm", "From shoulder to hand"),
    ("left_foot", "Left Leg", "From hip to foot"),
    ("right_foot", "Right Leg", "From hip to foot"),
]
_ROOT = JOINT_NAMES[0]


class _PoseOperator(AvatarOperator):
    """An operator on the rig of the active object's avatar; keys the switches it changes."""

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        return pose_tools.find_posing_problem(avatar.armature)

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        before = read_switches(avatar.armature)
        self.pose(context, avatar)
        if is_auto_keying(context):
            key_switches(avatar.armature, before, context.scene.frame_current)

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        """Do the work.

        Raises:
            LikenessError: It cannot be done.
        """
        raise NotImplementedError


def _key(context: Any, armature: Any, names: Any) -> None:
    if is_auto_keying(context):
        key_bones(armature, names, context.scene.frame_current)


def _key_face(context: Any, armature: Any) -> None:
    if is_auto_keying(context):
        key_properties(armature, FACE, expression_names(armature), context.scene.frame_current)


class SetPose(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Set a pose of the whole body. Position, direction and the height of the lowest point are
    kept; IK and look-at are switched off"""

    bl_idname = "likeness.set_pose"
    bl_label = "Set Pose"

    name: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Pose", description="Pose to set", items=pose_items
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        if self.name == "photo":
            pose_tools.set_photo_pose(avatar.armature, expression_names(avatar.armature))
            _key_face(context, avatar.armature)
        else:
            pose_tools.set_named_pose(avatar.armature, avatar.body, self.name)
        _key(context, avatar.armature, JOINT_NAMES)


class ResetBones(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Reset the rotation of the selected bones. The pelvis stays in place"""

    bl_idname = "likeness.reset_bones"
    bl_label = "Reset Selected"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        problem = super().find_problem(context, avatar)
        if problem or context.selected_pose_bones_from_active_object:
            return problem
        return "Select bones in Pose Mode first"

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        names = [plain_name(bone) for bone in context.selected_pose_bones_from_active_object]
        pose_tools.reset_bones(avatar.armature, names)
        _key(context, avatar.armature, names)


class MirrorPose(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Mirror the pose and the expression in place"""

    bl_idname = "likeness.mirror_pose"
    bl_label = "Mirror Pose"

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        pose_tools.mirror_pose(avatar.armature)
        _key(context, avatar.armature, (*JOINT_NAMES, *pose_tools.list_movable_controls()))
        _key_face(context, avatar.armature)


class FeetToGround(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Move the avatar up or down until the lowest point of its body is on the ground. Skirts
    are ignored; active IK controls move along"""

    bl_idname = "likeness.feet_to_ground"
    bl_label = "Feet to Ground"

    height: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Height", description="Height of the ground in the world", unit="LENGTH", default=0.0
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        moved = pose_tools.move_to_height(avatar.armature, avatar.body, self.height)
        self.report({"INFO"}, f"Moved by {1000 * moved:.0f} mm")
        limbs = [limb for limb in LIMBS if get_ik_influence(avatar.armature, limb) > 0.0]
        controls = [name for limb in limbs for name in (ik_control(limb), pole_control(limb))]
        _key(context, avatar.armature, [_ROOT, *controls])


class SwitchIK(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Switch limbs between FK (rotate bones) and IK (move the hand or foot) without a jump"""

    bl_idname = "likeness.switch_ik"
    bl_label = "Switch IK/FK"

    limb: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Limb",
        description="Limb to switch",
        items=[*_LIMBS, ("ALL", "All", "Both arms and both legs")],
    )
    to: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="To",
        description="What drives the limb",
        items=[
            ("TOGGLE", "Toggle", "From FK to IK, or back"),
            ("IK", "IK", "The limb follows its control"),
            ("FK", "FK", "The bones of the limb are rotated"),
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
                self.report(
                    {"INFO"}, f"Bent backwards, so their IK limits are off for now: {names}"
                )
        else:
            stretched = switch_to_fk(armature, limbs)
            if stretched:
                names = ", ".join(label for limb, label, _ in _LIMBS if limb in stretched)
                self.report({"INFO"}, f"Back to their normal length in FK: {names}")
        if is_auto_keying(context):
            frame = context.scene.frame_current
            for limb in limbs:
                toes = (limb,) if limb in FEET else ()
                key_bones(armature, (*LIMBS[limb], *toes, *limb_controls(limb)), frame)


class SwitchParent(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Choose what a control follows when the body moves, without a jump"""

    bl_idname = "likeness.switch_parent"
    bl_label = "Switch Parent"

    control: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Control",
        description="Control to hang on something else",
        items=[(n, n.replace("_", " ").title(), f"The control {n}") for n in PARENTED],
    )
    to: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Follows",
        description="What the control follows",
        items=[
            ("WORLD", "World", "The space of the armature object"),
            ("ROOT", "Root", "The root, which moves everything"),
            ("PELVIS", "Pelvis", "The bone of the pelvis"),
            ("CHEST", "Chest", "The uppermost bone of the spine"),
            ("HEAD", "Head", "The bone of the head"),
        ],
        default="ROOT",
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        to = [name.upper() for name in PARENTS].index(self.to)
        if self.control == HEAD_TARGET and self.to == "HEAD":
            raise LikenessError("The head cannot carry what it looks at.", "Choose the chest.")
        moved = switch_parent(avatar.armature, self.control, to)
        _key(context, avatar.armature, moved)


class LookAt(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Let the head or the eyes follow a target, placed where they look now, or release them.
    Nothing jumps"""

    bl_idname = "likeness.look_at"
    bl_label = "Look at Target"

    target: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Target",
        description="What follows the target",
        items=[
            (HEAD_TARGET, "Head", "The face turns to the target"),
            (EYES_TARGET, "Eyes", "Both eyes look at the target"),
        ],
    )

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        armature = avatar.armature
        (stop_looking if is_looking(armature, self.target) else look_at)(armature, self.target)
        if is_auto_keying(context):
            moved = (*JOINTS[self.target], *list_target_bones(self.target), NECK)
            key_bones(armature, moved, context.scene.frame_current)


class JointLimits(_PoseOperator, bpy.types.Operator):  # type: ignore[misc]
    """Limit the joints to natural ranges, or let them rotate freely. Off in new avatars, so that
    the photo's pose is kept"""

    bl_idname = "likeness.joint_limits"
    bl_label = "Joint Limits"

    def pose(self, context: Any, avatar: AvatarObjects) -> None:
        set_limits(avatar.armature, not has_active_limits(avatar.armature))


class UpgradeRig(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Give an avatar of an earlier version this version's rig: root, foot roll, finger and spine
    controls, and the origin between the feet. Pose, place and actions stay as they are"""

    bl_idname = "likeness.upgrade_rig"
    bl_label = "Upgrade Rig"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        return "" if is_outdated(avatar.armature) else "The rig is up to date"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        upgrade_rig(avatar, context)


CLASSES = (
    SetPose,
    ResetBones,
    MirrorPose,
    FeetToGround,
    SwitchIK,
    SwitchParent,
    LookAt,
    JointLimits,
    UpgradeRig,
)
