"""Posing: rest poses, IK and FK, looking, limits, the floor."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.rig.bone_names import RigBones, plain_name
from ..addon.rig.control_names import (
    EYES_TARGET,
    HEAD_TARGET,
    IK,
    LOOK,
    PARENT,
    PARENTS,
    STRETCH,
    ik_control,
)
from ..addon.rig.joint_limits import has_active_limits
from ..addon.rig.pose_tools import find_posing_problem
from ..addon.scene.avatar_objects import find_avatar
from ..addon.scene.rig_upgrade import is_outdated
from ..addon.translations import CONTEXT
from .base import AvatarPanel, draw_wrapped

_LIMB_LABELS = {
    "left_hand": "Left Arm",
    "right_hand": "Right Arm",
    "left_foot": "Left Leg",
    "right_foot": "Right Leg",
}

_LABEL = 0.41
"""Width of a row's label: "Pierna izquierda" fits."""

_LAYERS = (
    ("Root", "Controls"),
    ("Body", "Face"),
    ("Left Arm", "Right Arm"),
    ("Left Hand", "Right Hand"),
    ("Left Fingers", "Right Fingers"),
    ("Left Leg", "Right Leg"),
)
"""Rows of bone collections, the left limbs on the left."""


def _switch(column: Any, label: str, bone: Any, prop: str, operator: str, texts: Any) -> Any:
    """A row with a label and the button that switches without a jump. The influence slider only
    shows above 0, because raising it from 0 would make the limb jump."""
    split = column.split(factor=_LABEL, align=True)
    split.label(text=label, text_ctxt=CONTEXT)
    if bone[prop] == 0.0:
        return split.operator(operator, text=texts[0])
    row = split.split(factor=0.6, align=True)
    row.prop(bone, f'["{prop}"]', text="", slider=True)
    return row.operator(operator, text=texts[1], depress=True)


def _draw_parent(column: Any, control: Any, prop: str) -> None:
    """What a control that is on follows, as a menu that switches without a jump."""
    if control[prop] == 0.0 or PARENT not in control:
        return
    split = column.split(factor=_LABEL, align=True)
    split.label(text="Follows", text_ctxt=CONTEXT)
    now = list(PARENTS)[control[PARENT]]
    split.operator_menu_enum("likeness.switch_parent", "to", text=now).control = plain_name(control)


def _draw_switches(layout: Any, armature: Any) -> None:
    bones = RigBones(armature)
    header, body = layout.panel("likeness_ik", default_closed=False)
    header.label(text="IK and Look-At")
    if body is None:
        return
    column = body.column(align=True)
    for limb, label in _LIMB_LABELS.items():
        control = bones[ik_control(limb)]
        button = _switch(column, label, control, IK, "likeness.switch_ik", ("IK", "FK"))
        button.limb, button.to = limb, "FK" if control[IK] > 0.0 else "IK"
        _draw_parent(column, control, IK)
        if control[IK] > 0.0 and STRETCH in control:
            split = column.split(factor=_LABEL, align=True)
            split.label(text="Stretch", text_ctxt=CONTEXT)
            split.prop(control, f'["{STRETCH}"]', text="", slider=True)
    row = column.row(align=True)
    for to, text in (("IK", "All IK"), ("FK", "All FK")):
        button = row.operator("likeness.switch_ik", text=text)
        button.limb, button.to = "ALL", to
    column = body.column(align=True)
    for target, label in ((HEAD_TARGET, "Head"), (EYES_TARGET, "Eyes")):
        texts = ("Look at Target", "Release")
        _switch(column, label, bones[target], LOOK, "likeness.look_at", texts).target = target
        _draw_parent(column, bones[target], LOOK)
    on = has_active_limits(armature)
    body.operator(
        "likeness.joint_limits", depress=on, icon="CHECKBOX_HLT" if on else "CHECKBOX_DEHLT"
    )


def _draw_bones(layout: Any, armature: Any) -> None:
    header, body = layout.panel("likeness_bones", default_closed=True)
    header.label(text="Bones Shown")
    if body is None:
        return
    shown = armature.data.collections_all
    column = body.column(align=True)
    for names in _LAYERS:
        row = column.row(align=True)
        for name in names:
            if name in shown:
                pair, layer = row.row(align=True), shown[name]
                pair.prop(layer, "is_visible", text=name, text_ctxt=CONTEXT, toggle=True)
                star = "SOLO_ON" if layer.is_solo else "SOLO_OFF"
                pair.prop(layer, "is_solo", text="", icon=star)
    body.prop(armature, "show_in_front", text="In Front")


class PosePanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """Whole poses, and the rig's switches."""

    bl_idname = "LIKENESS_PT_pose"
    bl_label = "Pose"

    def draw(self, context: Any) -> None:
        avatar = find_avatar(context.object)
        if avatar is None:
            return
        why = find_posing_problem(avatar.armature)
        if why:
            draw_wrapped(self.layout, context, why, "INFO")
            return
        armature = avatar.armature
        if is_outdated(armature):
            self.layout.operator("likeness.upgrade_rig", icon="ARMATURE_DATA")
        grid = self.layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for name, text in (
            ("tpose", "Rest (T)"),
            ("apose", "A-Pose"),
            ("relaxed", "Relaxed"),
            ("photo", "Photo"),
        ):
            grid.operator("likeness.set_pose", text=text).name = name
        row = self.layout.row(align=True)
        row.operator("likeness.mirror_pose", text="Mirror", icon="MOD_MIRROR")
        row.operator("likeness.reset_bones", text="Reset", icon="LOOP_BACK")
        self.layout.operator("likeness.feet_to_ground", icon="TRIA_DOWN_BAR")
        _draw_switches(self.layout, armature)
        _draw_bones(self.layout, armature)


CLASSES = (PosePanel,)
