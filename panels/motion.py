"""Import, smooth and export motions."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.motion.motion_requests import read_notes
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
        column.operator("likeness.retarget_armature", icon="ARMATURE_DATA")
        data = avatar.armature.animation_data
        action = data.action if data is not None else None
        if action is not None:
            first, last = action.frame_range
            layout.label(
                text=f"{action.name}: {first:.0f} to {last:.0f}", icon="ACTION", translate=False
            )
            for note in read_notes(avatar.armature):
                draw_wrapped(layout, context, note, "INFO")
            layout.operator("likeness.smooth_motion", icon="SMOOTHCURVE")
        column = layout.column(align=True)
        column.operator("likeness.export_motion", icon="EXPORT")
        column.operator("likeness.export_pose", icon="EXPORT")


CLASSES = (MotionPanel,)
