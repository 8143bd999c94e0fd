"""The parts of an avatar, and the sliders of what was put on it."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon import compat
from ..addon.scene.avatar_objects import find_avatar
from ..addon.scene.node_group import slider_name
from ..addon.scene.splat_object import MODIFIER_NAME, get_sliders, input_identifier
from .base import AvatarPanel


class AttributesPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """Sliders of hats, glasses, beards and more; keyable, and open to drivers."""

    bl_idname = "LIKENESS_PT_attributes"
    bl_label = "Attributes"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        layout, avatar = self.layout, find_avatar(context.object)
        layout.operator_menu_enum("likeness.select_part", "part", icon="RESTRICT_SELECT_OFF")
        sliders = get_sliders(avatar.splats) if avatar is not None else {}
        column = layout.column(align=True)
        column.operator("likeness.add_item", icon="ADD")
        column.operator("likeness.add_from_library", icon="FILE_3D")
        column.operator("likeness.tint_part", icon="COLOR")
        column.operator("likeness.edit_from_photo", icon="IMAGE_DATA")
        column.operator("likeness.add_wardrobe", icon="ASSET_MANAGER")
        if avatar is None or not sliders:
            return
        modifier = avatar.splats.modifiers[MODIFIER_NAME]
        column = layout.column()
        for name in sliders:
            title = slider_name(name)
            row = column.row(align=True)
            compat.draw_modifier_input(row, modifier, input_identifier(modifier, title), title)
            row.operator("likeness.remove_item", text="", icon="X").attribute = name


CLASSES = (AttributesPanel,)
