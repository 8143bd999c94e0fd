"""How the splats are drawn."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon import compat
from ..addon.scene.build import find_avatar
from ..addon.scene.splats import MODIFIER_NAME, input_identifier
from .base import AvatarPanel, wrapped

_SPLAT_INPUTS = (
    "Viewport Detail", "Render Detail", "Softness", "Sorted Viewport", "Face Camera",
)  # fmt: skip


class DisplayPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """How many splats are drawn, and in which order."""

    bl_idname = "LIKENESS_PT_display"
    bl_label = "Splats"

    def draw(self, context: Any) -> None:
        avatar = find_avatar(context.object)
        modifier = avatar.splats.modifiers.get(MODIFIER_NAME) if avatar else None
        if modifier is None:
            self.layout.label(text="The splats' modifier was removed", icon="ERROR")
            return
        column = self.layout.column()
        for name in _SPLAT_INPUTS:
            compat.draw_modifier_input(column, modifier, input_identifier(modifier, name), name)
        transform = context.scene.view_settings.view_transform
        if transform != "Standard":
            wrapped(
                self.layout, context,
                f"The scene shows colors through {transform}; Set Up Render shows them as in "
                "the photo", "INFO",
            )  # fmt: skip


CLASSES = (DisplayPanel,)
