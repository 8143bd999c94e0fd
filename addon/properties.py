"""What the panels show of the present session: the running job and the last error."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy


class LikenessSession(bpy.types.PropertyGroup):  # type: ignore[misc]
    """On the window manager, so neither saved with files nor part of undo."""

    running: bpy.props.BoolProperty(name="Running")  # type: ignore[valid-type]
    progress: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Progress", subtype="FACTOR", min=0.0, max=1.0
    )
    stage: bpy.props.StringProperty(name="Stage")  # type: ignore[valid-type]
    error: bpy.props.StringProperty(name="Error")  # type: ignore[valid-type]
    remedy: bpy.props.StringProperty(name="Remedy")  # type: ignore[valid-type]
    expression_filter: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="Show only expressions with this in their name"
    )


def session(context: Any) -> Any:
    """The session of this window manager."""
    return context.window_manager.likeness


def register() -> None:
    bpy.utils.register_class(LikenessSession)
    bpy.types.WindowManager.likeness = bpy.props.PointerProperty(type=LikenessSession)


def unregister() -> None:
    del bpy.types.WindowManager.likeness
    bpy.utils.unregister_class(LikenessSession)
