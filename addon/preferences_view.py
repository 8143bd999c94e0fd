"""The layout of the preferences."""

from __future__ import annotations

from typing import Any

import bpy

from . import running, setup_state
from .preferences import LikenessPreferences, avatar_folder
from .worker_launch import weights_folders


def attach() -> None:
    """Give the preferences their ``draw`` method; call it before their class is registered."""
    LikenessPreferences.draw = lambda self, context: draw_preferences(self.layout, self, context)


def draw_preferences(layout: Any, settings: Any, context: Any) -> None:
    """Draw all sections."""
    _draw_state(layout)
    _draw_engine(_section(layout, "Engine", "SYSTEM"), settings, context)
    _draw_body(_section(layout, "Body", "ARMATURE_DATA"), settings, context)
    _draw_files(_section(layout, "Files", "FILE_FOLDER"), settings, context)
    _draw_models(_section(layout, "Models", "PACKAGE"))
    _draw_research(layout.box().column(), settings, context)


def _section(layout: Any, title: str, icon: str) -> Any:
    box = layout.box()
    box.label(text=title, icon=icon)
    return box.column()


def _setting(layout: Any, settings: Any, name: str, default: str = "") -> None:
    """A property; an empty path shows what it stands for."""
    column = layout.column()
    column.use_property_split = True
    column.prop(settings, name, placeholder=default)


def _draw_state(layout: Any) -> None:
    """The running job and the last problem, as in the sidebar."""
    under_way, said = running.current_job(), running.last_problem()
    if under_way is not None:
        row = layout.row()
        doing = under_way.doing
        row.progress(factor=under_way.fraction, type="BAR", text=doing, translate=False)
        row.operator("likeness.cancel_job", text="", icon="X")
    if said is not None:
        box = layout.box()
        row = box.row()
        row.alert = True
        row.label(text=said.message, icon="ERROR", translate=False)
        row.operator("likeness.dismiss_problem", text="", icon="X", emboss=False)
        if said.remedy:
            box.label(text=said.remedy, icon="BLANK1", translate=False)


def _draw_engine(layout: Any, settings: Any, context: Any) -> None:
    _setting(layout, settings, "engine_python", "Blender's own Python")
    for icon, text in setup_state.environment_lines(context):
        layout.label(text=text, icon=icon)
    row = layout.row()
    row.operator("likeness.check_engine", icon="VIEWZOOM")
    row.operator("likeness.examine_computer", icon="SYSTEM")
    for icon, text in setup_state.doctor_lines(context):
        layout.label(text=text, icon=icon)


def _draw_body(layout: Any, settings: Any, context: Any) -> None:
    _setting(layout, settings, "body_file", "The default body")
    row = layout.row()
    icon, text = setup_state.body_line(context)
    row.label(text=text, icon=icon)
    if settings.body_file:
        row.operator("likeness.look_around", text="Check", icon="VIEWZOOM")


def _draw_files(layout: Any, settings: Any, context: Any) -> None:
    _setting(layout, settings, "avatar_folder", str(avatar_folder(context)))
    _setting(layout, settings, "show_splats")
    _setting(layout, settings, "bone_ends")
    for line in setup_state.cache_lines(context):
        layout.label(text=line, icon="FILE_CACHE", translate=False)
    row = layout.row()
    row.operator("likeness.look_around", text="Measure Caches", icon="FILE_REFRESH")
    row.operator("likeness.clear_cache", icon="TRASH")
    if hasattr(bpy.types, "LIKENESS_OT_add_pose_library"):
        layout.operator("likeness.add_pose_library", icon="ASSET_MANAGER")


def _draw_models(layout: Any) -> None:
    """What builds use, all of it bundled."""
    for entry, there in setup_state.bundled_models():
        layout.label(text=entry.purpose, icon="CHECKMARK" if there else "ERROR")


def _draw_research(layout: Any, settings: Any, context: Any) -> None:
    row = layout.row()
    row.alignment = "LEFT"
    icon = "DOWNARROW_HLT" if settings.show_models else "RIGHTARROW"
    row.prop(settings, "show_models", icon=icon, emboss=False)
    if not settings.show_models:
        return
    _setting(layout, settings, "models_folder", str(weights_folders(context)[-1]))
    problem = setup_state.find_online_problem()
    if problem:
        layout.label(text=problem, icon="INTERNET_OFFLINE")
    layout.operator("likeness.look_around", text="Look for Models", icon="FILE_REFRESH")
    for entry, state, path in setup_state.research_rows(context):
        box = layout.box()
        split = box.split(factor=0.55)
        split.label(text=entry.name, icon=_STATE_ICONS.get(state, "QUESTION"), translate=False)
        row = split.row()
        row.alignment = "RIGHT"
        row.label(text=setup_state.model_size(entry), translate=False)
        if entry.page:
            row.operator("wm.url_open", text="Page", icon="URL").url = entry.page
        if state == "missing" and entry.page:
            fetch = row.row()
            fetch.enabled = not problem
            button = fetch.operator("likeness.download_model", text="Download", icon="IMPORT")
            button.model = entry.name
        elif state:
            row.label(text=_STATES[state])
        column = box.column(align=True)
        column.scale_y = 0.8
        for heading, text in (("For", entry.purpose), ("Licence", entry.licence)):
            split = column.split(factor=0.15)
            split.label(text=heading)
            split.label(text=text, translate=False)
        if state == "there":
            column.label(text=setup_state.shorten_path(path), icon="FILE_FOLDER", translate=False)


_STATES = {"there": "Found", "missing": "Not published yet"}
_STATE_ICONS = {"there": "CHECKMARK", "missing": "RADIOBUT_OFF"}
