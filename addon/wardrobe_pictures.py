"""The pictures of things to put on as icons; loaded when they are first shown."""

from __future__ import annotations

from pathlib import Path
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
    category, _, name = item.partition("=")
    return get_picture_icon(thumbnail_path(category, name))


def get_picture_icon(picture: Path) -> int:
    """Icon id of a picture; 0 without that file.

    Args:
        picture: an image file, of any suffix.
    """
    if bpy.app.background:  # nothing shows it
        return 0
    if _Store.previews is None:
        _Store.previews = bpy.utils.previews.new()
    name = str(picture)
    if name not in _Store.previews:
        if not picture.is_file():
            return 0
        _Store.previews.load(name, name, "IMAGE")
    return int(_Store.previews[name].icon_id)


def clear_item_icons() -> None:
    """Free the pictures."""
    if _Store.previews is not None:
        bpy.utils.previews.remove(_Store.previews)
    _Store.previews = None
