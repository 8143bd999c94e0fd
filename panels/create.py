"""Import, and what is under way."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.properties import session
from .base import MAIN_PANEL, LikenessPanel, wrapped


class MainPanel(LikenessPanel, bpy.types.Panel):  # type: ignore[misc]
    """Import, and what is under way."""

    bl_idname = MAIN_PANEL
    bl_label = "Likeness"

    def draw(self, context: Any) -> None:
        layout, state = self.layout, session(context)
        if state.running:
            layout.progress(factor=state.progress, type="BAR", text=state.stage)
            layout.operator("likeness.cancel_build", icon="X")
        else:
            layout.operator("likeness.import_portrait", text="Portrait as Avatar", icon="USER")
            layout.operator("likeness.import_avatar", text="Open Avatar", icon="FILE_FOLDER")
        if state.error:
            box = layout.box()
            wrapped(box, context, state.error, "ERROR")
            wrapped(box, context, state.remedy)
        layout.operator("likeness.render_setup", icon="RENDER_STILL")


CLASSES = (MainPanel,)
