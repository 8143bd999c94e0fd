"""Cleaning up an avatar: selection, brush, painting and sculpting."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.properties import get_session
from ..addon.scene.avatar_objects import find_avatar
from ..addon.scene.surface_proxy import find_proxy
from .base import AvatarPanel
from .brush_tool import draw_brush_settings, draw_tool_button


class RetouchPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """Erase, restore, tint and move splats; paint and sculpt."""

    bl_idname = "LIKENESS_PT_retouch"
    bl_label = "Retouch"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        layout, avatar = self.layout, find_avatar(context.object)
        if avatar is None:
            return
        brush = get_session(context).brush
        layout.prop(brush, "color")
        layout.operator("likeness.edit_splats", icon="EDITMODE_HLT")
        column = layout.column(align=True)
        column.enabled = avatar.splats.mode == "EDIT"
        row = column.row(align=True)
        # Without icons: three words fit in every language.
        for action, text in (("ERASE", "Erase"), ("RESTORE", "Restore"), ("TINT", "Tint")):
            button = row.operator("likeness.retouch_splats", text=text)
            button.action = action
            button.color = brush.color
        column.operator("likeness.apply_splat_moves", icon="ORIENTATION_GLOBAL")
        column = layout.column(align=True)
        column.label(text="Brush", icon="BRUSH_DATA")
        draw_tool_button(column, context)
        draw_brush_settings(column, brush, color=False)
        _draw_proxy(layout, avatar)
        layout.operator("likeness.restore_avatar", icon="LOOP_BACK")


def _draw_proxy(layout: Any, avatar: Any) -> None:
    column = layout.column(align=True)
    column.label(text="Paint and Sculpt", icon="TPAINT_HLT")
    proxy = find_proxy(avatar)
    column.operator("likeness.add_proxy", icon="ADD" if proxy is None else "FILE_REFRESH")
    if proxy is None:
        return
    row = column.row(align=True)
    row.prop(proxy, "hide_viewport", text="Proxy Mesh", invert_checkbox=True)
    row.prop(avatar.splats, "hide_viewport", text="Splats", invert_checkbox=True)
    column.operator("likeness.apply_proxy", icon="CHECKMARK")
    column.operator("likeness.remove_proxy", icon="X")


CLASSES = (RetouchPanel,)
