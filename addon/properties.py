"""State of the panels for this session; the running job is in ``running.py``."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy


class LikenessSession(bpy.types.PropertyGroup):  # type: ignore[misc]
    """On the window manager, so not saved with files and not part of undo."""

    expression_filter: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="Show only expressions whose name contains this text"
    )


def get_session(context: Any) -> Any:
    """The session of this window manager."""
    return context.window_manager.likeness


def register() -> None:
    bpy.utils.register_class(LikenessSession)
    bpy.types.WindowManager.likeness = bpy.props.PointerProperty(type=LikenessSession)


def unregister() -> None:
    del bpy.types.WindowManager.likeness
    bpy.utils.unregister_class(LikenessSession)
