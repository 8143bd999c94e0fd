"""Avatars as assets: marked for the asset browser, written to a library, and back from one.

The asset is the avatar's collection. Blender appends it as it is, or instances it as an empty, of
which nothing can be posed; :func:`make_posable` puts the avatar itself in the empty's place.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.types import FloatArray, LikenessError
from ...engine.files.atomic import atomic_write
from ...engine.workflows.build_files import THUMBNAIL_SUFFIX
from .. import keys
from ..asset_catalogs import AVATARS, AssetInfo, add_catalogs, catalog_id
from .avatar_objects import AvatarObjects, find_avatar
from .avatar_ops import duplicate_avatar, select_avatar
from .selection import enter_object_mode

PREVIEW_SIZE = 256
TAG = "Likeness"
_FRAMINGS = {"full": "full length", "half": "half length", "head": "head and shoulders"}


def mark_as_asset(
    objects: AvatarObjects, info: AssetInfo | None = None, picture: FloatArray | None = None
) -> None:
    """Mark the avatar's collection as an asset in our catalog, with its picture.

    Args:
        objects: of the avatar.
        info: author, licence and description; what is empty comes from the avatar's provenance.
        picture: [H, W, 4] 0..1, straight alpha; None for the picture beside the avatar's file, else
            the photo, else Blender's own preview.

    Raises:
        LikenessError: The avatar is linked from another file.
    """
    _check_local(objects)
    collection, info = objects.collection, info or AssetInfo()
    provenance = read_provenance(objects.armature)
    framing = str(objects.armature.get(keys.FRAMING, ""))
    if _holds_one_avatar(collection):
        collection.name = objects.armature.name
    collection.asset_mark()
    data = collection.asset_data
    data.catalog_id = catalog_id(AVATARS)
    data.author = info.author or str(provenance.get("author", ""))
    data.copyright = info.copyright or str(provenance.get("copyright", ""))
    data.license = info.license
    data.description = info.description or _describe(objects, provenance, framing)
    for tag in (TAG, _FRAMINGS.get(framing, "")):
        if tag and tag not in data.tags:
            data.tags.new(tag)
    if picture is None:
        picture = _find_picture(objects)
    if picture is None:
        collection.asset_generate_preview()
        return
    preview = collection.preview_ensure()
    preview.image_size = (PREVIEW_SIZE, PREVIEW_SIZE)
    preview.image_pixels_float.foreach_set(_square(picture)[::-1].ravel())


def read_provenance(armature: Any) -> dict[str, Any]:
    """The avatar's provenance; empty where the file has none that can be read."""
    try:
        found = json.loads(armature.get(keys.PROVENANCE, "{}"))
    except (TypeError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def save_assets(
    avatars: Sequence[AvatarObjects], folder: Path, info: AssetInfo, replace: bool = False
) -> list[Path]:
    """Mark avatars as assets and write them to a library.

    None is marked if one is linked or the folder cannot be made.

    Args:
        avatars: any of the scene's.
        folder: of the library; made if it is missing.
        info: as for :func:`mark_as_asset`, of each.
        replace: as for :func:`write_assets`.

    Returns:
        The .blend of each avatar.

    Raises:
        LikenessError: An avatar is linked from another file, or the folder cannot be written to.
    """
    for objects in avatars:
        _check_local(objects)
    _make_library(folder)
    for objects in avatars:
        mark_as_asset(objects, info)
    return write_assets(avatars, folder, replace)


def _check_local(objects: AvatarObjects) -> None:
    collection = objects.collection
    if collection.library is not None or collection.override_library is not None:
        raise LikenessError(
            f"'{objects.armature.name}' is linked from another file.", "Mark it in that file."
        )


def _make_library(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"'{folder}' cannot be made ({error.strerror}).", "Choose another folder."
        ) from error


def write_assets(
    avatars: Sequence[AvatarObjects], folder: Path, replace: bool = False
) -> list[Path]:
    """Write marked avatars, as they are now, each to a file of its own in a library's folder.

    A file that is named after its avatar and exists already stays, and the new one gets a number,
    as Blender numbers the files of its brushes.

    Args:
        avatars: marked by :func:`mark_as_asset`.
        folder: of the library; made if it is missing.
        replace: whether files that existed before are replaced instead; the open file never is.

    Returns:
        The .blend of each avatar.

    Raises:
        LikenessError: The folder cannot be written to.
    """
    _make_library(folder)
    kept = [Path(bpy.data.filepath)] if bpy.data.filepath else []
    written: list[Path] = []
    for objects in avatars:
        path = folder / f"{blend_name(objects)}.blend"
        if not replace or any(_is_same_file(path, other) for other in (*kept, *written)):
            path = _free_path(path)
        with atomic_write(path) as scratch:
            bpy.data.libraries.write(
                str(scratch), {objects.collection}, fake_user=True, compress=True
            )
        written.append(path)
    add_catalogs(folder, [AVATARS])
    return written


def blend_name(objects: AvatarObjects) -> str:
    """Return the name of an avatar's file in a library, without its suffix."""
    return str(bpy.path.clean_name(objects.armature.name))


def _is_same_file(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _free_path(path: Path) -> Path:
    """The path, or the first with a number that no file has."""
    names = (path.with_stem(f"{path.stem}_{k}") for k in itertools.count(1))
    return next(one for one in itertools.chain([path], names) if not one.exists())


def find_instanced_avatar(obj: Any | None) -> AvatarObjects | None:
    """The avatar that an empty instances, as the asset browser leaves one; else None."""
    if obj is None or obj.instance_type != "COLLECTION" or obj.instance_collection is None:
        return None
    found = (find_avatar(one) for one in obj.instance_collection.all_objects)
    return next((avatar for avatar in found if avatar is not None), None)


def make_posable(empty: Any, context: Any) -> AvatarObjects:
    """Put the avatar that an empty instances in the empty's place, and select it.

    A linked avatar becomes a library override, which follows its file in all that is not changed
    here. One in this file is copied if anything else shows it, so that other instances stay.

    Raises:
        LikenessError: The object does not instance an avatar.
    """
    avatar = find_instanced_avatar(empty)
    if avatar is None:
        raise LikenessError(
            f"'{empty.name}' is not an instance of an avatar.", "Select one of the asset browser's."
        )
    enter_object_mode(context)
    source, name = empty.instance_collection, empty.name
    place = empty.matrix_world @ Matrix.Translation(-source.instance_offset)
    home = empty.users_collection[0] if empty.users_collection else context.scene.collection
    if source.library is not None:
        own = source.override_hierarchy_create(
            context.scene, context.view_layer, reference=empty, do_fully_editable=True
        )
        if own is None:
            raise LikenessError(
                f"Blender cannot override '{source.name}'.", "Append it instead of linking it."
            )
    elif _is_shown(source, context.scene, empty):
        own = duplicate_avatar(avatar, context, beside=False).collection
    else:
        own = source
        home.children.link(own)
    context.view_layer.update()
    bpy.data.objects.remove(empty)
    made = next(a for a in map(find_avatar, own.all_objects) if a is not None)
    for root in (one for one in own.all_objects if one.parent is None):
        root.matrix_world = place @ root.matrix_world
    made.armature.name = name
    made.body.hide_set(True)  # a file keeps this for its own scene only
    context.view_layer.update()
    select_avatar(made, context)
    return made


def _holds_one_avatar(collection: Any) -> bool:
    """Whether a collection holds an avatar and nothing else, so that it can have its name."""
    parts = [one.get(keys.PART) for one in collection.objects]
    return all(parts) and parts.count("armature") == 1


def _is_shown(collection: Any, scene: Any, empty: Any) -> bool:
    """Whether something besides ``empty`` shows a collection."""
    others = (obj for obj in bpy.data.objects if obj != empty)
    return collection in scene.collection.children_recursive or any(
        obj.instance_collection == collection for obj in others
    )


def _describe(objects: AvatarObjects, provenance: dict[str, Any], framing: str) -> str:
    """What the avatar is, in one line."""
    source, generator = provenance.get("source"), provenance.get("generator")
    parts = [
        f"From {source}" if source else "",
        _FRAMINGS.get(framing, ""),
        f"{len(objects.splats.data.polygons):,} splats",
        str(generator or ""),
    ]
    return ", ".join(filter(None, parts))


def _find_picture(objects: AvatarObjects) -> FloatArray | None:
    """[H, W, 4] the picture beside the avatar's file, else the photo behind its camera."""
    file = objects.armature.get(keys.AVATAR_FILE)
    beside = Path(file).with_suffix(THUMBNAIL_SUFFIX) if file else None
    if beside is not None and beside.is_file():
        image = bpy.data.images.load(str(beside))
        try:
            return _read_pixels(image)
        finally:
            bpy.data.images.remove(image)
    photo = _photo(objects)
    return _read_pixels(photo) if photo is not None else None


def _photo(objects: AvatarObjects) -> Any | None:
    if objects.camera is None:
        return None
    images = (background.image for background in objects.camera.data.background_images)
    return next((image for image in images if image is not None), None)


def _read_pixels(image: Any) -> FloatArray | None:
    """[H, W, 4] from the top down; None if Blender cannot read the file."""
    width, height = image.size
    if not width or not height:
        return None
    pixels = np.empty((height, width, 4), np.float32)
    image.pixels.foreach_get(pixels.ravel())
    return pixels[::-1]


def _square(picture: FloatArray) -> FloatArray:
    """[PREVIEW_SIZE, PREVIEW_SIZE, 4] the upper middle square of a picture [H, W, 4]."""
    height, width = picture.shape[:2]
    side = min(width, height)
    left = (width - side) // 2
    at = ((np.arange(PREVIEW_SIZE) + 0.5) * side / PREVIEW_SIZE).astype(int)
    return np.ascontiguousarray(picture[at][:, left + at], np.float32)
