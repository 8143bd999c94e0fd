"""What the user sees. Thin: draw."""

from __future__ import annotations

import bpy

from . import sidebar


def register() -> None:
    for cls in sidebar.CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(sidebar.CLASSES):
        bpy.utils.unregister_class(cls)
