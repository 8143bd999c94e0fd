"""The face: named expressions, and a slider for each expression of the body."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.expression_items import expression_entries, group_by_region, pose_entries
from ..addon.pose_library import find_library_entry
from ..addon.properties import get_session
from ..addon.rig.control_names import FACE
from ..addon.scene.avatar_objects import find_avatar
from ..addon.scene.body_object import expression_names
from ..addon.translations import translate
from ..engine.core.types import LikenessError
from .base import AvatarPanel, draw_wrapped


class _LibraryMenu:
    """A menu of library entries, one operator call each."""

    operator = ""
    catalog = ""

    def draw(self, context: Any) -> None:
        for name, label, _ in self.entries():
            self.layout.operator(self.operator, text=label).name = name  # type: ignore[attr-defined]

    def entries(self) -> list[tuple[str, str, str]]:
        return expression_entries(self.catalog)


class ExpressionMenu(_LibraryMenu, bpy.types.Menu):  # type: ignore[misc]
    """Named expressions"""

    bl_idname = "LIKENESS_MT_expressions"
    bl_label = "Expressions"
    operator, catalog = "likeness.set_expression", "Expressions"


class VisemeMenu(_LibraryMenu, bpy.types.Menu):  # type: ignore[misc]
    """Mouth shapes of speech"""

    bl_idname = "LIKENESS_MT_visemes"
    bl_label = "Visemes"
    operator, catalog = "likeness.set_expression", "Visemes"


class NamedPoseMenu(_LibraryMenu, bpy.types.Menu):  # type: ignore[misc]
    """Poses of the whole body"""

    bl_idname = "LIKENESS_MT_named_poses"
    bl_label = "Poses"
    operator = "likeness.set_pose"

    def entries(self) -> list[tuple[str, str, str]]:
        return pose_entries()


class LibraryPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """The library's poses by name, and its entry in the asset libraries."""

    bl_idname = "LIKENESS_PT_library"
    bl_label = "Pose Library"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        column = self.layout.column(align=True)
        column.menu(NamedPoseMenu.bl_idname, icon="ARMATURE_DATA")
        try:
            entry = find_library_entry(context)
        except LikenessError as error:
            draw_wrapped(self.layout, context, str(error), "INFO")
            return
        if entry is None:
            column.operator(
                "likeness.add_pose_library", text="Add to Asset Browser", icon="ASSET_MANAGER"
            )
        else:
            text = translate("Assets: {name}").format(name=entry.name)
            self.layout.label(text=text, icon="ASSET_MANAGER", translate=False)
        selected = context.selected_pose_bones_from_active_object
        if selected and not any(bone.name == FACE for bone in selected):
            text = "Poses change selected bones only: for expressions select the bone face, or none"
            draw_wrapped(self.layout, context, text, "INFO")


class ExpressionPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """A slider for every expression of the active avatar."""

    bl_idname = "LIKENESS_PT_expression"
    bl_label = "Expression"

    def draw(self, context: Any) -> None:
        avatar = find_avatar(context.object)
        bone = avatar.armature.pose.bones.get(FACE) if avatar else None
        if avatar is None or bone is None:
            text = "Made by an older version: import the avatar again"
            draw_wrapped(self.layout, context, text, "INFO")
            return
        names = expression_names(avatar.armature)
        if not names:
            self.layout.label(text="This body has no expressions")
            return
        row = self.layout.row(align=True)
        row.menu(ExpressionMenu.bl_idname, text="Presets")
        row.menu(VisemeMenu.bl_idname)
        row = self.layout.row(align=True)
        row.operator("likeness.reset_expression", text="Reset All", icon="LOOP_BACK").region = "ALL"
        row.operator("likeness.key_expression", text="Key All", icon="KEY_HLT")
        row.operator("likeness.mirror_expression", text="", icon="MOD_MIRROR")
        state = get_session(context)
        self.layout.prop(state, "expression_filter", text="", icon="VIEWZOOM")
        for heading, members in group_by_region(names, state.expression_filter).items():
            header, body = self.layout.panel(f"likeness_{heading}", default_closed=True)
            header.label(text=heading)
            reset = header.operator("likeness.reset_expression", text="", icon="LOOP_BACK")
            reset.region = heading.upper().replace(" ", "_")
            if body is not None:
                _draw_sliders(body.column(align=True), bone, members)


_SIDEWAYS = {"jaw": "jaw sideways", "mouth": "mouth sideways"}
"""Labels of pairs whose common name is unclear."""


def _draw_sliders(column: Any, bone: Any, members: list[tuple[str, ...]]) -> None:
    """One row per expression or pair. The right one stands on the left, as one sees the person."""
    for pair in members:
        if len(pair) == 1:
            column.prop(bone, f'["{pair[0]}"]', text=pair[0], slider=True)
            continue
        split = column.split(factor=0.4, align=True)
        stem = pair[0].removesuffix("Left")
        split.label(text=_SIDEWAYS.get(stem, stem), translate=False)
        row = split.row(align=True)
        for name, side in zip(reversed(pair), ("R", "L")):
            row.prop(bone, f'["{name}"]', text=side, slider=True)


CLASSES = (ExpressionMenu, VisemeMenu, NamedPoseMenu, LibraryPanel, ExpressionPanel)
