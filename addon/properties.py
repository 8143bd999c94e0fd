"""State of the panels for this session; the running job is in ``running.py``."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from .brush_settings import BrushSettings
from .gallery import gallery_items
from .translations import set_context


def _gallery_items(owner: Any, context: Any) -> list[tuple[str, str, str, int, int]]:
    folder = owner.gallery_folder
    return gallery_items(Path(bpy.path.abspath(folder)) if folder else None)


class SessionBrush(BrushSettings, bpy.types.PropertyGroup):  # type: ignore[misc]
    """The settings of the brush that the panel and the tool share."""


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
    brush: bpy.props.PointerProperty(  # type: ignore[valid-type]
        type=SessionBrush, name="Brush", description="Settings of the brush that retouches splats"
    )


def get_session(context: Any) -> Any:
    """The session of this window manager."""
    return context.window_manager.likeness


def register() -> None:
    for cls in (SessionBrush, LikenessSession):
        set_context(cls)
        bpy.utils.register_class(cls)
    bpy.types.WindowManager.likeness = bpy.props.PointerProperty(type=LikenessSession)


def unregister() -> None:
    del bpy.types.WindowManager.likeness
    bpy.utils.unregister_class(LikenessSession)
    bpy.utils.unregister_class(SessionBrush)
