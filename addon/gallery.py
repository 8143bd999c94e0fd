"""The avatars of a folder with their pictures, such as a batch's results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from ..engine.core.types import LikenessError
from ..engine.workflows.build_files import (
    AVATAR_FILE,
    AVATAR_SUFFIX,
    PREVIEW_FILE,
    THUMBNAIL_SUFFIX,
    find_avatar_file,
)
from .folder_files import avatar_title, list_files, list_folders

MAX_SHOWN = 500
"""Avatars of a folder that the gallery shows."""


class _Store:
    previews: Any = None
    folder: Path | None = None
    stamps: tuple[float, ...] = ()
    subfolders: list[Path] = []  # noqa: RUF012
    items: list[tuple[str, str, str, int, int]] = []  # noqa: RUF012


def find_picture(avatar: Path) -> Path | None:
    """Return the picture beside an avatar file: its thumbnail, a batch's view from the front, or a
    build's preview."""
    beside = [avatar.with_suffix(THUMBNAIL_SUFFIX)]
    if avatar.name == AVATAR_FILE:
        beside += [avatar.parent / "views" / "front.jpg", avatar.parent / PREVIEW_FILE]
    return next((path for path in beside if path.is_file()), None)


def gallery_items(folder: Path | None) -> list[tuple[str, str, str, int, int]]:
    """Return the enum items of a folder's avatars, with pictures where a window shows them.

    The folder is read again when something was added to it or a subfolder, or removed.
    """
    if folder is None:
        return []
    if folder != _Store.folder or _stamp(_Store.subfolders) != _Store.stamps:
        clear_gallery()
        _Store.folder, _Store.subfolders = folder, list_folders(folder)
        _Store.stamps = _stamp(_Store.subfolders)
        files = list_files(_Store.subfolders, (AVATAR_SUFFIX,))
        for row, path in enumerate(files[:MAX_SHOWN]):
            title = avatar_title(path, folder)
            _Store.items.append((str(path), title, str(path), get_icon(path), row))
    return _Store.items


def _stamp(folders: Sequence[Path]) -> tuple[float, ...]:
    """When each folder was changed; 0 where it is missing."""
    return tuple(_changed_at(folder) for folder in folders)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def get_icon(avatar: Path) -> int:
    """Return the icon of an avatar file's picture; 0 without one, or without a window."""
    picture = find_picture(avatar)
    if picture is None or bpy.app.background:
        return 0
    if _Store.previews is None:
        _Store.previews = bpy.utils.previews.new()
    name = f"{avatar}\n{_changed_at(picture)}"
    if name not in _Store.previews:
        _Store.previews.load(name, str(picture), "IMAGE")
    return int(_Store.previews[name].icon_id)


def clear_gallery() -> None:
    """Forget the folder and free its pictures."""
    if _Store.previews is not None:
        bpy.utils.previews.remove(_Store.previews)
    _Store.previews, _Store.folder = None, None
    _Store.stamps, _Store.subfolders = (), []
    _Store.items.clear()


def find_chosen_file(context: Any) -> Path | None:
    """The avatar file that is chosen in the file browser, or None.

    Blender draws previews of a fixed list of file types, to which nothing can be added, so that the
    browser itself shows avatar files without a picture.
    """
    params = getattr(context.space_data, "params", None)
    if params is None or not params.filename:
        return None
    folder = params.directory
    path = Path(os.fsdecode(folder) if isinstance(folder, bytes) else folder) / params.filename
    if path.suffix.lower() not in (AVATAR_SUFFIX, THUMBNAIL_SUFFIX) or not path.is_file():
        return None
    try:
        return find_avatar_file(path)
    except LikenessError:
        return None
