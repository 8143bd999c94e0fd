"""The face: expressions in groups."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.properties import session
from ..addon.scene.build import find_avatar
from .base import AvatarPanel

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


class ExpressionPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
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


CLASSES = (ExpressionPanel,)
