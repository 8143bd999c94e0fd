"""State of the panels for this session; the running job is in ``running.py``."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from .gallery import gallery_items


def _gallery_items(owner: Any, context: Any) -> list[tuple[str, str, str, int, int]]:
    folder = owner.gallery_folder
    return gallery_items(Path(bpy.path.abspath(folder)) if folder else None)


class LikenessSession(bpy.types.PropertyGroup):  # type: ignore[misc]
    """On the window manager, so not saved with files and not part of undo."""

    gallery_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Folder",
        description="Folder with avatars, such as a batch's results; its subfolders count, too",
        subtype="DIR_PATH",
    )
    gallery_avatar: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Avatar", description="Avatar of the folder", items=_gallery_items
    )
    expression_filter: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="Show only expressions whose name contains this text"
    )
    brush_radius: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Radius",
        description="Radius of the brush in pixels",
        subtype="PIXEL",
        min=2.0,
        max=1000.0,
        default=40.0,
    )
    brush_strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How much each touch does in the middle of the brush",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.5,
    )
    brush_through: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Through", description="Reach everything under the brush, also what is hidden behind"
    )
    tint_color: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Color",
        description="Color of the tint",
        subtype="COLOR_GAMMA",
        size=3,
        min=0.0,
        max=1.0,
        default=(0.35, 0.1, 0.12),
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
