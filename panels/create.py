"""Import, and the running job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..addon import fit_preview, running
from ..addon.motion import live_face
from ..addon.scene import fit_adjustment
from ..addon.translations import translate
from .base import MAIN_PANEL, LikenessPanel, draw_wrapped


class MainPanel(LikenessPanel, bpy.types.Panel):  # type: ignore[misc]
    """Import, and the running job."""

    bl_idname = MAIN_PANEL
    bl_label = "Likeness"

    def draw(self, context: Any) -> None:
        layout, under_way = self.layout, running.current_job()
        if fit_adjustment.find_fit_scene() is not None:
            _draw_adjusting(layout, context, under_way)
        elif under_way is not None and under_way.question is not None:
            _draw_question(layout, context, under_way.question)
        elif live_face.is_live():
            _draw_live(layout)
        elif under_way is not None:
            _draw_running(layout, context, under_way)
        else:
            column = layout.column(align=True)
            column.scale_y = 1.3
            column.operator("likeness.import_portrait", text="Portrait as Avatar", icon="USER")
            layout.operator("likeness.import_avatar", text="Open Avatar", icon="FILE_FOLDER")
        said = running.last_problem()
        if said is not None:
            _draw_problem(layout, context, said)


def _draw_running(layout: Any, context: Any, under_way: running.RunningJob) -> None:
    box = layout.box()
    row = box.row()
    row.label(text=under_way.shown_title, icon="SORTTIME", translate=False)
    row.operator("likeness.show_log", text="", icon="TEXT", emboss=False)
    column = box.column(align=True)
    column.label(text=under_way.doing, translate=False)
    done = f"{under_way.fraction:.0%}" + (f", {under_way.left}" if under_way.left else "")
    column.progress(factor=under_way.fraction, type="BAR", text=done, translate=False)
    icon = fit_preview.get_icon(Path(under_way.picture)) if under_way.picture else 0
    if icon:
        box.template_icon(icon_value=icon, scale=8.0)
    if under_way.first:
        draw_wrapped(box, context, "First run: takes up to a minute longer", "INFO")
    box.operator("likeness.cancel_job", icon="X")


def _draw_live(layout: Any) -> None:
    """The face that is followed, which takes as long as the user wants."""
    box = layout.box()
    row = box.row()
    row.label(text="Following the face", icon="VIEW_CAMERA")
    row.operator("likeness.show_log", text="", icon="TEXT", emboss=False)
    now = live_face.is_recording()
    text = "Stop Recording" if now else "Record"
    column = box.column(align=True)
    button = column.operator("likeness.control_live_face", text=text, icon="REC", depress=now)
    button.command = "RECORD"
    row = column.row(align=True)
    row.operator("likeness.control_live_face", text="Neutral").command = "NEUTRAL"
    row.operator("likeness.control_live_face", text="Stop", icon="X").command = "STOP"


def _draw_question(layout: Any, context: Any, question: dict[str, Any]) -> None:
    """The fitted body over the photo, and the possible answers."""
    box = layout.box()
    people = question["people"]
    box.label(text="Does the body fit?", icon="QUESTION")
    box.template_icon(icon_value=fit_preview.get_icon(Path(question["picture"])), scale=12.0)
    if people > 1:
        text = translate("Which of {count} people?").format(count=people)
        box.label(text=text, translate=False)
        row = box.row(align=True)
        for number in range(1, people + 1):
            button = row.operator(
                "likeness.choose_person", text=str(number), depress=number == question["person"]
            )
            button.index = number
    for note in question["warnings"]:
        draw_wrapped(box.column(align=True), context, note, "INFO")
    row = box.row()
    row.scale_y = 1.3
    row.operator("likeness.accept_fit", icon="CHECKMARK")
    row = box.row(align=True)
    # Without icons: three words fit in every language.
    row.operator("likeness.adjust_fit")
    row.operator("likeness.show_fit")
    row.operator("likeness.cancel_job")


def _draw_adjusting(layout: Any, context: Any, under_way: running.RunningJob | None) -> None:
    box = layout.box()
    box.label(text="Adjust the Fit", icon="EMPTY_AXIS")
    if under_way is not None and under_way.question is not None:
        draw_wrapped(box.column(align=True), context, "Drag the handles into place, then:")
        box.operator("likeness.refit", icon="FILE_REFRESH")
        draw_wrapped(box.column(align=True), context, "Or rotate bones in Pose Mode, then:")
        box.operator("likeness.use_this_pose", icon="ARMATURE_DATA")
    box.operator("likeness.leave_adjusting", icon="LOOP_BACK")


def _draw_problem(layout: Any, context: Any, said: running.JobProblem) -> None:
    box = layout.box()
    row = box.row()
    row.alert = True
    text = translate("Failed: {title}").format(title=said.title.translated(translate))
    row.label(text=text, icon="ERROR", translate=False)
    row.operator("likeness.dismiss_problem", text="", icon="X", emboss=False)
    column = box.column(align=True)
    draw_wrapped(column, context, said.message)
    if said.remedy:
        draw_wrapped(column, context, said.remedy, "INFO")
    row = box.row(align=True)
    row.operator("likeness.copy_report", icon="COPYDOWN")
    row.operator("likeness.show_log", text="Log", icon="TEXT")


CLASSES = (MainPanel,)
