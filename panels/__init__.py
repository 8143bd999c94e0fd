"""The tab "Likeness" in the sidebar of the 3D view, and our tool in its toolbar. Panels only
draw."""

from __future__ import annotations

import bpy

from . import (
    attributes,
    avatars,
    brush_tool,
    create,
    display,
    export,
    expression,
    gallery,
    motion,
    pose,
    retouch,
)

CLASSES = tuple(
    cls
    for module in (
        *(create, gallery, avatars, pose, motion, expression, attributes, retouch),
        *(display, export),
    )
    for cls in module.CLASSES
)
"""In the order of the sidebar."""


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    brush_tool.register()


def unregister() -> None:
    brush_tool.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
