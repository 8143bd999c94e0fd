"""The pictures of the wardrobe's items as icons; loaded when they are first shown."""

from __future__ import annotations

from typing import Any

import bpy
import bpy.utils.previews

from ..engine.wardrobe.thumbnails import thumbnail_path


class _Store:
    previews: Any = None


def get_item_icon(item: str) -> int:
    """Icon id of an item of the wardrobe; 0 without a picture.

    Args:
        item: such as ``hat=fedora``.
    """
    if bpy.app.background:  # nothing shows it
        return 0
    if _Store.previews is None:
        _Store.previews = bpy.utils.previews.new()
    if item not in _Store.previews:
        category, _, name = item.partition("=")
        path = thumbnail_path(category, name)
        if not path.is_file():
            return 0
        _Store.previews.load(item, str(path), "IMAGE")
    return int(_Store.previews[item].icon_id)


def clear_item_icons() -> None:
    """Free the pictures."""
    if _Store.previews is not None:
        bpy.utils.previews.remove(_Store.previews)
    _Store.previews = None
