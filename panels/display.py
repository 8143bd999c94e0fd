"""How the splats are drawn, and rendered."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon import compat
from ..addon.scene import native_splats, render_setup, shadow_proxy, splat_object
from ..addon.scene.avatar_objects import find_avatar
from ..addon.scene.camera import shows_photo
from ..addon.scene.grade_nodes import CONTROLS, GRADED, grade_name
from ..addon.scene.light_nodes import RELIGHT
from ..addon.scene.part_selection import list_grades
from ..addon.scene.read_back import splat_count
from ..addon.scene.splat_object import MODIFIER_NAME, input_identifier
from ..addon.translations import CONTEXT, translate
from ..addon.viewport import fast_splats
from .base import AvatarPanel, draw_wrapped

_DETAILS = {
    "Viewport Detail": "Viewport: {shown} of {total} splats",
    "Render Detail": "Render: {shown} of {total} splats",
}
_COUNTS = (10_000, 50_000, 150_000, 0)
_SPLAT_INPUTS = ("Softness", "Sorted Viewport", "Face Camera")


class DisplayPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """How many splats are drawn, and in which order."""

    bl_idname = "LIKENESS_PT_display"
    bl_label = "Splats"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        layout = self.layout
        avatar = find_avatar(context.object)
        modifier = avatar.splats.modifiers.get(MODIFIER_NAME) if avatar else None
        if avatar is None or modifier is None:
            draw_wrapped(layout, context, "The splats' modifier was removed", "ERROR")
            return
        total = len(avatar.splats.data.polygons)
        for name, label in _DETAILS.items():
            column = layout.column(align=True)
            shown = splat_count(avatar, name)
            text = translate(label).format(shown=f"{shown:,}", total=f"{total:,}")
            column.label(text=text, translate=False)
            row = column.row(align=True)
            for count in _COUNTS:
                if count < total:
                    text = f"{count // 1000}k" if count else "All"
                    pressed = shown == (count or total)
                    button = row.operator("likeness.set_detail", text=text, depress=pressed)
                    button.target, button.count = name, count
            identifier = input_identifier(modifier, name)
            compat.draw_modifier_input(column, modifier, identifier, "Detail")
        column = layout.column()
        for name in _SPLAT_INPUTS:
            compat.draw_modifier_input(column, modifier, input_identifier(modifier, name), name)
        on = fast_splats.is_fast(avatar.splats)
        layout.operator(
            "likeness.fast_splats", depress=on, icon="CHECKBOX_HLT" if on else "CHECKBOX_DEHLT"
        )
        shown = not avatar.body.hide_get()
        icon = "CHECKBOX_HLT" if shown else "CHECKBOX_DEHLT"
        layout.operator("likeness.show_body", depress=shown, icon=icon)
        why = fast_splats.find_fast_problem()
        if why:
            text = f"{translate('Fast Splats')}: {translate(why)}"
            draw_wrapped(layout, context, text, "INFO")
        on = native_splats.is_native(avatar.splats)
        if on or native_splats.has_native_splats():
            icon = "CHECKBOX_HLT" if on else "CHECKBOX_DEHLT"
            layout.operator("likeness.native_splats", depress=on, icon=icon)


class RenderPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """Render settings, the photo's camera, shadows, rendering with Likeness."""

    bl_idname = "LIKENESS_PT_render"
    bl_label = "Render"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        layout, avatar = self.layout, find_avatar(context.object)
        column = layout.column(align=True)
        column.operator("likeness.render_setup", icon="SCENE")
        column.operator("likeness.render_restore", icon="LOOP_BACK")
        transform = render_setup.find_changing_transform(context.scene)
        if transform:
            note = translate(
                "The view transform {name} changes the colors; Set Up Scene for Splats shows them "
                "as in the photo"
            )
            draw_wrapped(layout, context, note.format(name=transform), "INFO")
        if context.scene.render.engine == "CYCLES" and render_setup.misses_layers(context.scene):
            row = layout.column(align=True)
            row.alert = True
            draw_wrapped(
                row,
                context,
                "Cycles stops after a few transparent layers, which turns splats black; Set Up "
                "Scene for Splats renders all of them",
                "ERROR",
            )
        column = layout.column(align=True)
        column.operator("likeness.draw", text="Render Image", icon="RENDER_STILL").animation = False
        row = column.operator("likeness.draw", text="Render Animation", icon="RENDER_ANIMATION")
        row.animation = True
        if avatar is None:
            return
        self._draw_light(context, avatar)
        column = layout.column(align=True)
        column.operator("likeness.look_through_photo", icon="VIEW_CAMERA")
        shown = avatar.camera is not None and shows_photo(avatar.camera)
        column.operator("likeness.photo_background", depress=shown, icon="IMAGE_BACKGROUND")
        if shadow_proxy.find_proxy(avatar) is None:
            layout.operator("likeness.add_shadow_proxy", icon="GHOST_ENABLED")
        else:
            layout.operator("likeness.remove_shadow_proxy", icon="X")

    def _draw_light(self, context: Any, avatar: Any) -> None:
        modifier = avatar.splats.modifiers.get(MODIFIER_NAME)
        if modifier is None or not splat_object.can_relight(modifier):
            return
        column = self.layout.column()
        identifier = input_identifier(modifier, RELIGHT)
        compat.draw_modifier_input(column, modifier, identifier, "Relight")
        if not splat_object.get_input(modifier, RELIGHT):
            return
        if native_splats.is_native(avatar.splats):
            draw_wrapped(column, context, "Native splats keep the photo's light", "INFO")
        elif context.scene.render.engine == "CYCLES" and render_setup.needs_samples(context.scene):
            draw_wrapped(
                column,
                context,
                "The scene's light is grainy in Cycles at few samples: use 64 and denoising",
                "INFO",
            )


class GradePanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """Exposure, hue and saturation of skin, hair, clothes and things."""

    bl_idname = "LIKENESS_PT_grade"
    bl_label = "Grade"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        avatar = find_avatar(context.object)
        modifier = avatar.splats.modifiers.get(MODIFIER_NAME) if avatar else None
        if avatar is None or modifier is None or not splat_object.can_grade(modifier):
            draw_wrapped(self.layout, context, "Import the avatar again to grade it", "INFO")
            return
        for part in list_grades(avatar.splats) or GRADED:
            column = self.layout.column(align=True)
            column.label(text=part, text_ctxt=CONTEXT)
            for control in CONTROLS:
                identifier = input_identifier(modifier, grade_name(part, control))
                compat.draw_modifier_input(column, modifier, identifier, control)


CLASSES = (DisplayPanel, GradePanel, RenderPanel)
"""In the order of the sidebar."""
