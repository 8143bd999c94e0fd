"""Import, and what is under way."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon import running
from .base import MAIN_PANEL, LikenessPanel, wrapped


class MainPanel(LikenessPanel, bpy.types.Panel):  # type: ignore[misc]
    """Import, and what is under way."""

    bl_idname = MAIN_PANEL
    bl_label = "Likeness"

    def draw(self, context: Any) -> None:
        layout, under_way = self.layout, running.current()
        if under_way is not None:
            _draw_running(layout, under_way)
        else:
            column = layout.column(align=True)
            column.scale_y = 1.3
            column.operator("likeness.import_portrait", text="Portrait as Avatar", icon="USER")
            layout.operator("likeness.import_avatar", text="Open Avatar", icon="FILE_FOLDER")
        said = running.problem()
        if said is not None:
            _draw_problem(layout, context, said)
        layout.operator("likeness.render_setup", icon="RENDER_STILL")


def _draw_running(layout: Any, under_way: running.Running) -> None:
    box = layout.box()
    row = box.row()
    row.label(text=under_way.title, icon="SORTTIME")
    row.operator("likeness.show_log", text="", icon="TEXT", emboss=False)
    box.progress(factor=under_way.fraction, type="BAR", text=under_way.doing)
    row = box.row()
    row.label(text=under_way.left)
    row.operator("likeness.cancel_job", icon="X")


def _draw_problem(layout: Any, context: Any, said: running.Problem) -> None:
    box = layout.box()
    row = box.row()
    row.alert = True
    row.label(text=f"{said.title} failed", icon="ERROR")
    row.operator("likeness.dismiss_problem", text="", icon="X", emboss=False)
    column = box.column(align=True)
    wrapped(column, context, said.message)
    if said.remedy:
        wrapped(column, context, said.remedy, "INFO")
    row = box.row(align=True)
    row.operator("likeness.copy_report", icon="COPYDOWN")
    row.operator("likeness.show_log", text="Log", icon="TEXT")


CLASSES = (MainPanel,)
