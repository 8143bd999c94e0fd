"""The tab "Likeness" in the 3D view's sidebar."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon import compat
from ..addon.properties import session
from ..addon.scene.build import find_avatar
from ..addon.scene.splats import MODIFIER_NAME, input_identifier

_REGIONS = {
    "Eyes": ("eye",),
    "Brows": ("brow",),
    "Jaw": ("jaw",),
    "Mouth": ("mouth", "tongue"),
    "Cheeks and Nose": ("cheek", "nose"),
}
"""Heading -> beginnings of ARKit's expression names."""


def expressions_by_region(names: list[str], wanted: str = "") -> dict[str, list[str]]:
    """Expression names under their headings, those without one under ``Other``."""
    out: dict[str, list[str]] = {heading: [] for heading in (*_REGIONS, "Other")}
    for name in names:
        if wanted.lower() not in name.lower():
            continue
        headings = (h for h, starts in _REGIONS.items() if name.lower().startswith(starts))
        out[next(headings, "Other")].append(name)
    return {heading: members for heading, members in out.items() if members}


_SPLAT_INPUTS = (
    "Viewport Detail", "Render Detail", "Softness", "Sorted Viewport", "Face Camera",
)  # fmt: skip


class _LikenessPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"


class MainPanel(_LikenessPanel, bpy.types.Panel):  # type: ignore[misc]
    """Import, and what is under way."""

    bl_idname = "LIKENESS_PT_main"
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
            _wrapped(box, context, state.error, "ERROR")
            _wrapped(box, context, state.remedy)
        layout.operator("likeness.render_setup", icon="RENDER_STILL")


class _AvatarPanel(_LikenessPanel):
    bl_parent_id = MainPanel.bl_idname

    @classmethod
    def poll(cls, context: Any) -> bool:
        return find_avatar(context.object) is not None


class DisplayPanel(_AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
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
            _wrapped(
                self.layout, context,
                f"The scene shows colors through {transform}; Set Up Render shows them as in "
                "the photo", "INFO",
            )  # fmt: skip


class ExpressionPanel(_AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """A slider for every expression of the active avatar."""

    bl_idname = "LIKENESS_PT_expression"
    bl_label = "Expression"

    def draw(self, context: Any) -> None:
        avatar = find_avatar(context.object)
        keys = avatar.body.data.shape_keys if avatar else None
        if keys is None:
            self.layout.label(text="This body has no expressions")
            return
        state = session(context)
        self.layout.prop(state, "expression_filter", text="", icon="VIEWZOOM")
        names = [key.name for key in keys.key_blocks[1:]]
        for heading, members in expressions_by_region(names, state.expression_filter).items():
            header, body = self.layout.panel(f"likeness_{heading}", default_closed=False)
            header.label(text=heading)
            if body is not None:
                column = body.column(align=True)
                for name in members:
                    column.prop(keys.key_blocks[name], "value", text=name, slider=True)


def _wrapped(layout: Any, context: Any, text: str, icon: str = "NONE") -> None:
    """A long text over several lines of the sidebar's width."""
    width = max(20, int((context.region.width if context.region else 280) / 8))
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            layout.label(text=line, icon=icon)
            line, icon = word, "BLANK1" if icon != "NONE" else "NONE"
        else:
            line = f"{line} {word}".strip()
    if line:
        layout.label(text=line, icon=icon)


CLASSES = (MainPanel, DisplayPanel, ExpressionPanel)
