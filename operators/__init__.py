"""What the user can do. Thin: read properties, call addon/, report."""

from __future__ import annotations

from typing import Any

import bpy

from . import import_avatar, import_portrait, render_setup

_MODULES = (import_portrait, import_avatar, render_setup)


def _menu(self: Any, context: Any) -> None:
    self.layout.operator(import_portrait.ImportPortrait.bl_idname, text="Portrait as Avatar")
    self.layout.operator(
        import_avatar.ImportAvatar.bl_idname, text="Likeness Avatar (.safetensors)"
    )


def register() -> None:
    for module in _MODULES:
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_menu)
    import_portrait.stop()
    for module in reversed(_MODULES):
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
