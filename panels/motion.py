"""Import, smooth and export motions."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.motion import motion_list
from ..addon.motion.motion_requests import read_notes
from ..addon.motion.swing import has_swing
from ..addon.scene.avatar_objects import find_avatar
from .base import AvatarPanel, draw_wrapped


class MotionPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    bl_idname = "LIKENESS_PT_motion"
    bl_label = "Motion"

    def draw(self, context: Any) -> None:
        avatar = find_avatar(context.object)
        if avatar is None:
            return
        layout = self.layout
        column = layout.column(align=True)
        column.operator("likeness.import_motion", icon="IMPORT")
        column.operator("likeness.animate_from_video", icon="FILE_MOVIE")
        column.operator("likeness.animate_from_audio", icon="FILE_SOUND")
        column.operator("likeness.follow_face", icon="VIEW_CAMERA")
        column.operator("likeness.retarget_armature", icon="ARMATURE_DATA")
        _draw_list(layout, avatar.armature)
        row = layout.row(align=True)
        row.operator("likeness.add_secondary_motion", text="Secondary Motion", icon="MOD_CLOTH")
        if has_swing(avatar.armature):
            row.operator("likeness.remove_secondary_motion", text="", icon="TRASH")
        for note in read_notes(avatar.armature):
            draw_wrapped(layout, context, note, "INFO")
        column = layout.column(align=True)
        column.operator("likeness.export_motion", icon="EXPORT")
        column.operator("likeness.export_pose", icon="EXPORT")


def _draw_list(layout: Any, armature: Any) -> None:
    """The avatar's motions, the current one pressed; what can be done with them."""
    motions, mixed = motion_list.list_motions(armature), motion_list.is_mixed(armature)
    if not motions:
        return
    data = armature.animation_data
    current = data.action if data is not None else None
    column = layout.column(align=True)
    for action in motions:
        row = column.row(align=True)
        first, last = action.frame_range
        used = row.operator(
            "likeness.use_motion",
            text=f"{action.name_full} ({first:.0f}-{last:.0f})",
            icon="ACTION",
            depress=action == current,
            translate=False,
        )
        used.name = action.name_full
        if action != current and (mixed or current is not None):
            row.operator("likeness.mix_motion", text="", icon="ADD").name = action.name_full
        row.operator("likeness.delete_motion", text="", icon="TRASH").name = action.name_full
    if data is not None and data.nla_tracks:
        text = "Mix (NLA)"
        column.operator("likeness.use_motion", text=text, icon="NLA", depress=mixed).name = ""
    row = layout.row(align=True)
    row.operator("likeness.smooth_motion", text="Smooth", icon="SMOOTHCURVE")
    row.operator("likeness.trim_motion", icon="ARROW_LEFTRIGHT")


CLASSES = (MotionPanel,)
