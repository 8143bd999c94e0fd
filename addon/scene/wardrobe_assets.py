"""The wardrobe in the asset browser: empties with pictures, each standing for one item.

Dropped into the scene, such an empty is put on an avatar by an operator, since items are made for
each head anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.types import LikenessError
from ...engine.files.atomic import atomic_write
from ...engine.wardrobe.thumbnails import thumbnail_path
from .. import keys
from ..asset_catalogs import add_catalogs, catalog_id
from ..wardrobe_items import ITEMS, KIND_ITEMS
from .avatar_objects import AvatarObjects, find_avatars

FILE = "likeness_wardrobe.blend"
LIBRARY_NAME = "Likeness Wardrobe"
AUTHOR, LICENSE = "Likeness", "CC0"
CATALOGS = {kind: f"Wardrobe/{label}" for kind, label, _ in KIND_ITEMS if kind != "all"}
"""Category of an item -> its catalog."""


def write_wardrobe(folder: Path) -> Path:
    """Write the wardrobe as a library; the open file does not change.

    Args:
        folder: of the library; made if it is missing.

    Returns:
        The .blend.

    Raises:
        LikenessError: The folder cannot be written to.
    """
    path, made = folder / FILE, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for item, label, description in ITEMS:
            made.append(_make_asset(item, label, description))
        with atomic_write(path) as scratch:
            bpy.data.libraries.write(str(scratch), set(made), fake_user=True, compress=True)
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be written ({error.strerror}).", "Choose another folder."
        ) from error
    finally:
        bpy.data.batch_remove(made)
    add_catalogs(folder, CATALOGS.values())
    return path


def find_item(obj: Any | None) -> str:
    """What of the wardrobe an object stands for, such as ``hat=fedora``; empty if nothing."""
    item = "" if obj is None else str(obj.get(keys.WARDROBE_ITEM, ""))
    return item if item in {known for known, _, _ in ITEMS} else ""


def find_wearer(obj: Any, scene: Any) -> AvatarObjects | None:
    """The avatar to which an object is nearest; None in a scene without one."""
    place = obj.matrix_world.translation

    def distance(avatar: AvatarObjects) -> float:
        corners = [avatar.body.matrix_world @ point for point in _corners(avatar.body)]
        low, high = np.min(corners, 0), np.max(corners, 0)
        return float(np.linalg.norm(np.clip(place, low, high) - place))

    return min(find_avatars(scene), key=distance, default=None)


def _corners(obj: Any) -> list[Any]:
    from mathutils import Vector

    return [Vector(corner) for corner in obj.bound_box]


def _make_asset(item: str, label: str, description: str) -> Any:
    category, _, name = item.partition("=")
    obj = bpy.data.objects.new(label, None)
    obj.empty_display_type, obj.empty_display_size = "SPHERE", 0.1
    obj[keys.WARDROBE_ITEM] = item
    obj.asset_mark()
    data = obj.asset_data
    data.author, data.license, data.description = AUTHOR, LICENSE, description
    data.catalog_id = catalog_id(CATALOGS[category])
    for tag in ("Likeness", category):
        data.tags.new(tag)
    picture = thumbnail_path(category, name)
    if picture.is_file():
        image = bpy.data.images.load(str(picture))
        preview = obj.preview_ensure()
        preview.image_size = tuple(image.size)
        pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
        image.pixels.foreach_get(pixels)
        preview.image_pixels_float.foreach_set(pixels)
        bpy.data.images.remove(image)
    return obj
