"""What the panels of the tab "Likeness" share."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.scene.avatar_objects import find_avatar
from ..addon.translations import CONTEXT, translate
from ..addon.wrapping import wrap_text

MAIN_PANEL = "LIKENESS_PT_main"

_POPUP_CHARACTERS = 26
"""Of a line in a panel that pops up, whose region is the whole view below it."""

_ICON_CHARACTERS = 3
"""As wide as an icon and the gap beside it."""


class LikenessPanel:
    """A panel in the sidebar of the 3D view."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_translation_context = CONTEXT


class AvatarPanel(LikenessPanel):
    """A panel below the main one, shown while part of an avatar is active."""

    bl_parent_id = MAIN_PANEL

    @classmethod
    def poll(cls, context: Any) -> bool:
        return find_avatar(context.object) is not None


def draw_wrapped(layout: Any, context: Any, text: str, icon: str = "NONE") -> None:
    """Draw a long text, translated, and wrapped to the width of the sidebar or of a popup."""
    scale = bpy.context.preferences.system.ui_scale or 1.0  # 0 without a window
    region = context.region
    in_sidebar = region is not None and region.type == "UI"
    width = _POPUP_CHARACTERS
    if in_sidebar:
        beside = _ICON_CHARACTERS if icon != "NONE" else 0
        width = max(20, int(region.width / (8 * scale)) - beside)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in wrap_text(translate(text), width):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"
