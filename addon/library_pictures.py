"""The picture of a file of a MakeHuman library, as an icon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from ..engine.core.types import LikenessError


class _Store:
    previews: Any = None


def find_library_picture(file: Path) -> tuple[Path | None, bool]:
    """Find the picture of a .mhclo file: the one beside it, else its texture.

    Args:
        file: of the library.

    Returns:
        picture: None without one.
        textured: whether it is the texture.
    """
    from ..engine.wardrobe.asset_files import find_thumbnail, list_materials, load_material

    if file.suffix.lower() != ".mhclo" or not file.is_file():
        return None, False
    beside = find_thumbnail(file)
    if beside is not None:
        return beside, False
    try:
        named = list_materials(file)
        return (load_material(named[0]).texture if named else None), True
    except LikenessError:  # a broken file is shown without a picture; putting it on says why
        return None, False


def get_library_icon(picture: Path) -> int:
    """Icon id of a picture, of any suffix; 0 where nothing shows it.

    Args:
        picture: as of :func:`find_library_picture`.
    """
    if bpy.app.background:
        return 0
    if _Store.previews is None:
        _Store.previews = bpy.utils.previews.new()
    if str(picture) not in _Store.previews:
        _Store.previews.load(str(picture), str(picture), "IMAGE")
    return int(_Store.previews[str(picture)].icon_id)


def clear_library_icons() -> None:
    """Free the pictures."""
    if _Store.previews is not None:
        bpy.utils.previews.remove(_Store.previews)
    _Store.previews = None
