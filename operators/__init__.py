"""Operators: they read properties, call addon/ and report.

Each module has ``CLASSES`` and, where needed, ``draw_import``, ``draw_export``, ``draw_add`` and
``draw_object`` (entries of Blender's menus), ``start`` and ``stop`` (called when the extension is
enabled and disabled).
"""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.translations import set_context, set_tooltip
from . import (
    add_body,
    asset_library,
    attribute_files,
    attributes,
    avatars,
    crowd,
    display,
    export,
    export_vrm,
    expression,
    fit_check,
    import_avatar,
    import_portrait,
    import_splats,
    job_operator,
    live_face,
    motion,
    motion_export,
    motion_list,
    motion_smoothing,
    motion_swing,
    pose,
    proxy,
    retouch,
    retouch_brush,
    setup,
    speech,
)

_MODULES = (
    job_operator,
    fit_check,
    import_portrait,
    import_avatar,
    import_splats,
    add_body,
    avatars,
    asset_library,
    crowd,
    attributes,
    attribute_files,
    pose,
    proxy,
    retouch,
    retouch_brush,
    expression,
    motion,
    motion_export,
    motion_list,
    motion_smoothing,
    motion_swing,
    speech,
    live_face,
    display,
    export,
    export_vrm,
    setup,
)


def _draw(name: str, menu: Any, context: Any) -> None:
    for module in _MODULES:
        if hasattr(module, name):
            getattr(module, name)(menu.layout)


def _draw_import(menu: Any, context: Any) -> None:
    _draw("draw_import", menu, context)


def _draw_export(menu: Any, context: Any) -> None:
    _draw("draw_export", menu, context)


def _draw_add(menu: Any, context: Any) -> None:
    _draw("draw_add", menu, context)


def _draw_object(menu: Any, context: Any) -> None:
    _draw("draw_object", menu, context)


_MENUS = {
    "VIEW3D_MT_object": _draw_object,
    "VIEW3D_MT_object_context_menu": _draw_object,
    "OUTLINER_MT_object": _draw_object,
    "TOPBAR_MT_file_import": _draw_import,
    "TOPBAR_MT_file_export": _draw_export,
    "VIEW3D_MT_armature_add": _draw_add,
}


def register() -> None:
    for module in _MODULES:
        for cls in module.CLASSES:
            set_context(cls)
            set_tooltip(cls)
            bpy.utils.register_class(cls)
        if hasattr(module, "start"):
            module.start()
    for menu, draw in _MENUS.items():
        getattr(bpy.types, menu).append(draw)


def unregister() -> None:
    for menu, draw in _MENUS.items():
        getattr(bpy.types, menu).remove(draw)
    for module in reversed(_MODULES):
        if hasattr(module, "stop"):
            module.stop()
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
